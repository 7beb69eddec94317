"""From lines to a graph of nodes and edges in a metric plane.

Lines are joined where they share a vertex, at their ends or on the way, and nowhere else: lines that cross
without a common vertex pass over each other, as a bridge does. That is how OpenStreetMap and the graphs of
the authors of APLS mean it.

Strategy. All lines are cut at all their vertices. Straight pieces between the same two vertices are one, so
a line that was drawn twice counts once. A node is a vertex where another number of pieces than two meets, and
an edge is the chain of pieces between two nodes. So neither the number of vertices of a line, nor its
direction, nor how a road is divided into lines changes the graph.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import shapely
from numpy.typing import NDArray

from georoads.grid import Points
from georoads.output.read import RoadLines
from georoads.ragged import offsets_of, owners, ranks, rows_of
from georoads.scoring.segments import Segments, longest_segments, project_points

CELL_M = 0.01
"""Vertices that are equal when rounded to this are the same."""

_RING_AXIS = np.array([0.8507, 0.5257])
"""A ring without a junction gets its node where it reaches furthest against this axis. Few roads run
across it, so that the place is clear whatever the CRS."""

Indices = NDArray[np.int64]


@dataclass(frozen=True)
class RoadGraph:
    """Nodes and edges of a road layer in a metric plane.

    Attributes:
        node_xy: (N, 2) float64 metres.
        degree: (N,) int64, edge ends that meet at each node; a loop counts twice.
        edge_nodes: (E, 2) int64, the nodes at the first and the last point of each edge.
        points: (P, 2) float64 metres, the points of all edges, one edge after the other.
        offsets: (E + 1,) int64; edge e has the points offsets[e] to offsets[e + 1].
        drawn: (P - E,) int64, how often each straight piece was drawn in the layer.
    """

    node_xy: Points
    degree: Indices
    edge_nodes: Indices
    points: Points
    offsets: Indices
    drawn: Indices

    @property
    def n_edges(self) -> int:
        """Number of edges."""
        return len(self.edge_nodes)

    @cached_property
    def pieces(self) -> Segments:
        """The (P - E) straight pieces of the edges; ``line`` is the edge."""
        edge = owners(self.offsets)
        first = np.flatnonzero(edge[1:] == edge[:-1])
        return Segments(self.points[first], self.points[first + 1], edge[first])

    @cached_property
    def reach_m(self) -> NDArray[np.float64]:
        """(P,) float64: metres from the start of its edge to each point."""
        # All edges end to end: nothing lies before the first point of each.
        first_piece = self.offsets[:-1] - np.arange(self.n_edges)
        total = np.cumsum(np.insert(self.pieces.length_m, first_piece, 0.0))
        return total - np.repeat(total[self.offsets[:-1]], np.diff(self.offsets))

    @cached_property
    def piece_from_m(self) -> NDArray[np.float64]:
        """(P - E,) float64: metres from the start of its edge to the start of each piece."""
        return np.delete(self.reach_m, self.offsets[1:] - 1)

    @cached_property
    def laid_m(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Where each edge (E + 1,) and each piece (P - E,) begins when all are laid end to end, in metres."""
        edges = np.concatenate(([0.0], np.cumsum(self.length_m)))
        return edges, edges[self.pieces.line] + self.piece_from_m

    @cached_property
    def length_m(self) -> NDArray[np.float64]:
        """(E,) float64, metres."""
        return self.reach_m[self.offsets[1:] - 1]

    @cached_property
    def _ends_at_nodes(self) -> tuple[Indices, Indices]:
        """Edges in the order of the nodes where they end; (N + 1,) where those of each node begin."""
        order = np.argsort(self.edge_nodes.ravel(), kind="stable")
        return order // 2, offsets_of(self.degree)

    def edges_at(self, nodes: Indices) -> Indices:
        """Edges that end at one of these nodes or more, in rising order."""
        edges, starts = self._ends_at_nodes
        return np.unique(edges[rows_of(starts[nodes], self.degree[nodes])])


@dataclass(frozen=True)
class _Vertices:
    """The distinct vertices of a layer, sorted by place, and the straight pieces between them.

    Attributes:
        source, xy: (V, 2) float64, the vertices in the layer's CRS and in metres of the plane.
        pairs: (Q, 2) int64, the vertices at the ends of each piece.
        drawn: (Q,) int64, how often each piece was drawn.
    """

    source: Points
    xy: Points
    pairs: Indices
    drawn: Indices


@dataclass(frozen=True)
class _Chains:
    """Chains of vertices, each of which becomes an edge, one after the other.

    Attributes:
        vertex: (C,) int64, the vertices of all chains.
        piece: (C,) int64, the piece that follows each; -1 at the end of a chain.
        offsets: (E + 1,) int64; chain e has the vertices offsets[e] to offsets[e + 1].
    """

    vertex: Indices
    piece: Indices
    offsets: Indices


