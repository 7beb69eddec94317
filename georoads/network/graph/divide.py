"""Dividing: edges are cut at some of their points, so that others can meet them there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from georoads.network.graph.graph import Graph, Paths
from georoads.ragged import offsets_of, rows_of


def divide(graph: Graph, cuts: NDArray[np.int64]) -> tuple[Graph, NDArray[np.int64]]:
    """Divide edges at some points.

    Args:
        graph: any graph.
        cuts: (K,) int64 ascending rows of ``xy``. A point within half the road's width of its edge's end is
            not cut: its node is that end.

    Returns:
        The graph with the pieces behind the edges that stay whole, and (K,) int64, the node at each cut.
    """
    edge = np.searchsorted(graph.offsets, cuts, side="right") - 1
    before, behind = cuts - graph.offsets[edge], graph.offsets[edge + 1] - 1 - cuts
    reach = np.maximum(1.0, np.nan_to_num(graph.width[cuts]) / 2)
    inner = np.minimum(before, behind) > reach
    node = np.where(before <= behind, graph.edge_nodes[edge, 0], graph.edge_nodes[edge, 1])
    node[inner] = graph.n_nodes + np.arange(inner.sum())
    if not inner.any():
        return graph, node
    # Marks are the cuts and both ends of each edge that has some; pieces lie between marks of one edge.
    divided = np.unique(edge[inner])
    marks = np.concatenate((graph.offsets[divided], cuts[inner], graph.offsets[divided + 1] - 1))
    mark_nodes = np.concatenate((graph.edge_nodes[divided, 0], node[inner], graph.edge_nodes[divided, 1]))
    mark_edges = np.concatenate((divided, edge[inner], divided))
    order = np.argsort(marks)
    start, stop = order[:-1], order[1:]
    one_edge = mark_edges[start] == mark_edges[stop]
    start, stop = start[one_edge], stop[one_edge]
    sizes = marks[stop] - marks[start] + 1
    nodes = np.column_stack((mark_nodes[start], mark_nodes[stop]))
    points = graph.at_points(rows_of(marks[start], sizes))
    pieces = Paths(edge_nodes=nodes, offsets=offsets_of(sizes), **points)
    pieces = replace(pieces, **graph.of_pieces(mark_edges[start], pieces))
    whole = np.ones(graph.n_edges, np.bool_)
    whole[divided] = False
    radius = np.nan_to_num(graph.width[cuts[inner]]) / 2
    return graph.with_nodes(graph.xy[cuts[inner]], radius).with_edges(pieces, keep=whole), node
