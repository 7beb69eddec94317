"""Cleaning: the traced graph to the roads that are meant.

The steps, in the order in which ``clean`` takes them:

1. Prune spurs, in rounds: a dead end that is shorter than ``spur_m``, or than the road it leaves is wide.
2. Merge junctions that a short edge joins: a wide crossing is one place, but its skeleton forks twice.
3. Bridge the gap between two dead ends that face each other.
4. Drop networks that are too short in total.

After each step, nodes where only two edges meet are dissolved.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from georoads.network.attributes import widths
from georoads.network.graph import Graph, dissolve, drop_lone_nodes, keep_edges, lead_points

MERGE_RADII = 1.5
"""Junctions nearer than this many times the half width of their road are one crossing."""

STUB_RADII = 1.5
"""A line from a road's middle to the scene's edge alongside is no longer than this many half widths."""

BRIDGE_COS = float(np.cos(np.radians(25.0)))
"""Both dead ends must point at each other within this angle for the gap to be bridged."""

LEAD_PX = 12.0
"""A dead end's direction is taken over this length."""

Steps = tuple[float, float]
"""Metres of one column and one row."""


def clean(graph: Graph, steps: Steps, *, spur_m: float, bridge_m: float, min_length_m: float) -> Graph:
    """All cleaning steps; see the module.

    Args:
        graph: as traced.
        steps: metres of one column and one row.
        spur_m: dead ends shorter than this are pruned.
        bridge_m: gaps shorter than this are bridged where two dead ends face each other.
        min_length_m: connected networks of less total length are dropped.

    Returns:
        A graph without nodes of degree 2, but for those that carry a ring, and without lone nodes.
    """
    graph = dissolve(graph)
    graph = prune_spurs(graph, steps, spur_m)
    graph = merge_junctions(graph)
    graph = bridge_gaps(graph, steps, bridge_m)
    graph = drop_islands(graph, steps, min_length_m)
    return drop_lone_nodes(graph)


def prune_spurs(graph: Graph, steps: Steps, spur_m: float) -> Graph:
    """Drop short dead ends that leave a junction; at each junction the shortest first.

    A dead end at the scene's edge goes on outside: it is kept, unless it only joins a road to the edge
    that the road runs along.
    """
    gsd = float(np.sqrt(steps[0] * steps[1]))
    while graph.n_edges:
        degree = graph.degree()
        length = graph.lengths(steps)
        dead = degree[graph.edge_nodes] == 1
        # The junction and the dead end of each edge; edges with two dead ends hang on nothing.
        root = np.where(dead[:, 0], graph.edge_nodes[:, 1], graph.edge_nodes[:, 0])
        tip = np.where(dead[:, 0], graph.edge_nodes[:, 0], graph.edge_nodes[:, 1])
        hangs = dead.any(axis=1) & (degree[root] >= 3)
        radius_m = graph.node_radius[root] * gsd
        spur = hangs & ~graph.anchored[tip] & (length < np.maximum(spur_m, 2 * radius_m))
        if not spur.any():
            # Only now: a fork in a corner beside the edge must lose its other branches first.
            spur = hangs & graph.anchored[tip] & (length < STUB_RADII * radius_m)
        if not spur.any():
            break
        rows = np.flatnonzero(spur)
        rows = rows[np.lexsort((rows, length[rows]))]
        _, first = np.unique(root[rows], return_index=True)
        keep = np.ones(graph.n_edges, np.bool_)
        keep[rows[first]] = False
        graph = dissolve(keep_edges(graph, keep))
    return graph


def merge_junctions(graph: Graph) -> Graph:
    """Make one node of two junctions that an edge shorter than the road's half width or so joins."""
    while graph.n_edges:
        degree = graph.degree()
        length = graph.lengths()
        a, b = graph.edge_nodes.T
        limit = MERGE_RADII * np.maximum(graph.node_radius[a], graph.node_radius[b])
        tiny_loop = graph.is_loop & (length < 2 * limit)
        short = np.flatnonzero((a != b) & (degree[a] >= 3) & (degree[b] >= 3) & (length < limit))
        if not len(short) and not tiny_loop.any():
            break
        chosen = _disjoint(graph.edge_nodes, short[np.lexsort((short, length[short]))])
        keep = ~tiny_loop
        keep[chosen] = False
        graph = dissolve(_contract(graph, chosen, keep))
    return graph


def _disjoint(edge_nodes: NDArray[np.int64], candidates: NDArray[np.int64]) -> NDArray[np.int64]:
    """Candidates, in their order, that share no node with an earlier chosen one."""
    taken: set[int] = set()
    chosen = []
    for edge in candidates.tolist():
        pair = set(edge_nodes[edge].tolist())
        if not pair & taken:
            chosen.append(edge)
            taken |= pair
    return np.array(chosen, dtype=np.int64)


def _contract(graph: Graph, edges: NDArray[np.int64], keep: NDArray[np.bool_]) -> Graph:
    """Both nodes of each given edge become the first one, half-way between; then keep the edges."""
    a, b = graph.edge_nodes[edges].reshape(-1, 2).T
    node_xy, radius = graph.node_xy.copy(), graph.node_radius.copy()
    node_xy[a] = (node_xy[a] + node_xy[b]) / 2
    radius[a] = np.maximum(radius[a], radius[b])
    row = np.arange(graph.n_nodes)
    row[b] = a
    moved = replace(graph, node_xy=node_xy, node_radius=radius, edge_nodes=row[graph.edge_nodes])
    return pin_ends(keep_edges(moved, keep))


def pin_ends(graph: Graph) -> Graph:
    """Put the first and last point of every edge where its nodes are."""
    xy = graph.xy.copy()
    xy[graph.offsets[:-1]] = graph.node_xy[graph.edge_nodes[:, 0]]
    xy[graph.offsets[1:] - 1] = graph.node_xy[graph.edge_nodes[:, 1]]
    return replace(graph, xy=xy)


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
    return dissolve(_add_bridges(graph, pairs[_disjoint(pairs, np.arange(len(pairs)))]))


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


def drop_islands(graph: Graph, steps: Steps, min_length_m: float) -> Graph:
    """Drop connected networks whose edges together are shorter than ``min_length_m``."""
    if not graph.n_edges:
        return graph
    a, b = graph.edge_nodes.T
    joined = coo_array((np.ones(graph.n_edges), (a, b)), shape=(graph.n_nodes, graph.n_nodes))
    _, part = connected_components(joined, directed=False)
    total = np.bincount(part[a], graph.lengths(steps))
    return keep_edges(graph, total[part[a]] >= min_length_m)
