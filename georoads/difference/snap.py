"""Loose ends of new roads, led to the reference so that the networks connect.

An end is loose where the road goes on, as one that was matched, or ends. Where it goes on, the stretch is
first followed back along its own line, to where that comes nearest to the reference: a road that forks off
begins at the fork, and one that the reference cuts short where the reference ends. Ends at one place stay at
one place. A dead end is led on only where it points at the reference.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from georoads.difference.nearby import Indices, Numbers, nearest
from georoads.difference.networks import places_of
from georoads.difference.params import DiffParams
from georoads.grid import Points
from georoads.ragged import ranks
from georoads.scoring.segments import Segments
from georoads.scoring.stretches import LEAST_M, LaidLines, Stretches

_STEP_M = 1.0
"""In which a line is followed back."""
_COST = 0.1
"""A metre back along the line must come nearer to the reference by this, in metres."""
_FAR = 4
"""So many times the distance to be bridged is followed back at most: a road may fork off at 15°."""
_REPLACED_M = 1.0
"""An end that lies so near to its target is moved there; others get one more point."""
_VERTEX_M = 2.0
"""A vertex of the reference that lies so near to the target is taken instead: there its lines may meet."""
_AHEAD = 0.5
"""Cosine of 60°: so far to the side may lie what a dead end points at."""
_BACK_M = 10.0
"""An end points away from the place so far back along its line."""


@dataclass(frozen=True)
class _Ends:
    """The two ends of each stretch: first all beginnings, then all ends.

    Attributes:
        at_m: (2 N,) float64, as in ``Stretches``.
        inward: (2 N,) float64, 1 at beginnings and -1 at ends.
        room_m: (2 N,) float64, how far its line goes on beyond the end.
    """

    at_m: Numbers
    inward: Numbers
    room_m: Numbers


def snapped(
    laid: LaidLines, stretches: Stretches, reference: LaidLines, params: DiffParams
) -> NDArray[np.object_]:
    """(N,) shapely LineStrings: new stretches, cut out, with their loose ends on the reference.

    Args:
        laid: the lines of ROADS, laid onto the reference.
        stretches: those that are new.
        reference: in the same plane.
        params: ``snap_m``, ``match_m``.
    """
    if not params.snap_m or not len(reference.segments) or not len(stretches):
        return laid.cut(stretches)
    stretches = _followed_back(laid, stretches, reference, params)
    ends = _ends_of(laid, stretches)
    places = laid.points_at(ends.at_m, _pieces_inside(laid, ends))
    goes_on, is_dead = _kinds_of(laid, stretches, ends, places)
    found = nearest(places, reference, max(params.snap_m, params.match_m))
    way = places - laid.points_at(*_inside(laid, stretches, ends))
    gap = found.foot - places
    ahead = (gap * way).sum(axis=1) >= _AHEAD * np.hypot(*gap.T) * np.hypot(*way.T)
    leads = (found.segment >= 0) & (goes_on | (is_dead & ahead & (found.distance_m <= params.snap_m)))
    target = np.where(leads[:, None], _on_vertex(found.foot, found.segment, reference.segments), places)
    return _with_ends(laid.cut(stretches), target, leads)


def _ends_of(laid: LaidLines, stretches: Stretches) -> _Ends:
    whole = laid.whole
    row = np.searchsorted(whole.line, stretches.line)
    before, after = stretches.low_m - whole.low_m[row], whole.high_m[row] - stretches.high_m
    # Two stretches of a line share what lies between them.
    follows = np.flatnonzero(stretches.line[1:] == stretches.line[:-1])
    half = (stretches.low_m[follows + 1] - stretches.high_m[follows]) / 2
    before[follows + 1], after[follows] = half, half
    room = np.concatenate((before, after))
    at = np.concatenate((stretches.low_m, stretches.high_m))
    return _Ends(at, np.repeat([1.0, -1.0], len(stretches)), room)


def _pieces_inside(laid: LaidLines, ends: _Ends) -> Indices:
    """(2 N,) int64: the piece of its own line at whose end a stretch may end."""
    return laid.pieces_at(ends.at_m + ends.inward * LEAST_M)


def _inside(laid: LaidLines, stretches: Stretches, ends: _Ends) -> tuple[Numbers, Indices]:
    """Places a little inside of the stretches' ends, and the pieces that they lie on."""
    back = np.minimum(np.tile(stretches.length_m, 2), _BACK_M)
    at = ends.at_m + ends.inward * back
    return at, laid.pieces_at(at - ends.inward * LEAST_M)


def _followed_back(
    laid: LaidLines, stretches: Stretches, reference: LaidLines, params: DiffParams
) -> Stretches:
    """Stretches that begin and end where their lines come nearest to the reference."""
    ends = _ends_of(laid, stretches)
    most = _FAR * max(params.snap_m, params.match_m)
    steps = np.floor(np.minimum(ends.room_m, most) / _STEP_M).astype(np.int64) + 1
    of, back = np.repeat(np.arange(len(steps)), steps), ranks(steps) * _STEP_M
    at = ends.at_m[of] - ends.inward[of] * back
    piece = laid.pieces_at(at + ends.inward[of] * LEAST_M)
    cost = nearest(laid.points_at(at, piece), reference, most).distance_m + _COST * back
    order = np.lexsort((back, cost, of))
    best = order[np.flatnonzero(np.diff(of[order], prepend=-1))]
    moved = np.where(np.isfinite(cost[best]), back[best], 0.0)
    low, high = np.split(ends.at_m - ends.inward * moved, 2)
    return Stretches(stretches.line, low, high)


def _kinds_of(
    laid: LaidLines, stretches: Stretches, ends: _Ends, places: Points
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Of each end: whether a road goes on there that is not new; and whether none goes on."""
    segments = laid.segments
    points, owner = laid.points_of(stretches)
    inner = np.flatnonzero(np.diff(owner) == 0)  # each piece of the stretches, at its first point
    place = places_of(
        np.concatenate((places, segments.start, segments.end, points[inner], points[inner + 1]))
    )
    at_end, at_all, at_new = np.split(place, np.cumsum((len(places), 2 * len(segments))))
    count = int(place.max(initial=-1)) + 1
    arms, new_arms = np.bincount(at_all, minlength=count), np.bincount(at_new, minlength=count)
    is_cut = ends.room_m > LEAST_M
    goes_on = is_cut | (arms[at_end] > new_arms[at_end])
    return goes_on, ~goes_on & (new_arms[at_end] == 1)


def _on_vertex(foot: Points, segment: Indices, reference: Segments) -> Points:
    """Places on segments, or a vertex that is close to them."""
    for vertex in (reference.start[segment], reference.end[segment]):
        near = np.hypot(*(vertex - foot).T) <= _VERTEX_M
        foot = np.where(near[:, None], vertex, foot)
    return foot


def _with_ends(lines: NDArray[np.object_], target: Points, leads: NDArray[np.bool_]) -> NDArray[np.object_]:
    """Lines that are led to targets (2 N, 2) where ``leads`` (2 N,) says so."""
    made = lines.copy()
    n = len(lines)
    for row in np.flatnonzero(leads[:n] | leads[n:]):
        points = shapely.get_coordinates(lines[row])
        if leads[row]:
            points = _led(points, target[row])
        if leads[n + row]:
            points = _led(points[::-1], target[n + row])[::-1]
        made[row] = shapely.LineString(points)
    return made


def _led(points: Points, target: Points) -> Points:
    """A line that begins at a target (2,)."""
    is_near = np.hypot(*(points[0] - target)) <= _REPLACED_M
    return np.vstack((target, points[int(is_near) :]))
