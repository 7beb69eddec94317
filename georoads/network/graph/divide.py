"""Dividing: edges are cut at some of their points, so that others can meet them there."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from georoads.network.graph.graph import Graph
from georoads.ragged import offsets_of, rows_of


@dataclass(frozen=True)
class Divided:
    """A graph whose edges have been divided.

    Attributes:
        graph: with a node at each cut.
        node_of: by the cut's row of ``xy`` in the graph before, the row of its node.
    """

    graph: Graph
    node_of: dict[int, int]


@dataclass(frozen=True)
class _Piece:
    """A piece of an edge: its first and last point, and its from and to node, all as rows."""

    edge: int
    first: int
    last: int
    start: int
    stop: int


def divide(graph: Graph, cuts: NDArray[np.int64]) -> Divided:
    """Divide edges at some points.

    Args:
        graph: any graph.
        cuts: (K,) int64 ascending rows of ``xy``. A point within half the road's width of its edge's end is
            not cut: its node is that end.
    """
    edge_of = np.searchsorted(graph.offsets, cuts, side="right") - 1
    node_of: dict[int, int] = {}
    pieces: list[_Piece] = []
    new_points: list[int] = []
    for edge in np.unique(edge_of).tolist():
        first, last = int(graph.offsets[edge]), int(graph.offsets[edge + 1]) - 1
        start, stop = graph.edge_nodes[edge].tolist()
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
            marks = [(first, start), *((c, node_of[c]) for c in inner), (last, stop)]
            pieces += [_Piece(edge, a, b, m, n) for (a, m), (b, n) in pairwise(marks)]
    return Divided(_with_pieces(graph, pieces, np.array(new_points, dtype=np.int64)), node_of)


def _with_pieces(graph: Graph, pieces: list[_Piece], points: NDArray[np.int64]) -> Graph:
    """The edges that stay whole, the pieces of the others, and a new node at each of the given points."""
    if not pieces:
        return graph
    edge, first, last = (np.array([getattr(p, n) for p in pieces]) for n in ("edge", "first", "last"))
    sizes = last - first + 1
    whole = np.ones(graph.n_edges, np.bool_)
    whole[edge] = False
    nodes = np.array([(p.start, p.stop) for p in pieces], dtype=np.int64)
    added = graph.pieces(edge, nodes, rows_of(first, sizes), offsets_of(sizes))
    radius = np.nan_to_num(graph.width[points]) / 2
    return graph.with_nodes(graph.xy[points], radius).with_edges(added, keep=whole)
