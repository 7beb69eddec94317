"""Cleaning: the traced graph to the roads that are meant.

The steps, in the order in which ``clean`` takes them:

1. Prune spurs, in rounds: a dead end that is shorter than ``spur_m``, or than the road it leaves is wide.
2. Merge junctions that a short edge joins: a wide crossing is one place, but its skeleton forks twice; so is
   one of two straight roads aslant, though its forks lie farther apart. Again after the bridges.
3. Bridge the gap between two dead ends that face each other, then that between a dead end and the side of the
   road that it points at; then those over which a faint road leads. What is left of a dead end beyond the
   place where it was joined is a spur again.
4. Prune doubtful dead ends: those that are short for how little p lies above the threshold on them.
5. Drop networks that are too short in total.

After each step, nodes where only two edges meet are dissolved.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from georoads.network.graph.ahead import P_OF
from georoads.network.graph.along import levels_at
from georoads.network.graph.bridge import bridge_gaps, bridge_to_sides, disjoint, open_gaps
from georoads.network.graph.bridge_faint import FaintSearch, bridge_faint_gaps
from georoads.network.graph.courses import are_crossings, arms_of
from georoads.network.graph.dissolve import dissolve
from georoads.network.graph.graph import Graph
from georoads.network.params import VectorizeParams
from georoads.network.types import ParallelMap, PixelSize

MERGE_RADII = 1.5
"""Junctions nearer than this many times the half width of their road are one crossing."""

CROSS = 3.0
"""Two Ts that are a crossing by their arms may be this many times as far apart as other junctions."""

CORNER_RADII = 4.0
"""A branch into the corner between a road and the scene's edge is no longer than this many half widths."""

STUB_RADII = 1.5
"""A line from a road's middle to the scene's edge alongside is no longer than this many half widths."""


def clean(
    graph: Graph,
    pixel: PixelSize,
    params: VectorizeParams,
    search: FaintSearch,
    parallel_map: ParallelMap,
) -> Graph:
    """All cleaning steps; see the module.

    Args:
        graph: as traced.
        pixel: metres of a column and a row.
        params: the lengths.
        search: how dead ends are joined over faint road.
        parallel_map: looks over faint road from each dead end; several workers may.

    Returns:
        A graph without nodes of degree 2, but for those that carry a ring, and without lone nodes.
    """
    graph = dissolve(graph)
    graph = prune_spurs(graph, pixel, params.spur_m)
    graph = merge_junctions(graph)
    seen = partial(levels_at, search.read, search.shape)
    graph = bridge_gaps(graph, seen, pixel, params.bridge_m)
    graph = bridge_to_sides(graph, seen, pixel, params.bridge_m)
    graph = bridge_faint_gaps(graph, search, parallel_map)
    graph = prune_spurs(graph, pixel, params.spur_m)
    graph = prune_doubtful(graph, pixel, params.sure_m, params.road_p)
    graph = merge_junctions(graph)
    graph = drop_islands(graph, pixel, params.min_length_m)
    return graph.drop_lone_nodes()


def prune_spurs(graph: Graph, pixel: PixelSize, spur_m: float) -> Graph:
    """Drop short dead ends that leave a junction; at each junction the shortest first.

    A dead end at the scene's edge goes on outside: it is kept, unless it only joins a road to the edge
    that the road runs along.

    Args:
        graph: dissolved.
        pixel: metres of a column and a row.
        spur_m: dead ends shorter than this go; and those shorter than the road they leave is wide.
    """
    while graph.n_edges:
        degree = graph.degree()
        length = graph.lengths(pixel)
        dead = degree[graph.edge_nodes] == 1
        # The junction and the dead end of each edge; edges with two dead ends hang on nothing.
        root = np.where(dead[:, 0], graph.edge_nodes[:, 1], graph.edge_nodes[:, 0])
        tip = np.where(dead[:, 0], graph.edge_nodes[:, 0], graph.edge_nodes[:, 1])
        hangs = dead.any(axis=1) & (degree[root] >= 3)
        radius_m = graph.node_radius[root] * pixel.gsd_m
        # Where a road leaves aslant, its skeleton forks into the corner that it makes with the edge.
        widths = np.where(graph.at_edge[tip], CORNER_RADII, 2.0)
        spur = hangs & ~graph.anchored[tip] & (length < np.maximum(spur_m, widths * radius_m))
        if not spur.any():
            # Only now: a fork in a corner beside the edge must lose its other branches first.
            spur = hangs & graph.anchored[tip] & (length < STUB_RADII * radius_m)
        if not spur.any():
            break
        graph = _without_least(graph, spur, root, length)
    return graph


