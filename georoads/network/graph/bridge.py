"""Bridging gaps: from dead end to dead end, and from a dead end to the side of a road.

A tree, a shadow or a faint stretch of road breaks the mask. Where a dead end points at another that points
back, or at the side of a road close ahead, the gap between them is taken for road.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from georoads.grid import Points
from georoads.network.graph.along import LevelsAt
from georoads.network.graph.crossings import lines_of, meet_between
from georoads.network.graph.dissolve import dissolve
from georoads.network.graph.divide import divide
from georoads.network.graph.graph import Graph, Paths
from georoads.network.types import PixelSize
from georoads.ragged import offsets_of

BRIDGE_COS = float(np.cos(np.radians(25.0)))
"""Both dead ends must point at each other within this angle for the gap to be bridged."""

LEAD_PX = 12.0
"""A dead end's direction is taken over this length."""

SIDE_COS = float(np.cos(np.radians(40.0)))
"""A dead end must point at the side that it is joined to within this angle."""

WIDEST = 1.5
"""A road is nowhere wider than this many times its median width."""


def bridge_gaps(graph: Graph, levels_at: LevelsAt, pixel: PixelSize, bridge_m: float) -> Graph:
    """Join dead ends that face each other over a short gap; each once, the shortest gaps first.

    Args:
        graph: any graph.
        levels_at: gives (K,) uint8, round(254 p), of points (K, 2).
        pixel: metres of a column and a row.
        bridge_m: the longest gap; 0 joins none.

    Returns:
        The graph with a straight edge for each gap.
    """
    if bridge_m <= 0 or not graph.n_edges:
        return graph
    ends = graph.dead_ends(graph.at_edge)
    if len(ends.node) < 2:
        return graph
    tip = graph.node_xy[ends.node] * pixel.xy
    ahead = tip - graph.lead_points(LEAD_PX)[ends.edge, ends.side] * pixel.xy
    ahead /= np.maximum(np.hypot(ahead[:, 0], ahead[:, 1]), 1e-9)[:, None]
    pairs = cKDTree(tip).query_pairs(bridge_m, output_type="ndarray")
    # Two ends of one edge are not joined: that would close a ring that nobody saw.
    pairs = pairs[ends.edge[pairs[:, 0]] != ends.edge[pairs[:, 1]]]
    gap = tip[pairs[:, 1]] - tip[pairs[:, 0]]
    length = np.hypot(gap[:, 0], gap[:, 1])
    # How far each end gets towards the other when it goes straight on; the worse of the two counts.
    facing = np.minimum((gap * ahead[pairs[:, 0]]).sum(axis=1), -(gap * ahead[pairs[:, 1]]).sum(axis=1))
    # A gap that is short beside the road's width has no direction of its own: the roads' must agree.
    width_m = graph.median_widths()[ends.edge] * pixel.gsd_m
    opposed = (ahead[pairs[:, 0]] * ahead[pairs[:, 1]]).sum(axis=1) <= -BRIDGE_COS
    good = (facing >= BRIDGE_COS * length) | (opposed & (length < width_m[pairs].min(axis=1)))
    pairs, length = np.sort(ends.node[pairs[good]], axis=1), length[good]
    free = _uncrossed(graph, *graph.node_xy[pairs].transpose(1, 0, 2))
    pairs, length = pairs[free], length[free]
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0], length))]
    return _join_straight(graph, levels_at, pairs[disjoint(pairs, np.arange(len(pairs)))])


