"""Tidiness of a proposal's lines, per kilometre of line.

These numbers need no reference, but for the lateral jitter. Lower is better, except for vertices per
kilometre, which only says how heavy the lines are. They say what the scores of routes and buffers cannot: how
much work it is to clean the layer up by hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import shapely
from numpy.typing import NDArray

from georoads.output.read import RoadLines
from georoads.ragged import rows_of
from georoads.scoring.buffered import limits_within
from georoads.scoring.doubled import doubled_m
from georoads.scoring.params import ScoreParams
from georoads.scoring.road_graph import RoadGraph
from georoads.scoring.segments import Segments, longest_segments, project_points, straight_lines

_CHUNK = 200_000
"""Samples whose distances are measured at once: bounds memory."""
_SAMPLE_M = 2.0
"""Lateral distances are measured at the middles of parts of this length."""


@dataclass(frozen=True)
class Tidiness:
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

    vertices_per_km: float = 0.0
    dangles_per_km: float = 0.0
    spurs_per_km: float = 0.0
    doubled_m_per_km: float = 0.0
    sharp_bends_per_km: float = 0.0
    jitter_m: float | None = None


def measure_tidiness(
    layer: RoadLines, crs: str, graph: RoadGraph, reference: Segments, params: ScoreParams
) -> Tidiness:
    """Measure how tidy the lines of a proposal are.

    Args:
        layer: the proposal as it was drawn.
        crs: the plane of ``graph`` and ``reference``.
        graph: the network of the proposal.
        reference: the lines to measure the jitter against.
        params: the settings.

    Raises:
        LayerError: the layer's bound cannot be projected.
    """
    km = float((graph.pieces.length_m * graph.drawn).sum()) / 1000
    if not km:
        return Tidiness()
    real = layer.lines[shapely.length(layer.lines) > 0]
    dangle = dangles(graph, layer, crs, params.bound_m)
    spur = (graph.length_m < params.spur_m) & dangle[graph.edge_nodes].any(axis=1)
    return Tidiness(
        vertices_per_km=int(shapely.get_num_points(real).sum()) / km,
        dangles_per_km=int(dangle.sum()) / km,
        spurs_per_km=int(spur.sum()) / km,
        doubled_m_per_km=doubled_m(graph, params.doubled_m, params.doubled_deg) / km,
        sharp_bends_per_km=sharp_bends(graph, params.bend_deg) / km,
        jitter_m=jitter_m(graph, reference, params.buffer_m),
    )


def dangles(graph: RoadGraph, layer: RoadLines, crs: str, bound_m: float) -> NDArray[np.bool_]:
    """The dead ends that do not lie where the layer was cut.

    Scenes are cut along their own axes, so a road that was cut there ends on the layer's bounding box in its
    own CRS.

    Args:
        graph: the network of the layer.
        layer: the lines as they were drawn.
        crs: the plane of the graph.
        bound_m: a dead end within this of the bounding box counts as cut there.

    Returns:
        (N,) bool, one for each node.
    """
    bounds = shapely.total_bounds(layer.lines)
    longest = longest_segments(layer, np.abs(bounds[[1, 3]]).min(keepdims=True))
    box = shapely.segmentize(shapely.box(*bounds).exterior, longest[0])
    bound = shapely.linestrings(project_points(shapely.get_coordinates(box), layer, crs))
    inside = shapely.distance(shapely.points(graph.node_xy), bound) > bound_m
    return np.asarray((graph.degree == 1) & inside, dtype=np.bool_)


def sharp_bends(graph: RoadGraph, bend_deg: float) -> int:
    """Number of points between nodes where the direction changes by more than ``bend_deg``."""
    if not graph.n_edges:
        return 0
    # The piece that follows each one; -1 behind the last of an edge.
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
    """Root mean square of the distance to a reference, over the metres that lie within a buffer of it.

    Args:
        graph: the network of the proposal.
        reference: the lines to measure to, in the same plane.
        buffer_m: half the width of the buffer.

    Returns:
        Metres; None where nothing lies within the buffer.
    """
    if not len(reference):
        return None
    squares = metres = 0.0
    for part in _slices_of_samples(np.ceil(graph.pieces.length_m / _SAMPLE_M)):
        gap, weight = _sample_distances(graph.pieces, part, reference, buffer_m)
        near = gap <= buffer_m
        squares += float((weight[near] * gap[near] * gap[near]).sum())
        metres += float(weight[near].sum())
    return float(np.sqrt(squares / metres)) if metres else None


def _slices_of_samples(samples: NDArray[np.float64]) -> Iterator[slice]:
    """Slices of pieces that have about ``_CHUNK`` samples together."""
    number = np.cumsum(samples) // _CHUNK
    bounds = [0, *(np.flatnonzero(number[1:] > number[:-1]) + 1).tolist(), len(samples)]
    yield from (slice(low, high) for low, high in pairwise(bounds))


def _sample_distances(
    pieces: Segments, part: slice, reference: Segments, buffer_m: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Distance of each sample of some pieces to the reference, inf where it is far; metres it stands for."""
    # Samples are the middles of equal parts; one row of ``nearest`` for each, piece after piece.
    start, end = pieces.start[part], pieces.end[part]
    way = end - start
    length = np.hypot(way[:, 0], way[:, 1])
    count = np.maximum(np.ceil(length / _SAMPLE_M), 1).astype(np.int64)
    nearest = np.full(count.sum(), np.inf)
    # Pairs of a piece and a reference line, and the samples of the piece that can be near that line.
    own, near = reference.tree.query(straight_lines(start, end), predicate="dwithin", distance=buffer_m)
    low, high = limits_within(start[own], way[own], reference.start[near], reference.end[near], buffer_m)
    # One sample more on either side, so that rounding loses none.
    first = np.maximum(np.floor(np.minimum(low, 1) * count[own] - 1.5), 0).astype(np.int64)
    last = np.minimum(np.ceil(np.maximum(high, 0) * count[own] + 0.5), count[own] - 1).astype(np.int64)
    several = np.maximum(last - first + 1, 0)
    # One row for each sample of each pair, and its distance to the line of the pair.
    pair = np.repeat(np.arange(len(own)), several)
    rank = rows_of(first, several)
    own, near = own[pair], near[pair]
    xy = start[own] + ((rank + 0.5) / count[own])[:, None] * way[own]
    base = reference.start[near]
    along = reference.end[near] - base
    share = np.clip(((xy - base) * along).sum(axis=1) / (along * along).sum(axis=1), 0.0, 1.0)
    gap = xy - base - share[:, None] * along
    np.minimum.at(nearest, (np.cumsum(count) - count)[own] + rank, np.hypot(gap[:, 0], gap[:, 1]))
    return nearest, np.repeat(length / count, count)
