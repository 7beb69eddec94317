"""Bridging gaps: from dead end to dead end, and from a dead end to the side of a road.

A tree, a shadow or a faint stretch of road breaks the mask. Where a dead end points at another that points
back, or at the side of a road close ahead, the gap between them is taken for road.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from georoads.grid import Points
from georoads.network.graph.graph import Graph, dissolve, keep_edges, lead_points, line_lengths
from georoads.network.lines.attributes import widths

BRIDGE_COS = float(np.cos(np.radians(25.0)))
"""Both dead ends must point at each other within this angle for the gap to be bridged."""

LEAD_PX = 12.0
"""A dead end's direction is taken over this length."""

SIDE_COS = float(np.cos(np.radians(40.0)))
"""A dead end must point at the side that it is joined to within this angle."""

WIDEST = 1.5
"""A road is nowhere wider than this many times its median width."""

Steps = tuple[float, float]
"""Metres of one column and one row."""


def bridge_gaps(graph: Graph, steps: Steps, bridge_m: float) -> Graph:
    """Join dead ends that face each other over a short gap; each once, the shortest gaps first.

    The bridge is a straight edge of two points, without a width; its p is that of its ends.
    """
    if bridge_m <= 0 or not graph.n_edges:
        return graph
    degree = graph.degree()
    lead = lead_points(graph, LEAD_PX)
    sides = np.argwhere((degree[graph.edge_nodes] == 1) & ~graph.at_edge[graph.edge_nodes])
    node = graph.edge_nodes[sides[:, 0], sides[:, 1]]
    if len(node) < 2:
        return graph
    scale = np.array(steps)
    tip = graph.node_xy[node] * scale
    ahead = tip - lead[sides[:, 0], sides[:, 1]] * scale
    ahead /= np.maximum(np.hypot(ahead[:, 0], ahead[:, 1]), 1e-9)[:, None]
    pairs = cKDTree(tip).query_pairs(bridge_m, output_type="ndarray")
    # Two ends of one edge are not joined: that would close a ring that nobody saw.
    pairs = pairs[sides[pairs[:, 0], 0] != sides[pairs[:, 1], 0]]
    gap = tip[pairs[:, 1]] - tip[pairs[:, 0]]
    length = np.hypot(gap[:, 0], gap[:, 1])
    facing = np.minimum((gap * ahead[pairs[:, 0]]).sum(axis=1), -(gap * ahead[pairs[:, 1]]).sum(axis=1))
    # A gap that is short beside the road's width has no direction of its own: the roads' must agree.
    width_m = widths(graph.width, graph.offsets)[0][sides[:, 0]] * np.sqrt(steps[0] * steps[1])
    opposed = (ahead[pairs[:, 0]] * ahead[pairs[:, 1]]).sum(axis=1) <= -BRIDGE_COS
    good = (facing >= BRIDGE_COS * length) | (opposed & (length < width_m[pairs].min(axis=1)))
    pairs, length = np.sort(node[pairs[good]], axis=1), length[good]
    pairs = pairs[np.lexsort((pairs[:, 1], pairs[:, 0], length))]
    return dissolve(_add_bridges(graph, pairs[disjoint(pairs, np.arange(len(pairs)))]))


def join_sides(graph: Graph, steps: Steps, bridge_m: float) -> Graph:
    """Join dead ends to the side of the road that they point at.

    The gap is measured to the road's side, so to its middle half of its width is allowed beyond
    ``bridge_m``. The road is divided where the bridge meets it; a bridge that comes within a half width of
    a node joins the node.
    """
    if bridge_m <= 0 or not graph.n_edges:
        return graph
    tips, targets = _aimed(graph, steps, bridge_m)
    if not len(tips):
        return graph
    free = _uncrossed(graph, tips, targets)
    free &= _once(graph.node_xy[tips], graph.xy[targets])
    tips, targets = tips[free], targets[free]
    graph, node_of = divided(graph, np.unique(targets))
    pairs = np.column_stack((tips, np.array([node_of[int(t)] for t in targets], dtype=np.int64)))
    # Two dead ends may have chosen each other.
    pairs = np.unique(np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1), axis=0)
    return dissolve(_add_bridges(graph, pairs))


