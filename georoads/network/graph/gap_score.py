"""How likely the ground between a dead end and what lies ahead is road: a score from what was measured there.

A faint mean of p is not enough: walls, hedges and the sides of fields are faint, too. So a few measures are
weighed by a logistic regression. ``benchmarks/lines/gaps.py`` fitted the weights to gaps of known truth;
they say how likely at least half of a gap is on a road.
"""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass

import numpy as np

from georoads.grid import Points
from georoads.levels import FULL
from georoads.network.graph.along import LevelsAt

STRETCH_M = 40.0
"""How straight a road is, is seen over this length before its end."""

LONGEST_M = 500.0
"""A road that is longer says no more by its length."""

NARROWEST_M, WIDEST_M = 4.0, 14.0
"""Beside the gap p is looked up a road's width away: the ending road's, within these."""

BEND_PX = 5
"""The way's direction at a point is that from so many points before it to so many behind."""

LEAST_P = 0.02
"""Stands for p where there is none: what is said of p is said of its logarithm."""


@dataclass(frozen=True)
class RoadEnd:
    """The road at a dead end.

    Attributes:
        tip: (2,) float64 pixel coordinates of its end.
        ahead: (2,) float64, its direction there, of any length.
        width_px: its median width.
        length_px: of its edge.
        p: mean along it.
        straight: 0..1, how far its last stretch leads beside how long it is.
    """

    tip: Points
    ahead: Points
    width_px: float
    length_px: float
    p: float
    straight: float


@dataclass(frozen=True)
class Target:
    """The road that a way leads to: its median width in pixels, and the mean of p along it."""

    width_px: float
    p: float


@dataclass(frozen=True)
class Evidence:
    """What speaks for road in a gap; as ``WEIGHTS``, how much each counts.

    Attributes:
        ridge: -1..1, by how much p is higher on the way than a road's width to its sides, as a share of both
            together: 1 where it is nothing beside, 0 in the middle of evenly faint ground.
        log_p: logarithm of the mean of p along the gap.
        log_length: of the gap in metres.
        aligned: cosine of the angle between the ending road and the straight line over the gap.
        straight: 0..1, of the last 40 m of the ending road; walls have corners, false roads curl.
        log_road: logarithm of the ending road's length in metres.
        log_width: of the narrower road's width in metres.
        sure: log-odds of the mean of p on the less sure of the two roads.
    """

    ridge: float
    log_p: float
    log_length: float
    aligned: float
    straight: float
    log_road: float
    log_width: float
    sure: float

    @property
    def likelihood(self) -> float:
        """0..1, how likely the gap is road; 0 where nothing is seen, as in the gaps of a mask of 0 and 1."""
        if self.log_p < math.log(2 * LEAST_P):
            return 0.0
        weighed = sum(value * weight for value, weight in zip(astuple(self), astuple(WEIGHTS), strict=True))
        return 1.0 / (1.0 + math.exp(-(weighed + BIAS)))


WEIGHTS = Evidence(
    ridge=0.65,
    log_p=0.35,
    log_length=-0.19,
    aligned=0.78,
    straight=3.81,
    log_road=0.35,
    log_width=-0.80,
    sure=0.37,
)
BIAS = -4.40


def evidence_of(
    xy: Points, end: RoadEnd, target: Target | None, levels_at: LevelsAt, road_level: int, gsd_m: float
) -> Evidence:
    """Measure a gap.

    Args:
        xy: (K, 2) float64 pixel coordinates of the way, a pixel or so apart, from the road's end on.
        end: the road that ends there.
        target: the road that the way leads to; None: it leads to the scene's edge.
        levels_at: gives (K,) uint8, round(254 p), of points (K, 2).
        road_level: round(254 p) from which a pixel is road: what lies in the mask is no part of the gap.
        gsd_m: metres of a pixel.
    """
    side_px = min(max(end.width_px * gsd_m, NARROWEST_M), WIDEST_M) / gsd_m
    across = _across(xy) * side_px
    level = levels_at(np.concatenate((xy, xy + across, xy - across))).reshape(3, -1)
    gap = level[0] < road_level
    p, left, right = (level[:, gap] if gap.any() else level).mean(axis=1).tolist()
    p, beside = p / FULL, (left + right) / 2 / FULL
    straight = xy[-1] - end.tip
    sizes = float(np.hypot(*straight)) * float(np.hypot(*end.ahead))
    length_m = float(np.hypot(*np.diff(xy, axis=0).T).sum()) * gsd_m
    return Evidence(
        ridge=(p - beside) / (p + beside + LEAST_P),
        log_p=math.log(p + LEAST_P),
        log_length=math.log(max(length_m, 1.0)),
        aligned=float(straight @ end.ahead) / max(sizes, 1e-9),
        straight=end.straight,
        log_road=math.log(min(max(end.length_px * gsd_m, 1.0), LONGEST_M)),
        log_width=math.log(max(min(end.width_px, target.width_px if target else math.inf) * gsd_m, 1.0)),
        sure=_log_odds(min(end.p, target.p if target else 1.0)),
    )


def straightness(xy: Points, stretch_px: float) -> float:
    """0..1: the first stretch of a line, from end to end, beside its length.

    Args:
        xy: (K, 2) float64, from the end that is looked at.
        stretch_px: the stretch's length, or the line's if that is shorter.
    """
    along = np.concatenate(([0.0], np.cumsum(np.hypot(*np.diff(xy, axis=0).T))))
    last = min(int(np.searchsorted(along, stretch_px)), len(xy) - 1)
    return float(np.hypot(*(xy[last] - xy[0])) / max(along[last], 1e-9))


def _across(xy: Points) -> Points:
    """(K, 2) unit vectors at right angles to a way."""
    row = np.arange(len(xy))
    along = xy[np.minimum(row + BEND_PX, len(xy) - 1)] - xy[np.maximum(row - BEND_PX, 0)]
    size = np.maximum(np.hypot(along[:, 0], along[:, 1]), 1e-9)
    return np.column_stack((-along[:, 1], along[:, 0])) / size[:, None]


def _log_odds(p: float) -> float:
    """Of a probability; bounded, as a mask of 0 and 1 is not surer than a network can be."""
    p = min(max(p, LEAST_P), 1 - LEAST_P)
    return math.log(p / (1 - p))
