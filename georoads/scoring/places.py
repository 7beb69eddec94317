"""Places on the edges of a road graph, and the way from one graph's places to another's."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from georoads.grid import Points
from georoads.ragged import ranks
from georoads.scoring.road_graph import Indices, RoadGraph

_CHUNK = 50_000
"""Places that are snapped at once: bounds memory."""
_SAME_M = 1e-6
"""Edges whose distances differ by less are equally near."""


@dataclass(frozen=True)
class Places:
    """Places on edges.

    Attributes:
        edge: (N,) int64; -1: no place.
        along_m: (N,) float64, metres from the start of the edge.
    """

    edge: Indices
    along_m: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.edge)

    def __getitem__(self, chosen: slice | NDArray[np.generic]) -> Places:
        return Places(self.edge[chosen], self.along_m[chosen])


def places_at_nodes(graph: RoadGraph) -> Places:
    """The nodes, in their order, each as the end of an edge."""
    nodes, where = np.unique(graph.edge_nodes.ravel(), return_index=True)
    edge, end = where // 2, where % 2
    assert len(nodes) == len(graph.node_xy)
    return Places(edge, np.where(end == 1, graph.length_m[edge], 0.0))


def divide_edges(graph: RoadGraph, parts: Indices, *, middles: bool) -> Places:
    """Places that divide each edge into equal parts, which do not depend on the end it was drawn from.

    Args:
        graph: the network.
        parts: (E,) int64, into how many parts each edge is divided.
        middles: True for the middles of the parts instead of the places between them.
    """
    count = np.maximum(parts, 0) if middles else np.maximum(parts - 1, 0)
    edge = np.repeat(np.arange(graph.n_edges), count)
    share = (ranks(count) + (0.5 if middles else 1.0)) / parts[edge]
    return Places(edge, share * graph.length_m[edge])


def piece_at(graph: RoadGraph, places: Places) -> Indices:
    """(N,) int64: the straight piece of the graph on which each place lies."""
    # Laid end to end, all pieces lie one after the other on one axis, where the place is looked up.
    edges, pieces = graph.laid_m
    found = np.searchsorted(pieces, edges[places.edge] + places.along_m, side="right") - 1
    first = graph.offsets[places.edge] - places.edge
    last = graph.offsets[places.edge + 1] - places.edge - 2
    return np.clip(found, first, last)


def locate(graph: RoadGraph, places: Places) -> Points:
    """(N, 2) float64 metres: where the places lie in the plane."""
    piece = piece_at(graph, places)
    start, end = graph.pieces.start[piece], graph.pieces.end[piece]
    share = (places.along_m - graph.piece_from_m[piece]) / graph.pieces.length_m[piece]
    return start + np.clip(share, 0.0, 1.0)[:, None] * (end - start)


def snap(graph: RoadGraph, places: Places, other: RoadGraph, distance_m: float) -> Places:
    """The nearest place on another graph for each place on this one.

    Of places that are equally near, as where roads cross on two levels or lie on each other, that on the
    most parallel edge is taken; of those, that whose edge has its ends closest to the ends of the place's own
    edge; of those, that which lies at the most similar share of its edge.

    Args:
        graph: that of the places.
        places: (N,) those to find partners for.
        other: the graph to look on.
        distance_m: how far a partner may lie.

    Returns:
        (N,) places on the other graph; of edge -1 where none is near enough.
    """
    edge = np.full(len(places), -1, dtype=np.int64)
    along = np.zeros(len(places))
    if not other.n_edges:
        return Places(edge, along)
    for begin in range(0, len(places), _CHUNK):
        part = places[begin : begin + _CHUNK]
        own, found = _find_nearest(graph, part, other, distance_m)
        edge[begin + own], along[begin + own] = found.edge, found.along_m
    return Places(edge, along)


def _find_nearest(
    graph: RoadGraph, places: Places, other: RoadGraph, distance_m: float
) -> tuple[Indices, Places]:
    """Index (K,) of the places that have a near one on the other graph, and those (K,)."""
    # All pieces of the other graph that are near enough, and the nearest point on each.
    xy = locate(graph, places)
    own, piece = other.pieces.tree.query(shapely.points(xy), predicate="dwithin", distance=distance_m)
    start = other.pieces.start[piece]
    way = other.pieces.end[piece] - start
    share = np.clip(((xy[own] - start) * way).sum(axis=1) / (way * way).sum(axis=1), 0.0, 1.0)
    gap = np.hypot(*(start + share[:, None] * way - xy[own]).T)
    # The nearest of each place, and those that are as near.
    nearest = np.full(len(places), np.inf)
    np.minimum.at(nearest, own, gap)
    near = np.flatnonzero(gap <= nearest[own] + _SAME_M)
    own, piece, gap = own[near], piece[near], gap[near]
    candidates = Places(
        other.pieces.line[piece], other.piece_from_m[piece] + share[near] * other.pieces.length_m[piece]
    )
    # How well they fit: the angle between the roads, the ends of the edges, the share of the edge.
    mine = piece_at(graph, places)[own]
    turn = _sine_of_angle(graph.pieces.end[mine] - graph.pieces.start[mine], way[near])
    apart, shift = _compare_edges(graph, places[own], other, candidates)
    # Rounded, so that noise in the last digits does not choose.
    order = np.lexsort((gap, np.round(shift, 6), np.round(apart, 2), np.round(turn, 3), own))
    first = order[np.unique(own[order], return_index=True)[1]]
    return own[first], candidates[first]


def _sine_of_angle(a: Points, b: Points) -> NDArray[np.float64]:
    """(N,) float64 in 0..1: the sine of the angle between the directions of vectors (N, 2)."""
    cross = np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0])
    return np.asarray(cross / (np.hypot(*a.T) * np.hypot(*b.T)), dtype=np.float64)


def _compare_edges(
    graph: RoadGraph, places: Places, other: RoadGraph, candidates: Places
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Metres between the ends of the edges of two places, and how far apart they lie as shares of the way.

    Edges are compared from the ends that fit better, whichever way they were drawn.
    """
    a, b = graph.node_xy[graph.edge_nodes[places.edge]], other.node_xy[other.edge_nodes[candidates.edge]]
    same = np.hypot(*np.moveaxis(a - b, -1, 0)).sum(axis=1)
    crossed = np.hypot(*np.moveaxis(a - b[:, ::-1], -1, 0)).sum(axis=1)
    share = places.along_m / graph.length_m[places.edge]
    other_share = candidates.along_m / other.length_m[candidates.edge]
    shift = np.abs(share - np.where(crossed < same, 1 - other_share, other_share))
    return np.minimum(same, crossed), shift
