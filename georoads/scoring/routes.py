"""Lengths of shortest routes between places on a road graph.

Strategy. Dijkstra runs between nodes only; a route to a place on an edge comes over one end of the edge or
the other, or stays on the edge. So the graph is never cut at the places, and memory is bounded by sources
times nodes, which are worked off in chunks.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from georoads.scoring.places import Places
from georoads.scoring.road_graph import Indices, RoadGraph

Metres = NDArray[np.float64]

_CELLS = 8_000_000
"""Sources times nodes that are held at once: 64 MB."""
_AT_ONCE = 64


class Routes:
    """Shortest routes on a graph."""

    def __init__(self, graph: RoadGraph) -> None:
        self.graph = graph

    @cached_property
    def _shortest_edges(self) -> tuple[Indices, Indices, Metres]:
        """From, to and metres in both directions, sorted; of parallel edges the shortest, no loops."""
        u, v = self.graph.edge_nodes.T
        start, end = np.concatenate((u, v)), np.concatenate((v, u))
        metres = np.tile(self.graph.length_m, 2)
        order = np.lexsort((metres, end, start))
        start, end, metres = start[order], end[order], metres[order]
        new = np.ones(len(start), dtype=bool)
        new[1:] = (start[1:] != start[:-1]) | (end[1:] != end[:-1])
        keep = new & (start != end)
        return start[keep], end[keep], metres[keep]

    def to_nodes(self, sources: Places, limit_m: float = np.inf) -> Metres:
        """(S, N) float64 metres from each source to each node; inf where no route is, or beyond the limit."""
        u, v, metres = self._shortest_edges
        n, s = len(self.graph.node_xy), len(sources)
        # Each source is a node of its own, from which one can only leave: to both ends of its edge.
        ends = self.graph.edge_nodes[sources.edge]
        to_first = sources.along_m
        to_last = np.maximum(self.graph.length_m[sources.edge] - sources.along_m, 0.0)
        loop = ends[:, 0] == ends[:, 1]
        to_first = np.where(loop, np.minimum(to_first, to_last), to_first)
        leaving = n + np.arange(s)
        row = np.concatenate((u, leaving, leaving[~loop]))
        column = np.concatenate((v, ends[:, 0], ends[~loop, 1]))
        weight = np.concatenate((metres, to_first, to_last[~loop]))
        order = np.argsort(row, kind="stable")
        starts = np.concatenate(([0], np.cumsum(np.bincount(row, minlength=n + s))))
        # Built from its parts: a place on a node has edges of no length, which other ways of building drop.
        matrix = csr_matrix((weight[order], column[order], starts), shape=(n + s, n + s))
        found = dijkstra(matrix, directed=True, indices=leaving, limit=limit_m)
        return np.asarray(found[:, :n], dtype=np.float64)

    def to_places(self, node_m: Metres, edge: int, along_m: float, places: Places) -> Metres:
        """(K,) float64 metres from a source to places; inf where no route is, or where there is no place.

        Args:
            node_m: (N,) metres from the source to the nodes.
            edge, along_m: where the source lies.
            places: where to.
        """
        ends = self.graph.edge_nodes[places.edge]
        back = self.graph.length_m[places.edge] - places.along_m
        metres = np.minimum(node_m[ends[:, 0]] + places.along_m, node_m[ends[:, 1]] + back)
        same = np.flatnonzero(places.edge == edge)
        metres[same] = np.minimum(metres[same], np.abs(places.along_m[same] - along_m))
        metres[places.edge < 0] = np.inf
        return metres


def chunks(count: int, *graphs: RoadGraph) -> Iterator[slice]:
    """Slices of ``count`` sources whose distances to the nodes of each graph fit into memory."""
    step = max(1, min(_AT_ONCE, _CELLS // max(1, *(len(graph.node_xy) for graph in graphs))))
    for begin in range(0, count, step):
        yield slice(begin, min(begin + step, count))
