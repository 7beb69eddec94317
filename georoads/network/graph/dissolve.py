"""Dissolving: the edges that meet at a node where nothing else does are one edge."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from georoads.compiled import compiled
from georoads.network.graph.graph import Graph


def dissolve(graph: Graph) -> Graph:
    """Join the two edges that meet at a node of degree 2 into one; a node that carries only a ring stays."""
    through = graph.degree() == 2
    through[graph.edge_nodes[graph.is_loop].ravel()] = False
    if not through.any():
        return graph
    ends = _edges_at_nodes(graph.edge_nodes, graph.n_nodes)
    edges, flips, chains = _chain_edges(graph.edge_nodes, through, ends)
    points, offsets = _chain_points(graph.offsets, edges, flips, chains)
    first, last = chains[:-1], chains[1:] - 1
    side = flips.astype(np.int64)
    edge_nodes = np.column_stack(
        (graph.edge_nodes[edges[first], side[first]], graph.edge_nodes[edges[last], 1 - side[last]])
    )
    joined = graph.of_joined(edges, first)
    return replace(graph.with_points(points, offsets), edge_nodes=edge_nodes, **joined)


def _edges_at_nodes(edge_nodes: NDArray[np.int64], n_nodes: int) -> NDArray[np.int64]:
    """(N, 2) int64: the first and the last edge at each node; all of them where the degree is 2."""
    ends = np.full((n_nodes, 2), -1)
    node, edge = edge_nodes.ravel(), np.repeat(np.arange(len(edge_nodes)), 2)
    # Of several edges at a node the last one that is written stays.
    ends[node[::-1], 0] = edge[::-1]
    ends[node, 1] = edge
    return ends


@compiled
def _chain_edges(
    edge_nodes: NDArray[np.int64], through: NDArray[np.bool_], ends: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.int64]]:
    """Edges in the order in which they are joined, which of them are reversed, and where chains begin."""
    n = len(edge_nodes)
    edges = np.empty(n, np.int64)
    flips = np.empty(n, np.bool_)
    starts = np.empty(n + 1, np.int64)
    used = np.zeros(n, np.bool_)
    count, chains = 0, 0
    for seed in range(n):
        if used[seed]:
            continue
        # Back to where the chain begins, or once around.
        edge, side = seed, 0
        while through[edge_nodes[edge, side]]:
            node = edge_nodes[edge, side]
            edge = ends[node, 0] if ends[node, 1] == edge else ends[node, 1]
            side = 1 if edge_nodes[edge, 0] == node else 0
            if edge == seed:
                break
        # Forward to where it ends; an edge that is left by its first point is reversed.
        starts[chains] = count
        chains += 1
        while not used[edge]:
            used[edge] = True
            edges[count] = edge
            flips[count] = side == 1
            count += 1
            node = edge_nodes[edge, 1 - side]
            if not through[node]:
                break
            edge = ends[node, 0] if ends[node, 1] == edge else ends[node, 1]
            side = 0 if edge_nodes[edge, 0] == node else 1
    starts[chains] = count
    return edges, flips, starts[: chains + 1]


@compiled
def _chain_points(
    offsets: NDArray[np.int64], edges: NDArray[np.int64], flips: NDArray[np.bool_], chains: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which points the joined edges take, in order, and their offsets. Shared points are taken once."""
    take = np.empty(offsets[-1], np.int64)
    joined = np.zeros(len(chains), np.int64)
    count = 0
    for chain in range(len(chains) - 1):
        for k in range(chains[chain], chains[chain + 1]):
            first, last = offsets[edges[k]], offsets[edges[k] + 1] - 1
            # The first point of all but the first edge is the last one of the edge before.
            for i in range(1 if k > chains[chain] else 0, last - first + 1):
                take[count] = last - i if flips[k] else first + i
                count += 1
        joined[chain + 1] = count
    return take[:count], joined
