from __future__ import annotations

import numpy as np
import pytest

from georoads.evaluation.counts import LevelCounts, score_at
from georoads.evaluation.curves import average_precision, precision_recall


def random_counts(seed: int) -> LevelCounts:
    return np.random.default_rng(seed).integers(0, 50, (2, 255)).astype(np.int64)


def slow_average_precision(counts: LevelCounts) -> float:
    """Σ (R_n - R_{n-1}) P_n, with the pixels in a list, highest level first."""
    road, total, area, last = int(counts[1].sum()), 0, 0.0, 0.0
    true = 0
    for level in range(254, -1, -1):
        total += int(counts[:, level].sum())
        true += int(counts[1, level])
        if total:
            area += (true / road - last) * true / total
            last = true / road
    return area


def test_the_curve_is_the_score_at_every_threshold() -> None:
    counts = random_counts(0)
    curve = precision_recall(counts)
    assert len(curve.threshold) == 254
    for level in range(1, 255):
        score = score_at(counts, level)
        at = curve.threshold[level - 1], curve.precision[level - 1], curve.recall[level - 1]
        assert at == pytest.approx((score.threshold, score.precision, score.recall))


def test_average_precision_of_a_case_by_hand() -> None:
    counts = np.zeros((2, 255), dtype=np.int64)
    counts[1, 200], counts[0, 150], counts[1, 100], counts[0, 0] = 1, 1, 1, 7
    # Ranked: road, background, road: precision 1 at the first, 2/3 at the second.
    assert average_precision(counts) == pytest.approx(0.5 * 1 + 0.5 * 2 / 3)


@pytest.mark.parametrize("seed", range(4))
def test_average_precision_as_the_slow_definition_has_it(seed: int) -> None:
    counts = random_counts(seed)
    assert average_precision(counts) == pytest.approx(slow_average_precision(counts))


def test_average_precision_where_there_is_nothing_to_find_or_nothing_was_seen() -> None:
    counts = np.zeros((2, 255), dtype=np.int64)
    counts[0, 10] = 5
    assert average_precision(counts) is None
    counts[1, 10] = 15
    assert average_precision(counts) == pytest.approx(15 / 20)  # all alike: the share of road
