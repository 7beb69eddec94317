"""Stretches: where the road along an axis is wide, long, straight and even enough for two carriageways.

Across the axis the road's two sides are measured, each for itself. Their medians along the road say where its
middle is and how wide it is, whatever joins it; what strays from them says how even the road is. A car park,
a plaza or a river is uneven, or not much longer than it is wide.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d, uniform_filter1d

from georoads.grid import Points
from georoads.network.carriageways.axes import Axis, AxisEnd
from georoads.network.mask.points import holds, steps_inside
from georoads.network.mask.road_mask import RoadMask
from georoads.network.mask.runs import RunMask

STEP_PX = 0.5
"""Sides are looked for in such steps."""

LEAST_M = 60.0
"""A shorter stretch is one road."""

LEAST_WIDTHS = 3.0
"""And so is one that is not so many times as long as the road is wide."""

MOST_M = 60.0
"""What is wider is no road."""

SHARE = 0.8
"""Where it goes on, or where a median was seen, the road may be narrower than it has to be, by this share."""

WINDOW_WIDTHS = 3.0
"""Medians along the road are taken over so many times the least width."""

UNEVEN = 0.25
"""A side strays where it is farther from its median than this share of it."""

MOST_UNEVEN = 0.3
"""No more than this share of both sides strays."""

OPEN = 2.0
"""A side that is so many times as far away as elsewhere is the mouth of a street."""

MOST_OPEN = 0.5
"""No more than this share of both sides are mouths."""

PAVED = 0.55
"""Of two carriageways and what lies between them, the carriageways take this share at least."""

MOSTLY_WHOLE = 0.7
"""On this share of the way no more than two roads lie beside each other: the tracks of a yard are more."""

STRAIGHT = 0.93
"""Over the least length the road leads at least so far, for its length: an arc of 75 degrees."""

SEEN = 0.3
"""A road is divided for sure where a median was seen on this share of it."""

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Stretch:
    """The middle of a road that has two carriageways, in even steps of about a pixel.

    Attributes:
        xy: (K, 2) float64.
        left: (K, 2) float64, unit vectors across the road, to the left of the line's direction.
        width: (K,) float64, of the whole road, pixels.
        low, high: (K,) float64, from where to where across the line, counted to the left, a median was seen;
            NaN where none was.
        ends: the first and the last; None where the axis goes on.
    """

    xy: Points
    left: Points
    width: Values
    low: Values
    high: Values
    ends: tuple[AxisEnd | None, AxisEnd | None]

    def turned(self) -> Stretch:
        """The same in the other direction."""
        return Stretch(
            self.xy[::-1], -self.left[::-1], self.width[::-1], -self.high[::-1], -self.low[::-1],
            (self.ends[1], self.ends[0]),
        )  # fmt: skip

    def first(self, count: int) -> Stretch:
        """So many of its first points, two at least."""
        here = slice(0, max(count, 2))
        kept: dict[str, Any] = {name: getattr(self, name)[here] for name in PER_POINT}
        return replace(self, **kept)

    def with_line(self, xy: Points, width: float) -> Stretch:
        """The stretch that goes on straight through further points, (K, 2), where no median was seen."""
        if not len(xy):
            return self
        way = xy[-1] - self.xy[-1]
        left = np.array([way[1], -way[0]]) / max(float(np.hypot(*way)), 1e-9)
        nothing = np.full(len(xy), np.nan)
        return replace(
            self,
            xy=np.concatenate((self.xy, xy)),
            left=np.concatenate((self.left, np.broadcast_to(left, xy.shape))),
            width=np.concatenate((self.width, np.full(len(xy), width))),
            low=np.concatenate((self.low, nothing)),
            high=np.concatenate((self.high, nothing)),
        )

    def followed_by(self, other: Stretch) -> Stretch:
        """This and then another one, as one stretch."""
        joined: dict[str, Any] = {n: np.concatenate((getattr(self, n), getattr(other, n))) for n in PER_POINT}
        return Stretch(**joined, ends=(self.ends[0], other.ends[1]))


PER_POINT = ("xy", "left", "width", "low", "high")
"""The fields of a stretch that hold a value for each of its points."""


@dataclass(frozen=True)
class Least:
    """From which width a road has two carriageways, in pixels, and the size of a pixel in metres."""

    width_px: float
    gsd_m: float

    @property
    def length_px(self) -> float:
        """A shorter road is one."""
        return LEAST_M / self.gsd_m


def stretches_of(axis: Axis, road: RoadMask, paved: RunMask, medians: RunMask, least: Least) -> list[Stretch]:
    """The stretches of an axis.

    Args:
        axis: of a wide area.
        road: the mask, without medians in it.
        paved: the road without what lies between two sides of road.
        medians: of that, what is long.
        least: how wide and long.
    """
    left = across(axis.xy, least.width_px / 2)
    sides = [_reach(axis.xy, sign * left, road, MOST_M / least.gsd_m) for sign in (1.0, -1.0)]
    window = round(WINDOW_WIDTHS * least.width_px) | 1
    inner = [_medians(side, window) for side in sides]
    width = inner[0] + inner[1]
    middle = axis.xy + _shift(sides, inner, least.width_px)[:, None] * left
    low, high = _seen(middle, left, medians, least.width_px / 3)
    good = (
        _is_whole(middle, left, width, paved, window)
        & _even(sides, inner, window)
        & _straight(axis.xy, least.length_px)
        & (width <= MOST_M / least.gsd_m)
    )
    found = []
    for first, last in _runs(good & (width >= SHARE * least.width_px), least.width_px):
        here = slice(first, last)
        seen = np.isfinite(low[here]).mean() >= SEEN
        enough = last - first if seen else int((width[here] >= least.width_px).sum())
        if enough < max(least.length_px, LEAST_WIDTHS * float(np.median(width[here]))):
            continue
        ends = axis.ends[0] if first == 0 else None, axis.ends[1] if last == len(width) else None
        found.append(Stretch(middle[here], left[here], width[here], low[here], high[here], ends))
    return found


def across(xy: Points, lead_px: float) -> Points:
    """(K, 2) unit vectors to the left of a line of even steps, whose direction is taken over ``lead_px``."""
    n = max(1, round(lead_px))
    row = np.arange(len(xy))
    ahead = xy[np.minimum(row + n, len(xy) - 1)] - xy[np.maximum(row - n, 0)]
    size = np.maximum(np.hypot(*ahead.T), 1e-9)
    return np.asarray(np.column_stack((ahead[:, 1], -ahead[:, 0])) / size[:, None], dtype=np.float64)


def _reach(xy: Points, way: Points, road: RoadMask, most_px: float) -> Values:
    """(K,) float64: how far the road reaches that way; NaN where the scene ends first."""
    steps = steps_inside(road.road, xy, STEP_PX * way, round(most_px / STEP_PX))
    beyond = xy + ((steps + 0.5) * STEP_PX)[:, None] * way
    height, width = road.road.shape
    inside = ((beyond >= 0) & (beyond < [width, height])).all(axis=1) & ~holds(road.nodata, beyond)
    return np.where(inside, steps * STEP_PX, np.nan)


def _medians(values: Values, window: int) -> Values:
    """(K,) float64: running medians over an odd number of values; the nearest where all are NaN."""
    padded = np.pad(values, window // 2, constant_values=np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        found = np.nanmedian(sliding_window_view(padded, window), axis=1)
    known = np.flatnonzero(np.isfinite(found))
    if not len(known):
        return np.zeros(len(values))
    return np.asarray(np.interp(np.arange(len(found)), known, found[known]), dtype=np.float64)


def _shift(sides: list[Values], inner: list[Values], least_px: float) -> Values:
    """(K,) float64: from the axis to the road's middle, by the sides at which nothing joins."""
    half = (inner[0] + inner[1]) / 2
    found = np.full((2, len(half)), np.nan)
    for k, sign in enumerate((1.0, -1.0)):
        found[k] = np.where(np.abs(sides[k] - inner[k]) <= half / 2, sign * (sides[k] - half), np.nan)
    known = np.isfinite(found)
    shift = np.where(known, found, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    shift[~known.any(axis=0)] = np.nan
    shift = _medians(shift, round(least_px / 2) | 1)
    return np.asarray(gaussian_filter1d(shift, least_px / 4, mode="nearest"), dtype=np.float64)


def _seen(middle: Points, left: Points, medians: RunMask, most_px: float) -> tuple[Values, Values]:
    """(K,) lowest and (K,) highest place across the line that is part of a median; NaN where none is."""
    steps = np.arange(-most_px, most_px, STEP_PX)
    inside = holds(medians, middle[:, None] + steps[None, :, None] * left[:, None])
    low = np.where(inside.any(axis=1), steps[np.argmax(inside, axis=1)], np.nan)
    high = np.where(inside.any(axis=1), steps[len(steps) - 1 - np.argmax(inside[:, ::-1], axis=1)], np.nan)
    return low, high


def _even(sides: list[Values], inner: list[Values], window: int) -> NDArray[np.bool_]:
    """(K,) bool: where both sides mostly keep to their medians; where a street joins a side, it has none."""
    strays, is_open = np.zeros((2, len(inner[0])))
    for side, median in zip(sides, inner, strict=True):
        joins = side > OPEN * median
        strays += ~joins & (np.abs(side - median) > UNEVEN * median + 1)
        is_open += joins
    share, none = (uniform_filter1d(values / 2, window, mode="reflect") for values in (strays, is_open))
    return np.asarray((share <= MOST_UNEVEN) & (none <= MOST_OPEN))


def _is_whole(middle: Points, left: Points, width: Values, paved: RunMask, window: int) -> NDArray[np.bool_]:
    """(K,) bool: where mostly no more than two roads lie across, and little between them."""
    places = np.linspace(-0.45, 0.45, 41)[None, :, None] * width[:, None, None] * left[:, None]
    inside = holds(paved, middle[:, None] + places)
    roads = inside[:, 0] + (inside[:, 1:] & ~inside[:, :-1]).sum(axis=1)
    whole = (roads <= 2) & (inside.mean(axis=1) >= PAVED)
    return np.asarray(uniform_filter1d(whole.astype(float), window, mode="reflect") >= MOSTLY_WHOLE)


def _straight(xy: Points, length_px: float) -> NDArray[np.bool_]:
    """(K,) bool: where the line leads on over a length around it."""
    n = round(length_px / 2)
    row = np.arange(len(xy))
    before, behind = np.maximum(row - n, 0), np.minimum(row + n, len(xy) - 1)
    chord = np.hypot(*(xy[behind] - xy[before]).T)
    step = np.hypot(*np.diff(xy, axis=0).T).mean() if len(xy) > 1 else 1.0
    return np.asarray(chord >= STRAIGHT * (behind - before) * step)


def _runs(good: NDArray[np.bool_], gap_px: float) -> list[tuple[int, int]]:
    """Where values are true, from and to, over gaps of up to so many."""
    edges = np.flatnonzero(np.diff(np.concatenate(([False], good, [False])).astype(np.int8)))
    found: list[tuple[int, int]] = []
    for first, last in edges.reshape(-1, 2).tolist():
        if found and first - found[-1][1] <= gap_px:
            found[-1] = found[-1][0], last
        else:
            found.append((first, last))
    return found
