"""Roads that run beside each other, as one road that was drawn twice does.

Strategy. Nearly all pairs of straight pieces that are near each other follow each other along the road or
meet at a junction. They are ruled out first; what is left is divided into short pieces and looked at closely.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from georoads.grid import Points
from georoads.ragged import ranks
from georoads.scoring.buffered import are_parallel, limits_within, unite_intervals
from georoads.scoring.road_graph import Indices, RoadGraph
from georoads.scoring.segments import straight_lines

_CHUNK = 50_000
_SLACK = 1e-6
"""More than rounding can do: so much wider is the search for pairs, of which some are ruled out later."""
_AWAY_FACTOR = 4.0
"""Roads that leave a node within 15° of each other are one road width apart after 4 widths: nearer to a node
that they share they are no doubled road but a fork."""


def doubled_m(graph: RoadGraph, distance_m: float, parallel_deg: float) -> float:
    """Metres of road that run close beside another road of the graph.

    Both roads count. Not counted is what lies nearer than 4 times the distance to a node that both share. A
    road also doubles itself, where it comes back after at least that way. Pieces that were drawn n times
    count n times.

    Args:
        graph: the network.
        distance_m: how close is doubled.
        parallel_deg: the directions differ by so many degrees at most.
    """
    away = _AWAY_FACTOR * distance_m
    total = 0.0
    for begin in range(0, len(graph.pieces), _CHUNK):
        own, near = _find_pairs_beside(graph, slice(begin, begin + _CHUNK), distance_m, parallel_deg)
        drawn_again = begin + np.flatnonzero(graph.drawn[begin : begin + _CHUNK] > 1)
        pieces = _divide_pieces(graph, away, np.union1d(own, drawn_again))
        others = _divide_pieces(graph, away, np.unique(near))
        length = pieces.end_m - pieces.start_m
        shares = _doubled_shares(graph, pieces, others, distance_m, parallel_deg)
        shares = np.where(pieces.drawn > 1, 1.0, shares)
        total += float((shares * length * pieces.drawn).sum())
    return total


def _find_pairs_beside(
    graph: RoadGraph, part: slice, distance_m: float, parallel_deg: float
) -> tuple[Indices, Indices]:
    """Pairs of straight pieces, the first one of a part, that may double each other; most have no partner.

    Pieces that lead away from a common vertex, at a right angle or more, are left out: what lies 4 times
    the distance from that vertex, or from each other along the road, is that far apart on the ground, too.
    """
    pieces = graph.pieces
    own, near = pieces.tree.query(
        straight_lines(pieces.start[part], pieces.end[part]),
        predicate="dwithin",
        distance=distance_m + _SLACK,
    )
    own = own + part.start
    own, near = own[own != near], near[own != near]
    # Nearly parallel pieces stay.
    way, other_way = pieces.end[own] - pieces.start[own], pieces.end[near] - pieces.start[near]
    parallel = are_parallel(way, other_way, parallel_deg)
    own, near, along = own[parallel], near[parallel], (way * other_way).sum(axis=1)[parallel]
    # Those with a common vertex, whichever of their ends it is, go where they lead away from each other.
    away = np.zeros(len(own), dtype=bool)
    for end, sign in ((pieces.start, 1), (pieces.end, -1)):
        for other_end, other_sign in ((pieces.start, 1), (pieces.end, -1)):
            away |= (end[own] == other_end[near]).all(axis=1) & (sign * other_sign * along <= 0)
    return own[~away], near[~away]


def _doubled_shares(
    graph: RoadGraph, pieces: _ShortPieces, others: _ShortPieces, distance_m: float, parallel_deg: float
) -> NDArray[np.float64]:
    """(N,) float64 in 0..1: the share of each piece that runs beside one of the others."""
    away = _AWAY_FACTOR * distance_m
    length, other_length = pieces.end_m - pieces.start_m, others.end_m - others.start_m
    tree = shapely.STRtree(straight_lines(others.start, others.end))
    own, near = tree.query(straight_lines(pieces.start, pieces.end), predicate="dwithin", distance=distance_m)
    way, other_way = pieces.end[own] - pieces.start[own], others.end[near] - others.start[near]
    # How far the pieces of a pair lie from each other along the road, if it is one; on a loop either way.
    gap = np.maximum(others.start_m[near] - pieces.end_m[own], pieces.start_m[own] - others.end_m[near])
    gap = np.minimum(gap, _gap_around_loop(graph, pieces.edge[own], gap, length[own] + other_length[near]))
    # Pairs that are nearly parallel, and do not simply follow each other.
    kept = are_parallel(way, other_way, parallel_deg)
    kept &= (pieces.edge[own] != others.edge[near]) | (gap >= away)
    own, near, way = own[kept], near[kept], way[kept]
    # Where the first one of a pair is near the second, and far enough from the nodes that both share.
    low, high = limits_within(pieces.start[own], way, others.start[near], others.end[near], distance_m)
    least, most = _away_from_shared(graph, pieces.edge[own], others.edge[near], away)
    low = np.maximum(low, (least - pieces.start_m[own]) / length[own])
    high = np.minimum(high, (most - pieces.start_m[own]) / length[own])
    return unite_intervals(own, low, high).shares(len(length))


@dataclass(frozen=True)
class _ShortPieces:
    """Straight pieces: ends (N, 2), edge (N,), metres along the edge of both ends (N,), times drawn (N,)."""

    start: Points
    end: Points
    edge: Indices
    start_m: NDArray[np.float64]
    end_m: NDArray[np.float64]
    drawn: Indices


def _divide_pieces(graph: RoadGraph, longest_m: float, part: Indices) -> _ShortPieces:
    """Some straight pieces of the edges, divided into equal parts of at most ``longest_m``."""
    from_m, drawn = graph.piece_from_m[part], graph.drawn[part]
    start, edge = graph.pieces.start[part], graph.pieces.line[part]
    way = graph.pieces.end[part] - start
    length = np.hypot(way[:, 0], way[:, 1])
    parts = np.maximum(np.ceil(length / longest_m), 1).astype(np.int64)
    of, rank = np.repeat(np.arange(len(length)), parts), ranks(parts)
    low, high = rank / parts[of], (rank + 1) / parts[of]
    return _ShortPieces(
        start=start[of] + low[:, None] * way[of],
        end=start[of] + high[:, None] * way[of],
        edge=edge[of],
        start_m=from_m[of] + low * length[of],
        end_m=from_m[of] + high * length[of],
        drawn=drawn[of],
    )


def _gap_around_loop(
    graph: RoadGraph, edge: Indices, gap: NDArray[np.float64], lengths: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Metres between two pieces of a loop the other way round; inf where the edge is no loop."""
    loop = graph.edge_nodes[edge, 0] == graph.edge_nodes[edge, 1]
    return np.where(loop, graph.length_m[edge] - gap - lengths, np.inf)


def _away_from_shared(
    graph: RoadGraph, edge: Indices, other: Indices, away_m: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Metres along each edge between which it is ``away_m`` or more from the nodes shared with the other."""
    ends, other_ends = graph.edge_nodes[edge], graph.edge_nodes[other]
    shared = (ends[:, :, None] == other_ends[:, None, :]).any(axis=2) & (edge != other)[:, None]
    least = np.where(shared[:, 0], away_m, -np.inf)
    most = np.where(shared[:, 1], graph.length_m[edge] - away_m, np.inf)
    return least, most
