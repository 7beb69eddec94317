"""Precision and recall over the threshold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from georoads.evaluation.counts import LevelCounts, ratios
from georoads.levels import probabilities


@dataclass(frozen=True)
class Curve:
    """The road class at the 254 thresholds 1/254 .. 1, pooled over pixels.

    Attributes:
        threshold: (254,) float64, increasing.
        precision: (254,) float64; 1 where nothing is predicted.
        recall: (254,) float64, never increasing; 1 where there is no road.
    """

    threshold: NDArray[np.float64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]


def precision_recall(counts: LevelCounts) -> Curve:
    """Precision and recall at every threshold."""
    precision, recall = _precision_and_recall(counts)
    return Curve(probabilities()[1:], precision[1:], recall[1:])


def average_precision(counts: LevelCounts) -> float | None:
    """Σ (R_k - R_{k+1}) P_k over the levels, from the highest down to 0, where everything is road.

    The area under the precision-recall curve as steps, without interpolation, as scikit-learn's
    average_precision_score gives it for the quantised probabilities. None where there is no road.
    """
    if not counts[1].any():
        return None
    precision, recall = _precision_and_recall(counts)
    gained = recall - np.append(recall[1:], 0.0)
    return float(gained @ precision)


def _precision_and_recall(counts: LevelCounts) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Precision and recall, (255,) each, when a pixel is road from level 0, 1, .. 254 on."""
    # Pixels at or above each level: sums from the highest level down.
    false, true = np.cumsum(counts[:, ::-1], axis=1)[:, ::-1]
    return ratios(true, false + true), ratios(true, true[0])