def road_graph(layer: RoadLines, crs: str) -> RoadGraph:
    """The graph of a layer.

    Args:
        layer: the lines.
        crs: the metric plane of the graph, as from ``local_crs``.

    Raises:
        LayerError: the lines cannot be projected.

    Example:
        >>> road, street = [(0, 0), (50, 0), (90, 0)], [(50, 9), (50, 0)]
        >>> lines = np.array([shapely.LineString(road), shapely.LineString(street)])
        >>> graph = road_graph(RoadLines(lines, "EPSG:32633"), "EPSG:32633")
        >>> graph.n_edges, graph.degree.tolist(), graph.length_m.tolist()
        (3, [1, 3, 1, 1], [50.0, 9.0, 40.0])
    """
    vertices = _find_vertices(layer, crs)
    degree = np.bincount(vertices.pairs.ravel(), minlength=len(vertices.xy))
    chains = _trace_chains(vertices, degree)
    ends = np.column_stack((chains.vertex[chains.offsets[:-1]], chains.vertex[chains.offsets[1:] - 1]))
    nodes, edge_nodes = np.unique(ends, return_inverse=True)
    points, offsets, piece = _place_points(vertices, chains, layer, crs)
    return RoadGraph(
        node_xy=vertices.xy[nodes],
        degree=degree[nodes],
        edge_nodes=edge_nodes.reshape(-1, 2).astype(np.int64),
        points=points,
        offsets=offsets,
        drawn=vertices.drawn[piece],
    )


def _find_vertices(layer: RoadLines, crs: str) -> _Vertices:
    source, line = shapely.get_coordinates(layer.lines, return_index=True)
    xy = project_points(source, layer, crs)
    # Points of one cell are one vertex, that of the first one.
    cell = np.rint(xy / CELL_M).astype(np.int64)
    # One number for both: a plane around the scene reaches no further than half around the Earth, 31 bits.
    _, first, vertex = np.unique((cell[:, 0] << 32) + cell[:, 1], return_index=True, return_inverse=True)
    # Each step along a line is a piece, whichever way it leads; equal ones are one, and are counted.
    pairs = np.column_stack((vertex[:-1], vertex[1:]))
    pairs = np.sort(pairs[(line[1:] == line[:-1]) & (vertex[1:] != vertex[:-1])], axis=1)
    # One number for both again: whole rows are sorted many times slower.
    pair, drawn = np.unique(pairs[:, 0] * len(first) + pairs[:, 1], return_counts=True)
    pairs = np.column_stack(np.divmod(pair, max(len(first), 1)))
    return _Vertices(source[first], xy[first], pairs.astype(np.int64), drawn.astype(np.int64))


def _trace_chains(vertices: _Vertices, degree: Indices) -> _Chains:
    """Walk from every node along every piece to the next node; what is left are rings."""
    # Both ends of each piece, sorted by vertex: where it leads to, and which piece it is.
    a, b = vertices.pairs[:, 0], vertices.pairs[:, 1]
    ends = np.concatenate((a, b))
    order = np.argsort(ends, kind="stable")
    to = np.concatenate((b, a))[order].tolist()
    by = np.tile(np.arange(len(a)), 2)[order].tolist()
    first = offsets_of(degree).tolist()
    degrees = degree.tolist()
    used = [False] * len(a)
    vertex: list[int] = []
    piece: list[int] = []
    offsets = [0]

    def walk(start: int, half: int) -> None:
        vertex.append(start)
        while True:
            used[by[half]] = True
            here = to[half]
            piece.append(by[half])
            vertex.append(here)
            if degrees[here] != 2 or here == start:
                break
            # Of the two pieces at this vertex the one that we did not come by.
            half = first[here] + (by[first[here]] == by[half])
        piece.append(-1)
        offsets.append(len(vertex))

    for start in np.flatnonzero(degree != 2).tolist():
        for half in range(first[start], first[start + 1]):
            if not used[by[half]]:
                walk(start, half)
    # In this order, the first vertex of a ring that is met is the one where it gets its node.
    for start in np.argsort(vertices.xy @ _RING_AXIS, kind="stable").tolist():
        if degrees[start] == 2 and not used[by[first[start]]]:
            walk(start, first[start])
    return _Chains(*(np.array(values, dtype=np.int64) for values in (vertex, piece, offsets)))


def _place_points(
    vertices: _Vertices, chains: _Chains, layer: RoadLines, crs: str
) -> tuple[Points, Indices, Indices]:
    """Points and offsets of the edges, and the piece of each step.

    Pieces that are long get points on the way: what is straight in the layer's CRS is bent in the plane.
    """
    going = np.flatnonzero(chains.piece >= 0)
    start, end = chains.vertex[going], chains.vertex[going + 1]
    way = vertices.source[end] - vertices.source[start]
    latitude = np.abs(vertices.source[:, 1])
    longest = longest_segments(layer, np.minimum(latitude[start], latitude[end]))
    parts = np.ones(len(chains.vertex), dtype=np.int64)
    # The end of a chain stands for itself alone.
    parts[going] = np.maximum(np.ceil(np.hypot(way[:, 0], way[:, 1]) / longest), 1)
    # The chain's vertices, each followed by the points between it and the next one, which are projected anew.
    starts = offsets_of(parts)
    of = owners(starts)
    step = ranks(parts)
    points = vertices.xy[chains.vertex[of]]
    between = np.flatnonzero(step)
    if len(between):
        at = of[between]
        base = vertices.source[chains.vertex[at]]
        along = (step[between] / parts[at])[:, None]
        points[between] = project_points(
            base + along * (vertices.source[chains.vertex[at + 1]] - base), layer, crs
        )
    piece = chains.piece[of]
    return points, starts[chains.offsets], piece[piece >= 0]
