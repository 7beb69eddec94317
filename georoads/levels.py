"""The probability p as it is kept, one byte a pixel: round(254 p), and 255 where no pixel is valid."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FULL = 254
"""The level of p = 1."""
NODATA = 255
"""The level of a pixel that is not valid."""
COUNT = FULL + 1
"""Levels that are a probability: 0 to 254."""


def level_of(p: float) -> int:
    """The level of a probability in 0..1."""
    return round(FULL * p)


def threshold_level(p: float) -> int:
    """The lowest level that is road at a threshold p; level 0 never is."""
    return max(1, level_of(p))


def probabilities() -> NDArray[np.float64]:
    """(255,) float64: p of each level from 0 to 254."""
    return np.arange(COUNT) / FULL