def prune_doubtful(graph: Graph, pixel: PixelSize, sure_m: float, road_p: float) -> Graph:
    """Drop dead ends that are short for how unsure they are; at each junction the least sure first.

    A metre counts as much as its p lies above the threshold, as a share of how much it could: a whole metre
    where p is 1, nothing at the threshold, and less than nothing where a gap was closed. A dead end that is
    doubtful with its gaps loses those first, and is judged again without. Lines with two dead ends are judged
    as well, but not what reaches the scene's edge: it may go on beyond.

    Args:
        graph: dissolved.
        pixel: metres of a column and a row.
        sure_m: dead ends whose metres add up to less go; 0 keeps all.
        road_p: the threshold.
    """
    if sure_m <= 0 or road_p >= 1:
        return graph
    while graph.n_edges:
        degree = graph.degree()
        sure = (P_OF[graph.level] - road_p) / (1 - road_p)
        metres = np.add.reduceat(sure, graph.offsets[:-1]) / np.diff(graph.offsets) * graph.lengths(pixel)
        dead = degree[graph.edge_nodes] == 1
        root = np.where(dead[:, 0], graph.edge_nodes[:, 1], graph.edge_nodes[:, 0])
        ends_inside = ~(dead & graph.at_edge[graph.edge_nodes]).any(axis=1)
        doubtful = dead.any(axis=1) & ends_inside & (metres < sure_m)
        if not doubtful.any():
            break
        opened = open_gaps(graph, doubtful)
        if opened.n_nodes > graph.n_nodes:
            graph = opened
            continue
        graph = _without_least(graph, doubtful, root, metres)
    return graph


def _without_least(
    graph: Graph, edges: NDArray[np.bool_], root: NDArray[np.int64], worth: NDArray[np.float64]
) -> Graph:
    """The graph without the least of some edges at each node: then the next may be part of a longer road.

    Args:
        graph: dissolved, as the result is.
        edges: (E,) bool, those that may go.
        root: (E,) int64, the node that each hangs on.
        worth: (E,) float64; the lowest goes, of equals the first.
    """
    rows = np.flatnonzero(edges)
    rows = rows[np.lexsort((rows, worth[rows]))]
    _, first = np.unique(root[rows], return_index=True)
    keep = np.ones(graph.n_edges, np.bool_)
    keep[rows[first]] = False
    return dissolve(graph.keep_edges(keep))


def merge_junctions(graph: Graph) -> Graph:
    """Make one node of two junctions that an edge shorter than the road's half width or so joins.

    Of two Ts that are a crossing of two straight roads by their arms the edge may be longer. The idea is that
    of osmnx's and neatnet's consolidation of junctions, with the roads' own widths for a radius.
    """
    while graph.n_edges:
        degree = graph.degree()
        length = graph.lengths()
        a, b = graph.edge_nodes.T
        limit = MERGE_RADII * np.maximum(graph.node_radius[a], graph.node_radius[b])
        tiny_loop = graph.is_loop & (length < 2 * limit)
        joins = (a != b) & (degree[a] >= 3) & (degree[b] >= 3)
        crossing = np.flatnonzero(joins & (degree[a] + degree[b] == 6) & (length < CROSS * limit))
        crossing = crossing[are_crossings(crossing, graph.edge_nodes, arms_of(graph), graph.median_widths())]
        short = np.union1d(np.flatnonzero(joins & (length < limit)), crossing)
        if not len(short) and not tiny_loop.any():
            break
        # The shortest first, and each junction once a round: the node that two become has a new place.
        chosen = disjoint(graph.edge_nodes, short[np.lexsort((short, length[short]))])
        keep = ~tiny_loop
        keep[chosen] = False
        graph = dissolve(_contract(graph, chosen, keep))
    return graph


def _contract(graph: Graph, edges: NDArray[np.int64], keep: NDArray[np.bool_]) -> Graph:
    """Both nodes of each given edge become the first one, half-way between; then keep the edges."""
    a, b = graph.edge_nodes[edges].reshape(-1, 2).T
    node_xy, radius = graph.node_xy.copy(), graph.node_radius.copy()
    node_xy[a] = (node_xy[a] + node_xy[b]) / 2
    radius[a] = np.maximum(radius[a], radius[b])
    row = np.arange(graph.n_nodes)
    row[b] = a
    moved = replace(graph, node_xy=node_xy, node_radius=radius, edge_nodes=row[graph.edge_nodes])
    return moved.keep_edges(keep).pin_ends()


def drop_islands(graph: Graph, pixel: PixelSize, min_length_m: float) -> Graph:
    """Drop connected networks that are short in total.

    Args:
        graph: any graph.
        pixel: metres of a column and a row.
        min_length_m: a network stays whose edges together are at least this long.
    """
    if not graph.n_edges:
        return graph
    # A network is a connected component of the nodes.
    a, b = graph.edge_nodes.T
    joined = coo_array((np.ones(graph.n_edges), (a, b)), shape=(graph.n_nodes, graph.n_nodes))
    _, part = connected_components(joined, directed=False)
    total = np.bincount(part[a], graph.lengths(pixel))
    return graph.keep_edges(total[part[a]] >= min_length_m)
