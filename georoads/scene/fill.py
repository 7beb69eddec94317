"""Values that stand for nodata although the file does not say so, found in samples of a scene."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

MIN_SHARE = 0.01
"""A value that fewer pixels hold does not move the stretch."""
MAX_BETWEEN = 0.1
"""Between a fill value and the others lies almost nothing: a tenth of the pixels that hold it. Below
saturated pixels there are always others nearly as bright."""
FAR = 20
"""Any value that lies so many spreads of the others away from them is no measurement."""
_LIMITS = frozenset(s for bits in (15, 16, 31, 32) for s in (2.0**bits - 1, -(2.0**bits)))
_HUGE = 1e10
"""No sensor counts so far."""


def find_fills(sample: NDArray[np.float64]) -> tuple[float, ...]:
    """The fill values in a sample; a pixel is none of the ground where any band holds one.

    Args:
        sample: (3, N) values as stored of pixels that are valid by what the file says.
    """
    fills: list[float] = []
    while (fill := _find_fill(sample)) is not None:
        fills.append(fill)
        sample = sample[:, ~(sample == fill).any(axis=0)]
    return tuple(fills)


def _find_fill(sample: NDArray[np.float64]) -> float | None:
    """The smallest or largest value of a sample, if it is a fill value."""
    if not sample.size:
        return None
    for value in (float(sample.min()), float(sample.max())):
        held = (sample == value).any(axis=0)
        if held.all():
            return value if _is_conventional(value) else None
        if held.mean() > MIN_SHARE and _is_far(value, sample[:, ~held], int(held.sum())):
            return value
    return None


def _is_far(value: float, others: NDArray[np.float64], held: int) -> bool:
    """Whether a value lies far outside the others, with almost nothing between.

    Args:
        value: smaller or larger than all others.
        others: (3, N).
        held: number of pixels that hold the value.
    """
    with np.errstate(over="ignore", invalid="ignore"):  # differences of the largest numbers there are
        between = (np.abs(others - value) < np.abs(others - np.median(others))).any(axis=0)
        if between.all() or between.sum() > MAX_BETWEEN * held:
            return False
        low, high = np.percentile(others[:, ~between], (1, 99))
        spread, distance = high - low, max(low - value, value - high)
    if _is_conventional(value, float(low)):
        return bool(distance > spread)
    return bool(distance > FAR * spread > 0)


def _is_conventional(value: float, low: float = -math.inf) -> bool:
    """Whether programs fill with such a value: an end of a type, nines, huge, or below 0 alone."""
    is_nines = abs(value) >= 999 and value.is_integer() and set(f"{abs(value):.0f}") == {"9"}
    return value in _LIMITS or is_nines or abs(value) >= _HUGE or value < 0 <= low


def describe_fills(fills: tuple[float, ...], sample: NDArray[np.float64]) -> tuple[str, ...]:
    """What the summary must say of fill values.

    Args:
        fills: as ``find_fills`` gives them.
        sample: (3, N), in which they were found.
    """
    shares = [(sample == fill).any(axis=0).mean() for fill in fills]
    return tuple(
        f"value {fill:g} on {share:.0%} of the pixels is taken for nodata, which the file does not say; "
        "--set scene.rescale=[LOW,HIGH] takes it as a value"
        for fill, share in zip(fills, shares, strict=True)
    )
