"""Pixel metrics from counts. Counts add up over tiles; ratios are taken once, at the end."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from georoads.levels import COUNT, NODATA, p_of

LevelCounts = NDArray[np.int64]
"""(2, 255) int64: pixels of background and of road by predicted level 0..254."""


def count_levels(levels: NDArray[np.uint8], road: NDArray[np.bool_], valid: NDArray[np.bool_]) -> LevelCounts:
    """Count the valid pixels of each level, background and road apart.

    Args:
        levels: (H, W) uint8, round(254 p) or 255 for no data.
        road: (H, W) bool, the truth.
        valid: (H, W) bool.
    """
    use = valid & (levels != NODATA)
    return np.stack(
        [np.bincount(levels[use & (road == truth)], minlength=COUNT) for truth in (False, True)]
    ).astype(np.int64)


@dataclass(frozen=True)
class PixelScore:
    """Metrics of the road class at one threshold.

    Attributes:
        level: threshold; a pixel is road at p >= level / 254.
        iou, precision, recall, f1: of road, pooled over all pixels counted.
    """

    level: int
    iou: float
    precision: float
    recall: float
    f1: float

    @property
    def threshold(self) -> float:
        """The threshold as a probability."""
        return p_of(self.level)


def score_at(counts: LevelCounts, level: int) -> PixelScore:
    """Metrics at one threshold; 1 where there is neither road nor prediction."""
    true, false, missed = _confusion(counts, level)
    return PixelScore(
        level,
        iou=_ratio(true, true + false + missed),
        precision=_ratio(true, true + false),
        recall=_ratio(true, true + missed),
        f1=_ratio(2 * true, 2 * true + false + missed),
    )


def best_score(counts: LevelCounts) -> PixelScore:
    """Metrics at the threshold with the highest road IoU (the lowest such threshold)."""
    return max((score_at(counts, level) for level in range(1, COUNT)), key=lambda score: score.iou)


def iou_interval(per_tile: list[LevelCounts], level: int, seed: int = 0) -> tuple[float, float]:
    """95 % interval of the pooled road IoU, by the percentiles of 1,000 bootstrap samples of the tiles.

    B. Efron and R. Tibshirani, An Introduction to the Bootstrap (1993), chapter 13.

    Args:
        per_tile: counts of each tile.
        level: a pixel is road at p >= level / 254.
        seed: of the draws.
    """
    # Columns true, false, missed; the union of IoU is their sum.
    parts = np.array([_confusion(c, level) for c in per_tile], dtype=np.float64)
    rng = np.random.default_rng(seed)
    draws = rng.integers(len(parts), size=(1000, len(parts)))
    drawn = parts[draws].sum(axis=1)
    low, high = np.percentile(drawn[:, 0] / np.maximum(drawn.sum(axis=1), 1), [2.5, 97.5])
    return float(low), float(high)


def _confusion(counts: LevelCounts, level: int) -> tuple[int, int, int]:
    """Road that is found, background that is called road, and road that is missed, in pixels."""
    return int(counts[1, level:].sum()), int(counts[0, level:].sum()), int(counts[1, :level].sum())


def ratios(part: NDArray[np.int64], whole: NDArray[np.int64] | np.int64) -> NDArray[np.float64]:
    """What share each part is of its whole; 1 where that is nothing."""
    return np.where(whole > 0, part / np.maximum(whole, 1), 1.0)


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else 1.0
