"""Places on one layer, and the lines of the other one beside them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from georoads.grid import Points
from georoads.scoring.buffered import are_parallel
from georoads.scoring.segments import Segments
from georoads.scoring.stretches import LaidLines

Indices = NDArray[np.int64]
Numbers = NDArray[np.float64]
_CHUNK = 100_000
"""Places that are looked up at once: bounds memory."""


@dataclass(frozen=True)
class Beside:
    """The nearest segment of each of N places.

    Attributes:
        segment: (N,) int64; -1 where none is near enough.
        distance_m: (N,) float64; inf where there is none.
        foot: (N, 2) float64 metres, the nearest place on it; the place itself where there is none.
    """

    segment: Indices
    distance_m: Numbers
    foot: Points


def pairs_alike(
    places: Points, way: Points, others: LaidLines, distance_m: float, parallel_deg: float
) -> tuple[Indices, Indices]:
    """Pairs of a place and a segment that is near and runs alike, in the order of the places.

    Args:
        places: (N, 2) float64 metres.
        way: (N, 2) float64, the direction of the road at each place.
        others: the lines.
        distance_m: how far they may lie.
        parallel_deg: how far directions may differ.

    Returns:
        (P,) int64 each: numbers of places and of segments.
    """
    own, near = others.segments.tree.query(shapely.points(places), predicate="dwithin", distance=distance_m)
    alike = are_parallel(way[own], others.ways[near], parallel_deg)
    return own[alike].astype(np.int64), near[alike].astype(np.int64)


def nearest_alike(
    places: Points, way: Points, others: LaidLines, distance_m: float, parallel_deg: float
) -> Beside:
    """The nearest segment that runs alike, of each place.

    Args:
        places, way, others, distance_m, parallel_deg: as for ``pairs_alike``.
    """
    segment, distance = np.full(len(places), -1, dtype=np.int64), np.full(len(places), np.inf)
    foot = places.copy()
    for begin in range(0, len(places) if len(others.segments) else 0, _CHUNK):
        part = slice(begin, begin + _CHUNK)
        own, near = pairs_alike(places[part], way[part], others, distance_m, parallel_deg)
        feet = feet_on(places[part][own], others.segments, near)
        apart = np.hypot(*(feet - places[part][own]).T)
        order = np.lexsort((near, apart, own))
        first = order[np.flatnonzero(np.diff(own[order], prepend=-1))]
        rows = begin + own[first]
        segment[rows], distance[rows], foot[rows] = near[first], apart[first], feet[first]
    return Beside(segment, distance, foot)


def nearest(places: Points, others: LaidLines, distance_m: float) -> Beside:
    """The nearest segment of each place, whatever its direction.

    Args:
        places: (N, 2) float64 metres.
        others: the lines.
        distance_m: how far they may lie.
    """
    segment, distance = np.full(len(places), -1, dtype=np.int64), np.full(len(places), np.inf)
    foot = places.copy()
    if len(places) and len(others.segments):
        own, near = others.segments.tree.query_nearest(
            shapely.points(places), max_distance=distance_m, all_matches=False
        )
        feet = feet_on(places[own], others.segments, near)
        segment[own], foot[own], distance[own] = near, feet, np.hypot(*(feet - places[own]).T)
    return Beside(segment, distance, foot)


def feet_on(places: Points, others: Segments, segment: Indices) -> Points:
    """(N, 2) float64: the nearest place on a segment (N,) to each place (N, 2).

    Args:
        places: in the plane of the segments.
        others: the segments.
        segment: their numbers.
    """
    start, way = others.start[segment], others.end[segment] - others.start[segment]
    along = ((places - start) * way).sum(axis=1) / (way * way).sum(axis=1)
    return np.asarray(start + np.clip(along, 0.0, 1.0)[:, None] * way)
