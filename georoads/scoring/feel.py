"""What a user of the proposal feels: how tidy its lines are, per kilometre of line.

These numbers need no reference, but for the lateral jitter. Lower is better, except for vertices per
kilometre, which only says how heavy the lines are. They say what the scores of routes and buffers cannot: how
much work it is to clean the layer up by hand.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from georoads.grid import Points
from georoads.output.read import RoadLines
from georoads.scoring.buffered import straight, united, within
from georoads.scoring.params import ScoreParams
from georoads.scoring.road_graph import Indices, RoadGraph
from georoads.scoring.segments import Segments, longest, projected

_CHUNK = 50_000
_AWAY = 4.0
"""Roads that leave a node within 15° of each other are one road width apart after 4 widths: nearer to a node
that they share they are no doubled road but a fork."""
_SAMPLE_M = 2.0
"""Lateral distances are measured at the middles of parts of this length."""


@dataclass(frozen=True)
class Feel:
    """Numbers of a proposal, each per kilometre of its lines; 0 where it has none.

    Attributes:
        vertices_per_km: points of the lines, as they were drawn.
        dangles_per_km: dead ends that do not lie at the layer's bound.
        spurs_per_km: edges shorter than ``spur_m`` that end in a dangle.
        doubled_m_per_km: metres that run beside another road of the layer, or were drawn twice.
        sharp_bends_per_km: points between nodes where the road turns by more than ``bend_deg``.
        jitter_m: root mean square of the distance to the reference, where it is within the buffer; None
            where nothing is.
    """

    vertices_per_km: float
    dangles_per_km: float
    spurs_per_km: float
    doubled_m_per_km: float
    sharp_bends_per_km: float
    jitter_m: float | None


def feel(layer: RoadLines, crs: str, graph: RoadGraph, reference: Segments, params: ScoreParams) -> Feel:
    """Measure a proposal.

    Args:
        layer: the proposal as it was drawn.
        crs: the plane of ``graph`` and ``reference``.
        graph: of the proposal.
        reference: the lines to measure the jitter against.
        params: the settings.

    Raises:
        LayerError: the layer's bound cannot be projected.
    """
    km = float((graph.pieces.length_m * graph.drawn).sum()) / 1000
    if not km:
        return Feel(0.0, 0.0, 0.0, 0.0, 0.0, None)
    real = layer.lines[shapely.length(layer.lines) > 0]
    dangle = dangles(graph, layer, crs, params.bound_m)
    spur = (graph.length_m < params.spur_m) & dangle[graph.edge_nodes].any(axis=1)
    return Feel(
        vertices_per_km=int(shapely.get_num_points(real).sum()) / km,
        dangles_per_km=int(dangle.sum()) / km,
        spurs_per_km=int(spur.sum()) / km,
        doubled_m_per_km=doubled_m(graph, params.doubled_m, params.doubled_deg) / km,
        sharp_bends_per_km=sharp_bends(graph, params.bend_deg) / km,
        jitter_m=jitter_m(graph, reference, params.buffer_m),
    )


def dangles(graph: RoadGraph, layer: RoadLines, crs: str, bound_m: float) -> NDArray[np.bool_]:
    """(N,) bool: nodes of degree 1 further than ``bound_m`` from the layer's bounding box in its own CRS.

    Scenes are cut along their own axes, so a road that was cut there ends on that box.
    """
    box = shapely.segmentize(shapely.box(*shapely.total_bounds(layer.lines)).exterior, longest(layer))
    bound = shapely.linestrings(projected(shapely.get_coordinates(box), layer, crs))
    inside = shapely.distance(shapely.points(graph.node_xy), bound) > bound_m
    return np.asarray((graph.degree == 1) & inside, dtype=np.bool_)


def doubled_m(graph: RoadGraph, distance_m: float, parallel_deg: float) -> float:
    """Metres that run within a distance of another road of the graph, nearly parallel to it.

    Both roads count. Not counted is what lies nearer than 4 times the distance to a node that both share. A
    road also doubles itself, where it comes back after at least that way. Pieces that were drawn n times
    count n times.
    """
    away = _AWAY * distance_m
    pieces = _short_pieces(graph, away)
    length = pieces.end_m - pieces.start_m
    total = 0.0
    tree = shapely.STRtree(straight(pieces.start, pieces.end))
    for begin in range(0, len(length), _CHUNK):
        part = slice(begin, begin + _CHUNK)
        own, near = tree.query(
            straight(pieces.start[part], pieces.end[part]), predicate="dwithin", distance=distance_m
        )
        own = own + begin
        way, other_way = pieces.end[own] - pieces.start[own], pieces.end[near] - pieces.start[near]
        cross = np.abs(way[:, 0] * other_way[:, 1] - way[:, 1] * other_way[:, 0])
        gap = np.maximum(pieces.start_m[near] - pieces.end_m[own], pieces.start_m[own] - pieces.end_m[near])
        gap = np.minimum(gap, _gap_around(graph, pieces.edge[own], gap, length[own] + length[near]))
        parallel = cross <= np.sin(np.radians(parallel_deg)) * length[own] * length[near]
        kept = parallel & ((pieces.edge[own] != pieces.edge[near]) | (gap >= away))
        own, near, way = own[kept], near[kept], way[kept]
        low, high = within(pieces.start[own], way, pieces.start[near], pieces.end[near], distance_m)
        least, most = _away_from_shared(graph, pieces.edge[own], pieces.edge[near], away)
        low = np.maximum(low, (least - pieces.start_m[own]) / length[own])
        high = np.minimum(high, (most - pieces.start_m[own]) / length[own])
        shares = united(own - begin, low, high).shares(len(length[part]))
        shares = np.where(pieces.drawn[part] > 1, 1.0, shares)
        total += float((shares * length[part] * pieces.drawn[part]).sum())
    return total


def sharp_bends(graph: RoadGraph, bend_deg: float) -> int:
    """Number of points between nodes where the direction changes by more than ``bend_deg``."""
    if not graph.n_edges:
        return 0
    way = graph.pieces.end - graph.pieces.start
    following = np.arange(1, len(way) + 1)
    last = graph.offsets[1:] - np.arange(graph.n_edges) - 2
    following[last] = -1
    # A ring has no node in truth: the point where it was opened is a point like any other.
    ring = (graph.edge_nodes[:, 0] == graph.edge_nodes[:, 1]) & (graph.degree[graph.edge_nodes[:, 0]] == 2)
    following[last[ring]] = (graph.offsets[:-1] - np.arange(graph.n_edges))[ring]
    a, b = way[following >= 0], way[following[following >= 0]]
    turn = np.arctan2(np.abs(a[:, 0] * b[:, 1] - a[:, 1] * b[:, 0]), (a * b).sum(axis=1))
    return int((turn > np.radians(bend_deg)).sum())


def jitter_m(graph: RoadGraph, reference: Segments, buffer_m: float) -> float | None:
    """Root mean square of the distance to the reference, over the metres that lie within the buffer."""
    if not len(reference):
        return None
    tree = shapely.STRtree(straight(reference.start, reference.end))
    squares = metres = 0.0
    for begin in range(0, len(graph.pieces), _CHUNK):
        pieces = _short_pieces(graph, _SAMPLE_M, slice(begin, begin + _CHUNK))
        weight = pieces.end_m - pieces.start_m
        (own, _), gap = tree.query_nearest(
            shapely.points((pieces.start + pieces.end) / 2),
            max_distance=buffer_m,
            return_distance=True,
            all_matches=False,
        )
        squares += float((weight[own] * gap * gap).sum())
        metres += float(weight[own].sum())
    return float(np.sqrt(squares / metres)) if metres else None


@dataclass(frozen=True)
class _Pieces:
    """Straight pieces: ends (N, 2), edge (N,), metres along the edge of both ends (N,), times drawn (N,)."""

    start: Points
    end: Points
    edge: Indices
    start_m: NDArray[np.float64]
    end_m: NDArray[np.float64]
    drawn: Indices


def _short_pieces(graph: RoadGraph, longest_m: float, part: slice = slice(None)) -> _Pieces:
    """Some straight pieces of the edges, divided into equal parts of at most ``longest_m``."""
    from_m, drawn = graph.piece_from_m[part], graph.drawn[part]
    start, way = graph.pieces.start[part], (graph.pieces.end - graph.pieces.start)[part]
    edge, length = graph.pieces.line[part], graph.pieces.length_m[part]
    parts = np.maximum(np.ceil(length / longest_m), 1).astype(np.int64)
    of = np.repeat(np.arange(len(length)), parts)
    rank = np.arange(len(of)) - np.repeat(np.cumsum(parts) - parts, parts)
    low, high = rank / parts[of], (rank + 1) / parts[of]
    return _Pieces(
        start[of] + low[:, None] * way[of],
        start[of] + high[:, None] * way[of],
        edge[of],
        from_m[of] + low * length[of],
        from_m[of] + high * length[of],
        drawn[of],
    )


def _gap_around(
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
