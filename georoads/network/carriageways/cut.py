"""Cuts: the strip that is taken out of the road along the middle of a stretch; two carriageways are left.

1. At its ends. Where the road leaves the scene the strip leads out of it; where it runs into the gore between
   carriageways that part, or ends, up to there. Where another wide road goes by, it stops beside that.
2. Where a median was seen the strip takes it in, and between two of them it leads from one to the other.
3. A street that crosses, its two arms facing each other, leaves an opening; so does a gap between two medians
   where the road is as sure as elsewhere. Openings are short, so that what crosses meets each carriageway in
   a junction of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from georoads.grid import Points
from georoads.network.carriageways.stretches import SEEN, Least, Stretch, Values
from georoads.network.mask.points import holds
from georoads.network.mask.road_mask import RoadMask
from georoads.network.mask.runs import Pixels

HALF_PX = 0.75
"""Half of the strip where no median was seen: no two pixels on both of its sides touch each other."""

STEP_PX = 0.5
"""Pixels are looked for in such steps, so that none of the strip is passed over."""

OPEN = 0.17
"""Half of an opening, as a share of the road's width: wider ones would make the two junctions one."""

UNCROSSED_M = 150.0
"""A street of a grid is crossed at every block; of a road with a median two crossings lie so far apart."""

AHEAD = 1.2
"""Ahead of an end the road's end, or a gore, is looked for over so many of its widths."""

ASIDE = 0.3
"""Beyond a road's side a street is looked for at this share of its width, and at three times that."""

BESIDE = 0.6
"""A strip that meets another road stops at this share of the junction's radius: beside its carriageway."""

GAP_WIDTHS = 1.5
"""A gap between two medians that is no longer than this many widths is a crossing."""


@dataclass(frozen=True)
class Crossed:
    """Another stretch that crosses one: at which of its points, and how wide its road is, in pixels."""

    at: int
    width: float


def extended(stretch: Stretch, road: RoadMask, least: Least) -> Stretch:
    """The stretch with its ends as they have to be; see the module.

    Args:
        stretch: as found along its axis.
        road: the mask, without medians in it.
        least: how wide roads are.
    """
    for _ in range(2):
        stretch = _extended_behind(stretch, road, least).turned()
    return stretch