def bridge_to_sides(graph: Graph, levels_at: LevelsAt, pixel: PixelSize, bridge_m: float) -> Graph:
    """Join dead ends to the side of the road that they point at.

    The gap is measured to the road's side, so to its middle half of its width is allowed beyond
    ``bridge_m``. The road is divided where the bridge meets it; a bridge that comes within a half width of
    a node joins the node.

    Args:
        graph: any graph.
        levels_at: gives (K,) uint8, round(254 p), of points (K, 2).
        pixel: metres of a column and a row.
        bridge_m: the longest gap; 0 joins none.

    Returns:
        The graph with a straight edge for each gap.
    """
    if bridge_m <= 0 or not graph.n_edges:
        return graph
    aims = _aim_at_sides(graph, pixel, bridge_m)
    if not len(aims.tip):
        return graph
    start, end = graph.node_xy[aims.tip], graph.xy[aims.target]
    free = _uncrossed(graph, start, end) & _unrepeated(start, end)
    cuts, cut_of = np.unique(aims.target[free], return_inverse=True)
    graph, node = divide(graph, cuts)
    pairs = np.column_stack((aims.tip[free], node[cut_of]))
    # Two dead ends may have chosen each other.
    pairs = np.unique(np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1), axis=0)
    return _join_straight(graph, levels_at, pairs)


@dataclass(frozen=True)
class _Aims:
    """Dead ends, (K,) int64 rows of nodes; and the points, rows of ``xy``, that they are joined to."""

    tip: NDArray[np.int64]
    target: NDArray[np.int64]


def clear_of_lines(graph: Graph, ways: NDArray[np.object_]) -> NDArray[np.bool_]:
    """Which ways touch the graph's lines, and themselves, nowhere but with their own two ends.

    Args:
        graph: in whose plane they lie.
        ways: (K,) shapely.LineString, from a node to a point of a line or to another node.

    Returns:
        (K,) bool.
    """
    clear = np.asarray(shapely.is_simple(ways), dtype=np.bool_)
    if not len(ways):
        return clear
    lines = lines_of(graph.xy, graph.offsets)
    line, way = shapely.STRtree(ways).query(lines, predicate="intersects")
    clear[way[meet_between(ways[way], shapely.intersection(ways[way], lines[line]))]] = False
    return clear


def _uncrossed(graph: Graph, start: Points, end: Points) -> NDArray[np.bool_]:
    """(K,) bool: straight ways, (K, 2) from and to, that cross neither a line nor a shorter such way."""
    ways = shapely.linestrings(np.stack((start, end), axis=1))
    free = clear_of_lines(graph, ways)
    length = np.hypot(*(end - start).T)
    one, other = shapely.STRtree(ways).query(ways, predicate="intersects")
    first = (length[one] < length[other]) | ((length[one] == length[other]) & (one < other))
    one, other = one[first], other[first]
    shared = shapely.intersection(ways[one], ways[other])
    apart = meet_between(ways[one], shared) | meet_between(ways[other], shared)
    one, other = one[apart], other[apart]
    # The shortest first: a way that is crossed itself stops no other.
    for k in np.argsort(length[one], kind="stable").tolist():
        if free[one[k]]:
            free[other[k]] = False
    return free


def _unrepeated(start: Points, end: Points) -> NDArray[np.bool_]:
    """(K,) bool: False for the longer of two ways between the same places.

    Two dead ends that pass each other may both reach for the other's side. Two ways are one when each leads
    to a point nearer to the other's start than the longer is long.
    """
    length = np.hypot(*(end - start).T)
    pairs = cKDTree(start).query_pairs(2 * float(length.max()), output_type="ndarray")
    one, other = np.where(length[pairs[:, :1]] > length[pairs[:, 1:]], pairs, pairs[:, ::-1]).T
    apart = np.maximum(np.hypot(*(end[one] - start[other]).T), np.hypot(*(end[other] - start[one]).T))
    kept = np.ones(len(start), np.bool_)
    kept[one[apart < length[one]]] = False
    return kept


