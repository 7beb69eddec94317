from __future__ import annotations

import math

import numpy as np
import pytest

from georoads.evaluation.calibration import MIN_TEMPERATURE, calibration_error, fit_temperature, reliability
from georoads.evaluation.counts import LevelCounts


def counted(**pixels: tuple[int, int]) -> LevelCounts:
    """Counts of background and road by level, as in ``counted(l127=(3, 1))``."""
    counts = np.zeros((2, 255), dtype=np.int64)
    for level, both in pixels.items():
        counts[:, int(level[1:])] = both
    return counts


def slow_nll(counts: LevelCounts, temperature: float) -> float:
    total = 0.0
    for level in range(255):
        p = min(max(level / 254, 0.25 / 254), 1 - 0.25 / 254)
        p = 1 / (1 + math.exp(-math.log(p / (1 - p)) / temperature))
        total -= counts[0, level] * math.log(1 - p) + counts[1, level] * math.log(p)
    return total / int(counts.sum())


def test_bins_by_hand() -> None:
    bins = reliability(counted(l0=(10, 0), l127=(3, 1), l139=(0, 4), l254=(1, 9)))
    assert [b.pixels for b in bins] == [10, 0, 0, 0, 0, 8, 0, 0, 0, 10]
    assert bins[0].mean_p == 0.0 and bins[9].mean_p == 1.0
    assert bins[5].low == 0.5  # p = 0.5 belongs to the upper bin
    assert bins[5].mean_p == pytest.approx((4 * 127 + 4 * 139) / 8 / 254)
    assert bins[5].road_share == 5 / 8
    assert bins[9].road_share == 0.9
    assert bins[2].mean_p == 0.25 and bins[2].road_share == 0.0


def test_calibration_error_by_hand() -> None:
    bins = reliability(counted(l0=(70, 10), l254=(5, 15)))
    assert calibration_error(bins) == pytest.approx(0.8 * 10 / 80 + 0.2 * 5 / 20)
    assert calibration_error(reliability(counted(l0=(7, 0), l127=(2, 2), l254=(0, 3)))) == 0.0


@pytest.mark.parametrize("true_temperature", [0.5, 1.0, 2.0])
def test_the_temperature_that_made_the_counts_is_found(true_temperature: float) -> None:
    p = np.arange(255) / 254
    p[0], p[-1] = 0.25 / 254, 1 - 0.25 / 254
    real = 1 / (1 + np.exp(-np.log(p / (1 - p)) / true_temperature))
    counts = np.rint(np.stack([1 - real, real]) * 1e8).astype(np.int64)
    found = fit_temperature(counts)
    assert found.value == pytest.approx(true_temperature, rel=1e-4)
    assert found.ece_after < 1e-3
    assert found.nll_after <= found.nll_before + 1e-12


def test_likelihoods_as_the_slow_definition_has_them_and_no_neighbour_is_better() -> None:
    counts = np.random.default_rng(3).integers(0, 30, (2, 255)).astype(np.int64)
    counts[1, 100:] *= 3
    found = fit_temperature(counts)
    assert found.nll_before == pytest.approx(slow_nll(counts, 1.0))
    assert found.nll_after == pytest.approx(slow_nll(counts, found.value))
    for factor in (0.98, 1.02):
        assert slow_nll(counts, found.value * factor) >= found.nll_after


def test_where_every_pixel_is_right_the_temperature_stays_in_its_range() -> None:
    found = fit_temperature(counted(l20=(50, 0), l240=(0, 50)))
    assert found.value == pytest.approx(MIN_TEMPERATURE, rel=0.05)