def _extended_behind(stretch: Stretch, road: RoadMask, least: Least) -> Stretch:
    """The stretch made longer, or shorter, at its last end."""
    end = stretch.ends[1]
    if end is None:
        return stretch
    if end.meets:
        away = np.hypot(*(stretch.xy - stretch.xy[-1]).T)
        return stretch.first(int((away >= BESIDE * end.meets).sum()))
    # The last of an axis may lead into a corner: the line goes on as it led before.
    bent = min(round(least.width_px / 2), len(stretch.xy) // 4)
    stretch = stretch.first(len(stretch.xy) - bent)
    way = stretch.xy[-1] - stretch.xy[-1 - min(round(least.width_px), len(stretch.xy) // 2)]
    way /= max(float(np.hypot(*way)), 1e-9)
    width = float(stretch.width[-1])
    ahead = stretch.xy[-1] + np.arange(1, round(AHEAD * width + 2 * bent))[:, None] * way
    inside = holds(road.road, ahead)
    # Up to the scene's edge, a gore or the road's end; else as far as the axis leads.
    stop = int(np.argmin(inside))
    if not inside.all() and (end.leaves or not _is_side(ahead[stop], way, road, width)):
        return stretch.with_line(ahead[:stop], width)
    return stretch.with_line(ahead[:bent], width)


def _is_side(place: Points, way: Points, road: RoadMask, width: float) -> bool:
    """Whether a place ahead, which is no road, is the far side of a street that goes by, or of a bend."""
    steps = np.linspace(0.0, 0.75 * width, 16)[:, None] * np.array([way[1], -way[0]])
    before = place - 3.0 * way
    return any(bool(holds(road.road, before + sign * steps).all()) for sign in (1.0, -1.0))


def is_street(stretch: Stretch, road: RoadMask, least: Least) -> bool:
    """Whether a road whose median was not seen is crossed more often than one that has a median would be.

    Args:
        stretch: with its ends as they have to be.
        road: the mask, without medians in it.
        least: how wide and long.
    """
    if np.isfinite(stretch.low).mean() >= SEEN:
        return False
    crossings = _crossings(stretch, road, float(np.median(stretch.width)))
    return len(crossings) * UNCROSSED_M / least.gsd_m > len(stretch.xy)


def strip(stretch: Stretch, road: RoadMask, crossed: list[Crossed]) -> Pixels:
    """The pixels that are taken out, ascending.

    Args:
        stretch: with its ends as they have to be.
        road: the mask, without medians in it.
        crossed: where it crosses other stretches.
    """
    width = float(np.median(stretch.width))
    seen = np.isfinite(stretch.low)
    # The line leads through the medians that were seen.
    place = np.where(seen, (stretch.low + stretch.high) / 2, 0.0)
    place = gaussian_filter1d(place, width / 4, mode="nearest")
    low = np.fmin(stretch.low, place - HALF_PX)
    high = np.fmax(stretch.high, place + HALF_PX)
    is_open = np.zeros(len(place), np.bool_)
    for middle in [*_crossings(stretch, road, width), *_gaps(seen, width)]:
        _open(is_open, middle, OPEN * width)
    is_open &= ~seen
    for other in crossed:
        # Each of its carriageways has its own opening.
        is_open[max(0, round(other.at - other.width / 2)) : round(other.at + other.width / 2)] = False
        for side in (-0.25, 0.25):
            _open(is_open, other.at + side * other.width, min(OPEN * width, other.width / 8))
    return _pixels(stretch, low, high, ~is_open, road.road.shape)


def crossings_of(stretches: list[Stretch]) -> list[list[Crossed]]:
    """Of each stretch, where it crosses others."""
    lines = np.array([shapely.LineString(s.xy) for s in stretches], dtype=np.object_)
    found: list[list[Crossed]] = [[] for _ in stretches]
    for one, other in zip(*shapely.STRtree(lines).query(lines, predicate="crosses"), strict=True):
        at = shapely.get_coordinates(shapely.intersection(lines[one], lines[other]))[0]
        nearest = int(np.argmin(np.hypot(*(stretches[one].xy - at).T)))
        found[one].append(Crossed(nearest, float(np.median(stretches[other].width))))
    return found


def _open(is_open: NDArray[np.bool_], middle: float, reach: float) -> None:
    """Mark an opening."""
    is_open[max(0, round(middle - reach)) : max(0, round(middle + reach) + 1)] = True


def _gaps(seen: NDArray[np.bool_], width: float) -> list[int]:
    """The middles of gaps between medians that are short and, as the medians beside them, long enough."""
    edges = np.flatnonzero(np.diff(seen.astype(np.int8)))
    if len(edges) < 2:
        return []
    # From the end of one median to the begin of the next, and how long both are.
    edges = edges[1:] if seen[0] == 0 else edges
    found = []
    for first, last in edges[: len(edges) // 2 * 2].reshape(-1, 2).tolist():
        before, behind = seen[max(0, first - round(width)) : first], seen[last + 1 : last + 1 + round(width)]
        long = len(before) and len(behind) and before.mean() > 0.9 and behind.mean() > 0.9
        if width / 4 < last - first <= GAP_WIDTHS * width and long:
            found.append((first + last) // 2)
    return found


def _crossings(stretch: Stretch, road: RoadMask, width: float) -> list[int]:
    """Where streets cross: places along the stretch at which two arms face each other."""
    sides = [_arms(stretch, road, sign, width) for sign in (1.0, -1.0)]
    found = []
    for at, reach in sides[0]:
        facing = [other for other, far in sides[1] if abs(other - at) <= reach + far]
        if facing:
            nearest = min(facing, key=lambda other: abs(other - at))
            found.append(round((at + nearest) / 2))
    return [middle for middle in found if 0 <= middle < len(stretch.xy)]


def _arms(stretch: Stretch, road: RoadMask, sign: float, width: float) -> list[tuple[float, float]]:
    """Of the streets that join on one side: where their courses meet the middle, and half of their width."""
    near, far = (
        _mouths(
            holds(road.road, stretch.xy + sign * (0.5 + share) * stretch.width[:, None] * stretch.left), width
        )
        for share in (ASIDE, 3 * ASIDE)
    )
    found = []
    for first, last in near:
        middle, half = (first + last) / 2, (last - first) / 2
        beyond = [(a + b) / 2 for a, b in far if abs((a + b) / 2 - middle) <= 1.5 * width]
        if beyond:
            skew = (middle - min(beyond, key=lambda place: abs(place - middle))) / (2 * ASIDE)
            found.append((middle + skew * (0.5 + ASIDE), half))
    return found


def _mouths(is_road: NDArray[np.bool_], width: float) -> list[tuple[int, int]]:
    """Runs of road beside a stretch, from and to, that are no longer than it is wide."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], is_road, [False])).astype(np.int8)))
    return [(a, b) for a, b in edges.reshape(-1, 2).tolist() if 2 < b - a <= width]


def _pixels(
    stretch: Stretch, low: Values, high: Values, is_cut: NDArray[np.bool_], shape: tuple[int, int]
) -> Pixels:
    """Ids of the pixels between two lines beside the middle of a stretch, where it is cut."""
    # Between two points, too: steps along the line are about a pixel, beside it they may be longer.
    row = np.arange(0, len(low) - 0.75, 0.25)
    before = np.minimum(row.astype(np.int64), len(low) - 2)
    share = (row - before)[:, None]
    cut = is_cut[before] & is_cut[before + 1]

    def between(values: Values) -> Values:
        return np.asarray((1 - share) * values[before] + share * values[before + 1], dtype=np.float64)

    xy, left = between(stretch.xy)[cut], between(stretch.left)[cut]
    low, high = between(low[:, None])[cut, 0], between(high[:, None])[cut, 0]
    found = []
    for k in range(int(np.ceil((high - low).max(initial=0.0) / STEP_PX)) + 1):
        place = np.minimum(low + k * STEP_PX, high)
        cols, rows = np.floor(xy + place[:, None] * left).astype(np.int64).T
        inside = (rows >= 0) & (rows < shape[0]) & (cols >= 0) & (cols < shape[1])
        found.append(rows[inside] * shape[1] + cols[inside])
    return np.unique(np.concatenate(found)) if found else np.empty(0, np.int64)