def _aim_at_sides(graph: Graph, pixel: PixelSize, bridge_m: float) -> _Aims:
    """The nearest point ahead of each dead end that finds one on another edge."""
    ends, lead = graph.dead_ends(graph.at_edge), graph.lead_points(LEAD_PX)
    own = graph.edge_of_points()
    points = graph.xy * pixel.xy
    # Beside a junction the width at a point may be that of the side road, seen lengthwise.
    typical = WIDEST * graph.median_widths()
    half_m = np.minimum(np.nan_to_num(graph.width), typical[own]) / 2 * pixel.gsd_m
    tree = cKDTree(points, balanced_tree=False, compact_nodes=False)  # quickly built, and rarely asked
    tips, targets = [], []
    for edge, side, node in zip(ends.edge.tolist(), ends.side.tolist(), ends.node.tolist(), strict=True):
        tip = graph.node_xy[node] * pixel.xy
        ahead = tip - lead[edge, side] * pixel.xy
        near = np.array(sorted(tree.query_ball_point(tip, bridge_m + float(half_m.max()))), dtype=np.int64)
        near = near[own[near] != edge]
        gap = points[near] - tip
        length = np.hypot(gap[:, 0], gap[:, 1])
        good = (length <= bridge_m + half_m[near]) & (gap @ ahead >= SIDE_COS * length * np.hypot(*ahead))
        if good.any():
            tips.append(node)
            targets.append(int(near[good][np.argmin(length[good])]))
    return _Aims(np.array(tips, dtype=np.int64), np.array(targets, dtype=np.int64))


def _join_straight(graph: Graph, levels_at: LevelsAt, pairs: NDArray[np.int64]) -> Graph:
    """The graph with a straight edge between the nodes of each pair, (K, 2), and the raster's p along it."""
    lines, levels = [], [np.empty(0, np.uint8)]
    for start, end in graph.node_xy[pairs]:
        # A point a pixel, as on the paths that it joins.
        steps = max(1, int(np.ceil(np.hypot(*(end - start)))))
        line = start + np.linspace(0, 1, steps + 1)[:, None] * (end - start)
        line[-1] = end
        lines.append(line)
        levels.append(levels_at(line))
    return join_along(graph, pairs, lines, np.concatenate(levels))


def join_along(
    graph: Graph, pairs: NDArray[np.int64], lines: list[Points], level: NDArray[np.uint8]
) -> Graph:
    """The graph with a bridge between the nodes of each pair, and dissolved.

    Args:
        graph: any graph.
        pairs: (K, 2) int64 rows of nodes.
        lines: for each pair the (n, 2) float64 points from one node to the other.
        level: (P,) uint8, round(254 p) at the points of all lines.
    """
    if lines:
        xy, offsets = np.concatenate(lines), offsets_of([len(line) for line in lines])
        lengths = np.array([np.hypot(*np.diff(line, axis=0).T).sum() for line in lines])
        added = Paths(edge_nodes=pairs, offsets=offsets, xy=xy, level=level, bridged_px=lengths)
        graph = graph.with_edges(added)
    return dissolve(graph)


def open_gaps(graph: Graph, edges: NDArray[np.bool_]) -> Graph:
    """The graph with some edges, (E,) bool, divided where gaps were closed in them, and without those gaps.

    Where there is none, or all of an edge is, the graph is as before; else it has new nodes.
    """
    edge, unseen = graph.edge_of_points(), np.isnan(graph.width)
    turns = (edge[1:] == edge[:-1]) & (unseen[1:] != unseen[:-1]) & edges[edge[1:]]
    rows = np.flatnonzero(turns)
    # Cut at the last point that was seen before the gap, and at the first one behind it.
    divided, _ = divide(graph, np.unique(rows + unseen[rows]))
    # Near an edge's end nothing is cut: the little that was seen there goes with the gap.
    seen = np.add.reduceat(~np.isnan(divided.width), divided.offsets[:-1], dtype=np.int64)
    is_gap = 2 * seen < np.diff(divided.offsets)
    is_new = (divided.edge_nodes >= graph.n_nodes).any(axis=1)
    gone = is_gap & is_new
    return dissolve(divided.keep_edges(~gone)) if gone.any() else graph


def disjoint(edge_nodes: NDArray[np.int64], candidates: NDArray[np.int64]) -> NDArray[np.int64]:
    """Edges, of which no two share a node.

    Args:
        edge_nodes: (E, 2) int64.
        candidates: (K,) int64 rows of edges, the best first.

    Returns:
        Candidates, in their order, that share no node with one chosen earlier.
    """
    taken: set[int] = set()
    chosen = []
    for edge in candidates.tolist():
        pair = set(edge_nodes[edge].tolist())
        if not pair & taken:
            chosen.append(edge)
            taken |= pair
    return np.array(chosen, dtype=np.int64)
