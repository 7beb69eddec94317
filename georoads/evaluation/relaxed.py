"""Relaxed precision and recall: a pixel is right when one of the other kind lies within a slack.

V. Mnih and G. Hinton, Learning to Detect Roads in High-Resolution Aerial Images, ECCV 2010, section 4:
relaxed precision is the share of predicted road pixels with a true road pixel within ρ pixels, relaxed recall
the share of true road pixels with a predicted one within ρ. They take ρ = 3 and report where both are equal.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from georoads.evaluation.counts import ratios
from georoads.levels import COUNT, NODATA
from georoads.scoring.matching import harmonic

SLACK_PX = 3.0
"""The slack of Mnih and Hinton, in pixels of the data set."""

RelaxedCounts = NDArray[np.int64]
"""(3, 255) int64, by level 0..254: pixels far from every true road pixel, by their level; pixels near one, by
their level; true road pixels, by the highest level near them. They add up over tiles, and give precision and
recall at every threshold."""


@dataclass(frozen=True)
class RelaxedScore:
    """Relaxed metrics of the road class at one threshold.

    Attributes:
        level: threshold; a pixel is road at p >= level / 254.
        precision: share of the predicted road pixels that lie near true road; 1 where nothing is predicted.
        recall: share of the true road pixels that lie near predicted road; 1 where there is none.
        f1: their harmonic mean.
    """

    level: int
    precision: float
    recall: float
    f1: float


def count_relaxed(
    levels: NDArray[np.uint8], road: NDArray[np.bool_], valid: NDArray[np.bool_], slack_px: float = SLACK_PX
) -> RelaxedCounts:
    """Count a tile. Invalid pixels neither count nor make a neighbour right.

    Args:
        levels: (H, W) uint8, round(254 p) or 255 for no data.
        road: (H, W) bool, the truth.
        valid: (H, W) bool.
        slack_px: the greatest Euclidean distance between pixel centres that is near.
    """
    # A dilation with a disk answers both questions for every threshold at once: whether truth is near a
    # pixel, and up to which threshold a prediction is near it. Distances are compared as whole numbers.
    use = valid & (levels != NODATA)
    real = road & use
    disk = _disk(slack_px)
    near = cv2.dilate(real.astype(np.uint8), disk) > 0
    highest = cv2.dilate(np.where(use, levels, np.uint8(0)), disk)
    parts = (levels[use & ~near], levels[use & near], highest[real])
    return np.stack([np.bincount(p, minlength=COUNT) for p in parts]).astype(np.int64)


def relaxed_curve(counts: RelaxedCounts) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Relaxed precision and recall at the 254 thresholds 1/254 .. 1, each (254,) float64."""
    # Pixels at or above each level, from 1 on: sums from the highest level down.
    far, near, reached = np.cumsum(counts[:, ::-1], axis=1)[:, ::-1][:, 1:]
    return ratios(near, far + near), ratios(reached, counts[2].sum())


def relaxed_score(counts: RelaxedCounts, level: int) -> RelaxedScore:
    """Relaxed metrics at one threshold, 1 <= level <= 254."""
    precision, recall = (float(curve[level - 1]) for curve in relaxed_curve(counts))
    return RelaxedScore(level, precision, recall, harmonic(precision, recall))


def relaxed_breakeven(counts: RelaxedCounts) -> float | None:
    """The highest value at which the relaxed curves of precision and recall over the threshold meet.

    Between two thresholds both are taken as straight lines; None where they do not meet.
    """
    precision, recall = relaxed_curve(counts)
    gap = precision - recall
    meet = list(precision[gap == 0])
    for i in np.flatnonzero(gap[:-1] * gap[1:] < 0):
        share = gap[i] / (gap[i] - gap[i + 1])
        meet.append(precision[i] + share * (precision[i + 1] - precision[i]))
    return float(max(meet)) if meet else None


def _disk(radius_px: float) -> NDArray[np.uint8]:
    """Ones where the distance from the centre is at most the radius."""
    reach = math.floor(radius_px + 1e-9)
    offset = np.arange(-reach, reach + 1)
    return np.asarray(offset[:, None] ** 2 + offset**2 <= radius_px**2 + 1e-9, dtype=np.uint8)