def _uncrossed(graph: Graph, tips: NDArray[np.int64], targets: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(K,) bool: the straight way from node to point crosses neither a line nor a shorter such way."""
    if not len(tips):
        return np.zeros(0, np.bool_)
    start, end = graph.node_xy[tips], graph.xy[targets]
    # The lines at both ends are touched there; only what lies between counts.
    inner = shapely.linestrings(np.stack((start + 0.1 * (end - start), start + 0.9 * (end - start)), axis=1))
    lines = shapely.linestrings(graph.xy, indices=np.repeat(np.arange(graph.n_edges), np.diff(graph.offsets)))
    free = np.ones(len(tips), np.bool_)
    free[shapely.STRtree(lines).query(inner, predicate="intersects")[0]] = False
    length = np.hypot(*(end - start).T)
    one, other = shapely.STRtree(inner).query(inner, predicate="crosses")
    for k in np.argsort(length[one], kind="stable").tolist():
        a, b = one[k], other[k]
        if (length[a], a) < (length[b], b) and free[a]:
            free[b] = False
    return free


def _once(start: Points, end: Points) -> NDArray[np.bool_]:
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


def _aimed(graph: Graph, steps: Steps, bridge_m: float) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Dead ends (rows of nodes), and the point (row of ``xy``) of another edge that each is joined to."""
    scale = np.array(steps)
    degree = graph.degree()
    lead = lead_points(graph, LEAD_PX)
    sides = np.argwhere((degree[graph.edge_nodes] == 1) & ~graph.at_edge[graph.edge_nodes])
    own = np.repeat(np.arange(graph.n_edges), np.diff(graph.offsets))
    points = graph.xy * scale
    # Beside a junction the width at a point may be that of the side road, seen lengthwise.
    typical = WIDEST * widths(graph.width, graph.offsets)[0]
    half_m = np.minimum(np.nan_to_num(graph.width), typical[own]) / 2 * float(np.sqrt(steps[0] * steps[1]))
    tree = cKDTree(points)
    tips, targets = [], []
    for edge, side in sides.tolist():
        node = int(graph.edge_nodes[edge, side])
        tip = graph.node_xy[node] * scale
        ahead = tip - lead[edge, side] * scale
        near = np.array(sorted(tree.query_ball_point(tip, bridge_m + float(half_m.max()))), dtype=np.int64)
        near = near[own[near] != edge]
        gap = points[near] - tip
        length = np.hypot(gap[:, 0], gap[:, 1])
        good = (length <= bridge_m + half_m[near]) & (gap @ ahead >= SIDE_COS * length * np.hypot(*ahead))
        if good.any():
            tips.append(node)
            targets.append(int(near[good][np.argmin(length[good])]))
    return np.array(tips, dtype=np.int64), np.array(targets, dtype=np.int64)


def divided(graph: Graph, cuts: NDArray[np.int64]) -> tuple[Graph, dict[int, int]]:
    """The graph with edges divided at these points (ascending rows of ``xy``), and the node at each point.

    A point within half the road's width of its edge's end is not cut: its node is that end.
    """
    edge_of = np.searchsorted(graph.offsets, cuts, side="right") - 1
    node_of: dict[int, int] = {}
    pieces: list[tuple[int, int, int, int]] = []  # first and last point, from and to node
    whole = np.ones(graph.n_edges, np.bool_)
    new_points: list[int] = []
    for edge in np.unique(edge_of).tolist():
        first, last = int(graph.offsets[edge]), int(graph.offsets[edge + 1]) - 1
        start, stop = (int(n) for n in graph.edge_nodes[edge])
        inner = []
        for cut in cuts[edge_of == edge].tolist():
            reach = max(1.0, float(np.nan_to_num(graph.width[cut])) / 2)
            if cut - first <= reach or last - cut <= reach:
                node_of[cut] = start if cut - first <= last - cut else stop
                continue
            node_of[cut] = graph.n_nodes + len(new_points)
            new_points.append(cut)
            inner.append(cut)
        if inner:
            whole[edge] = False
            marks = [(first, start), *((c, node_of[c]) for c in inner), (last, stop)]
            pieces += [(a, b, m, n) for (a, m), (b, n) in pairwise(marks)]
    return _with_pieces(graph, whole, pieces, np.array(new_points, dtype=np.int64)), node_of


def _with_pieces(
    graph: Graph, whole: NDArray[np.bool_], pieces: list[tuple[int, int, int, int]], points: NDArray[np.int64]
) -> Graph:
    """The edges that stay whole, the pieces of the others, and a new node at each of the given points."""
    if not pieces:
        return graph
    take = np.concatenate([np.arange(a, b + 1) for a, b, _, _ in pieces])
    sizes = np.array([b - a + 1 for a, b, _, _ in pieces])
    offsets = np.concatenate(([0], np.cumsum(sizes))).astype(np.int64)
    rest = keep_edges(graph, whole)
    # What was bridged of a divided edge are the stretches without a width.
    unseen = np.where(np.isnan(graph.width[take]), 1.0, 0.0)
    bridged = np.array(
        [
            line_lengths(graph.xy[a : b + 1], np.array([0, b - a + 1]))[0] * u.mean() if u.any() else 0.0
            for (a, b, _, _), u in zip(pieces, np.split(unseen, offsets[1:-1]), strict=True)
        ]
    )
    count = len(points)
    return replace(
        graph,
        node_xy=np.concatenate((graph.node_xy, graph.xy[points])),
        node_radius=np.concatenate((graph.node_radius, np.nan_to_num(graph.width[points]) / 2)),
        anchored=np.concatenate((graph.anchored, np.zeros(count, np.bool_))),
        at_edge=np.concatenate((graph.at_edge, np.zeros(count, np.bool_))),
        edge_nodes=np.concatenate((rest.edge_nodes, np.array([p[2:] for p in pieces], dtype=np.int64))),
        offsets=np.concatenate((rest.offsets, rest.offsets[-1] + offsets[1:])),
        xy=np.concatenate((rest.xy, graph.xy[take])),
        width=np.concatenate((rest.width, graph.width[take])),
        level=np.concatenate((rest.level, graph.level[take])),
        bridged_px=np.concatenate((rest.bridged_px, bridged)),
    )


def _add_bridges(graph: Graph, pairs: NDArray[np.int64]) -> Graph:
    """The graph with a straight edge between the nodes of each pair."""
    if not len(pairs):
        return graph
    xy = graph.node_xy[pairs]
    # An end's p: that of the one edge point that lies there.
    at_node = np.zeros(graph.n_nodes, np.uint8)
    at_node[graph.edge_nodes[:, 0]] = graph.level[graph.offsets[:-1]]
    at_node[graph.edge_nodes[:, 1]] = graph.level[graph.offsets[1:] - 1]
    return replace(
        graph,
        edge_nodes=np.concatenate((graph.edge_nodes, pairs)),
        offsets=np.concatenate((graph.offsets, graph.offsets[-1] + 2 * np.arange(1, len(pairs) + 1))),
        xy=np.concatenate((graph.xy, xy.reshape(-1, 2))),
        width=np.concatenate((graph.width, np.full(2 * len(pairs), np.nan))),
        level=np.concatenate((graph.level, at_node[pairs].ravel())),
        bridged_px=np.concatenate((graph.bridged_px, np.hypot(*(xy[:, 1] - xy[:, 0]).T))),
    )


def disjoint(edge_nodes: NDArray[np.int64], candidates: NDArray[np.int64]) -> NDArray[np.int64]:
    """Candidates, in their order, that share no node with an earlier chosen one."""
    taken: set[int] = set()
    chosen = []
    for edge in candidates.tolist():
        pair = set(edge_nodes[edge].tolist())
        if not pair & taken:
            chosen.append(edge)
            taken |= pair
    return np.array(chosen, dtype=np.int64)
