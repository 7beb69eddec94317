"""The two numbers of the DeepGlobe notebook that georoads grew from: pooled two-class IoU, and Dice loss.

The notebook's network has two sigmoid channels, background and road, against a one-hot mask; its IoU and its
Dice loss sum over both channels at once. The background is nearly everything and nearly always right, so both
flatter: a mask without any road scores an IoU above 0.9. Here the background's probability is 1 - p(road).
"""

from __future__ import annotations

import numpy as np

from georoads.evaluation.counts import LevelCounts
from georoads.levels import level_of, probabilities

HALF = level_of(0.5)
"""The notebook's threshold, p >= 0.5, as a level."""


def two_class_iou(counts: LevelCounts, level: int = HALF) -> float:
    """IoU over both channels of a one-hot mask: (N - e) / (N + e) for e wrong pixels among N.

    A wrong pixel stands in the union twice, once for each channel, and a right one once; so this depends on
    the share of right pixels alone. 1 where there is no pixel.
    """
    total = int(counts.sum())
    wrong = int(counts[0, level:].sum() + counts[1, :level].sum())
    return (total - wrong) / (total + wrong) if total else 1.0


def two_class_dice_loss(counts: LevelCounts) -> float:
    """Soft Dice loss over both channels of a one-hot mask; 0 where there is no pixel.

    1 - 2 Σ p t / (Σ p + Σ t) over pixels and channels (Milletari et al. 2016, V-Net). The channels of p sum
    to 1 in each pixel, as those of t do, so both sums are N and the loss is the mean of |p(road) - road|.
    """
    total = int(counts.sum())
    p = probabilities()
    return float(p @ counts[0] + (1.0 - p) @ counts[1]) / total if total else 0.0


def background_only(counts: LevelCounts) -> LevelCounts:
    """The counts of a prediction that is p = 0 everywhere on the same truth: what no model at all scores."""
    none = np.zeros_like(counts)
    none[:, 0] = counts.sum(axis=1)
    return none
