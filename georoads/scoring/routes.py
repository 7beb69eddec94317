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

from georoads.ragged import offsets_of
from georoads.scoring.places import Places
from georoads.scoring.road_graph import Indices, RoadGraph

Metres = NDArray[np.float64]
"""float64 lengths in metres."""

_CELLS = 8_000_000
"""Sources times nodes that are held at once: 64 MB."""
_AT_ONCE = 64
"""Sources that are followed together at most."""


class Routes:
    """Shortest routes on a graph."""

    def __init__(self, graph: RoadGraph) -> None:
        self.graph = graph

    @cached_property
    def _shortest_edges(self) -> tuple[Metres, NDArray[np.int32], NDArray[np.int32]]:
        """Between nodes, both ways, as parts of a CSR matrix; of parallel edges the shortest, no loops."""
        # Each edge once in each direction, sorted by its nodes, the shortest of parallel ones first.
        u, v = self.graph.edge_nodes.T
        start, end = np.concatenate((u, v)), np.concatenate((v, u))
        metres = np.tile(self.graph.length_m, 2)
        order = np.lexsort((metres, end, start))
        start, end, metres = start[order], end[order], metres[order]
        # The first of each pair of nodes stays, unless it leads back to where it began.
        new = np.ones(len(start), dtype=bool)
        new[1:] = (start[1:] != start[:-1]) | (end[1:] != end[:-1])
        keep = new & (start != end)
        starts = offsets_of(np.bincount(start[keep], minlength=len(self.graph.node_xy)))
        return metres[keep], end[keep].astype(np.int32), starts.astype(np.int32)

    def lengths_to_nodes(self, sources: Places, limit_m: float = np.inf) -> Metres:
        """(S, N) float64 metres from each source to each node; inf where no route is, or beyond the limit."""
        metres, column, starts = self._shortest_edges
        n, s = len(self.graph.node_xy), len(sources)
        # Each source is a node of its own, from which one can only leave: to both ends of its edge.
        ends = self.graph.edge_nodes[sources.edge].astype(np.int32)
        to_first = sources.along_m
        to_last = np.maximum(self.graph.length_m[sources.edge] - sources.along_m, 0.0)
        loop = ends[:, 0] == ends[:, 1]
        to_first = np.where(loop, np.minimum(to_first, to_last), to_first)
        ways = np.column_stack((np.ones_like(loop), ~loop))
        metres = np.concatenate((metres, np.column_stack((to_first, to_last))[ways]))
        column = np.concatenate((column, ends[ways]))
        starts = np.concatenate((starts, starts[-1] + np.cumsum(ways.sum(axis=1), dtype=np.int32)))
        # Built from its parts: a place on a node has edges of no length, which other ways of building drop.
        matrix = csr_matrix((metres, column, starts), shape=(n + s, n + s))
        found = dijkstra(matrix, directed=True, indices=n + np.arange(s), limit=limit_m)
        return np.asarray(found[:, :n], dtype=np.float64)


class Destinations:
    """Places that routes from many sources lead to; what they have in common is looked up once."""

    def __init__(self, graph: RoadGraph, places: Places) -> None:
        self._graph, self._places = graph, places

    @cached_property
    def _edge_ends(self) -> tuple[Indices, Indices, Metres]:
        """First and last node of each place's edge, and the metres to the last."""
        first, last = (np.ascontiguousarray(ends) for ends in self._graph.edge_nodes[self._places.edge].T)
        return first, last, self._graph.length_m[self._places.edge] - self._places.along_m

    def route_lengths(self, node_m: Metres, sources: Places, source: int) -> Metres:
        """(K,) float64 metres from a source to the places; inf where no route is, or where there is no place.

        Args:
            node_m: (N,) metres from the source to the nodes.
            sources: places on the same graph, among them one of edge -1 perhaps, from which no route leads.
            source: which of them is the source.
        """
        places = self._places
        if sources.edge[source] < 0:  # no place, no route
            return np.full(len(places), np.inf)
        first, last, back_m = self._edge_ends
        metres = np.minimum(node_m[first] + places.along_m, node_m[last] + back_m)
        # On the source's own edge the way may lead along it, over no node.
        same = np.flatnonzero(places.edge == sources.edge[source])
        metres[same] = np.minimum(metres[same], np.abs(places.along_m[same] - sources.along_m[source]))
        metres[places.edge < 0] = np.inf
        return np.asarray(metres, dtype=np.float64)


def chunks(count: int, *nodes: int) -> Iterator[slice]:
    """Slices of ``count`` sources whose distances to so many nodes of each graph fit into memory."""
    step = max(1, min(_AT_ONCE, _CELLS // max(1, *nodes)))
    for begin in range(0, count, step):
        yield slice(begin, min(begin + step, count))
