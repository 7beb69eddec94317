"""Calibration: whether pixels with p = 0.8 are road in 80 of 100 cases."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from georoads.evaluation.counts import LevelCounts
from georoads.levels import FULL, probabilities

BINS = 10
MIN_TEMPERATURE, MAX_TEMPERATURE = 0.05, 20.0
"""Range in which the temperature is sought; where every pixel is right, it would go to 0."""


@dataclass(frozen=True)
class Bin:
    """The pixels whose p lies in [low, high), or [low, 1] in the last bin.

    Attributes:
        low, high: of the bin.
        pixels: how many.
        mean_p: mean probability of its pixels; the bin's middle where it has none.
        road_share: share of them that are road; 0 where it has none.
    """

    low: float
    high: float
    pixels: int
    mean_p: float
    road_share: float


@dataclass(frozen=True)
class Temperature:
    """The temperature that would make the true mask most likely, p = sigmoid(logit / value).

    Attributes:
        value: above 1 the network is too sure of itself, below 1 not sure enough.
        nll_before, nll_after: mean negative log-likelihood of a pixel in nats, as it is and with the value.
        ece_after: expected calibration error with the value.
    """

    value: float
    nll_before: float
    nll_after: float
    ece_after: float


def reliability(counts: LevelCounts) -> tuple[Bin, ...]:
    """The reliability table of ten bins of equal width."""
    return _bin_table(counts, probabilities())


def calibration_error(bins: tuple[Bin, ...]) -> float:
    """Expected calibration error: |mean p - share of road| over the bins, weighted by their pixels.

    M. Naeini, G. Cooper and M. Hauskrecht, Obtaining Well Calibrated Probabilities Using Bayesian Binning,
    AAAI 2015. Most pixels are background and lie in the first bin, so the first bin rules this number.
    """
    total = sum(b.pixels for b in bins)
    return sum(b.pixels * abs(b.mean_p - b.road_share) for b in bins) / total if total else 0.0


def fit_temperature(counts: LevelCounts) -> Temperature:
    """The temperature that minimises the negative log-likelihood of the counted pixels.

    C. Guo et al., On Calibration of Modern Neural Networks, ICML 2017, section 4.2. It changes no ranking, so
    no curve and no best score, only what p is called. To be fitted on val.
    """
    from scipy.optimize import minimize_scalar

    def loss(inverse: float) -> float:
        return _nll(counts, inverse)

    # In the inverse temperature the likelihood is convex: there is one minimum.
    found = minimize_scalar(
        loss, bounds=(1 / MAX_TEMPERATURE, 1 / MIN_TEMPERATURE), method="bounded", options={"xatol": 1e-7}
    )
    inverse = float(found.x)
    after = _bin_table(counts, 1.0 / (1.0 + np.exp(-inverse * _logits())))
    return Temperature(1 / inverse, loss(1.0), loss(inverse), calibration_error(after))


def _bin_table(counts: LevelCounts, p: NDArray[np.float64]) -> tuple[Bin, ...]:
    """The reliability table of pixels whose level k stands for the probability p[k]."""
    # A level on a border, such as 127 = 0.5, must not fall below it by rounding.
    bin_of = np.minimum(BINS - 1, np.floor(p * BINS + 1e-9)).astype(np.int64)
    pixels = counts.sum(axis=0)
    bins = []
    for i in range(BINS):
        inside = bin_of == i
        n = int(pixels[inside].sum())
        bins.append(
            Bin(
                low=i / BINS,
                high=(i + 1) / BINS,
                pixels=n,
                mean_p=float(p[inside] @ pixels[inside]) / n if n else (i + 0.5) / BINS,
                road_share=int(counts[1, inside].sum()) / n if n else 0.0,
            )
        )
    return tuple(bins)


def _logits() -> NDArray[np.float64]:
    """(255,) the logit that a level stands for; the first and last stand for half a level's width."""
    p = probabilities()
    p[0], p[-1] = 0.25 / FULL, 1 - 0.25 / FULL
    return np.asarray(np.log(p) - np.log1p(-p))


def _nll(counts: LevelCounts, inverse_temperature: float) -> float:
    """Mean negative log-likelihood of a pixel: log(1 + e^z) on background, log(1 + e^-z) on road."""
    z = inverse_temperature * _logits()
    total = max(1, int(counts.sum()))
    return float(np.logaddexp(0.0, z) @ counts[0] + np.logaddexp(0.0, -z) @ counts[1]) / total
