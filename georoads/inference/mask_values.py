"""The values of anyone's mask or probability raster: which were found, and how they become levels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georoads.levels import FULL

Values = NDArray[Any]
"""(height, width) of the file's own numbers, or (N,)."""

SLACK = 0.5 / FULL
"""p may lie this far outside of 0..1: half a level, which rounding takes anyway."""
KEPT = 1000
"""So many different values are remembered of those that were found."""
LISTED = 8
"""So many different values are named one by one, and taken for classes rather than for a scale."""


@dataclass(frozen=True)
class Found:
    """The different valid values that were found, ascending.

    Attributes:
        values: (N,) of the file's dtype, at most ``KEPT`` of them; the lowest and the highest are there.
        count: how many there were.
    """

    values: Values
    count: int

    @classmethod
    def of(cls, parts: Sequence[Values]) -> Found:
        """What is found in these values, none of which is NaN."""
        values = np.unique(np.concatenate([part.ravel() for part in parts]))
        kept = np.linspace(0, len(values) - 1, min(KEPT, len(values))).astype(np.int64)
        return cls(values[kept], len(values))

    @property
    def lies_in_0_1(self) -> bool:
        """Whether there is no value but such that are p."""
        return bool(((self.values >= -SLACK) & (self.values <= 1 + SLACK)).all())

    def consist_of(self, *numbers: float) -> bool:
        """Whether there is no value but these."""
        return bool(is_one_of(self.values, numbers).all())

    def __str__(self) -> str:
        if not self.count:
            return "nothing"
        if self.count > LISTED:
            return f"values from {text_of(self.values[0])} to {text_of(self.values[-1])}"
        *others, last = map(text_of, self.values)
        return f"{', '.join(others)} and {last}" if others else f"nothing but {last}"


@dataclass(frozen=True)
class Classes:
    """Values that are road and values that are ground.

    Attributes:
        road: the values that are road.
        ground: those that are ground; None: all others. A value that is neither was not expected.
        is_inverted: road is ground, and ground is road.
    """

    road: tuple[float, ...]
    ground: tuple[float, ...] | None
    is_inverted: bool = False

    def levels(self, values: Values, valid: NDArray[np.bool_]) -> NDArray[np.uint8] | None:
        """round(254 p) of each value, anything where it is not valid; None: a value was not expected."""
        is_road = is_one_of(values, self.road)
        if self.ground is not None and not (is_road | is_one_of(values, self.ground) | ~valid).all():
            return None
        return np.where(is_road != self.is_inverted, np.uint8(FULL), np.uint8(0))

    @property
    def zero_is_ground(self) -> bool:
        """Whether 0 is no road."""
        return (0 in self.road) == self.is_inverted


@dataclass(frozen=True)
class Probabilities:
    """Values that become p: value x scale + offset, or the logistic function of that.

    Attributes:
        scale, offset: see above.
        is_logit: the logistic function is taken.
        is_clipped: p outside of 0..1 is taken for 0 or 1; else it was not expected.
        is_inverted: 1 - p is taken.
    """

    scale: float = 1.0
    offset: float = 0.0
    is_logit: bool = False
    is_clipped: bool = False
    is_inverted: bool = False

    def levels(self, values: Values, valid: NDArray[np.bool_]) -> NDArray[np.uint8] | None:
        """round(254 p) of each value, anything where it is not valid; None: a p was not expected."""
        with np.errstate(over="ignore", invalid="ignore"):
            if self.is_logit:
                x = values.astype(np.float64) * self.scale + self.offset
                exact = FULL / (1 + np.exp(-x))
            else:
                # The factor first: levels of old rasters are rounded as they were.
                exact = values.astype(np.float64) * (self.scale * FULL)
                if self.offset:
                    exact += self.offset * FULL
        exact = np.where(valid, exact, 0)
        limit = SLACK * FULL
        if exact.size and not self.is_clipped and not -limit <= exact.min() <= exact.max() <= FULL + limit:
            return None
        levels = np.rint(np.clip(exact, 0, FULL)).astype(np.uint8)
        return np.uint8(FULL) - levels if self.is_inverted else levels

    @property
    def zero_is_ground(self) -> bool:
        """Whether 0 is p = 0."""
        levels = self.levels(np.zeros(1), np.ones(1, np.bool_))
        return levels is not None and int(levels[0]) == 0


Meaning = Classes | Probabilities
"""What a raster's values mean."""


def is_one_of(values: Values, numbers: Iterable[float]) -> NDArray[np.bool_]:
    """Which values equal one of the numbers; a number that the dtype cannot hold equals none."""
    if values.dtype.kind in "iu":
        info = np.iinfo(values.dtype)
        numbers = [int(n) for n in numbers if float(n).is_integer() and info.min <= n <= info.max]
    else:
        numbers = list(numbers)
    if len(numbers) > 4:
        return np.isin(values, np.array(numbers, values.dtype))
    found = np.zeros(values.shape, np.bool_)
    with np.errstate(over="ignore"):
        for number in numbers:
            found |= values == number
    return found


def text_of(value: Any) -> str:
    """A stored number, written so that it is read back as the same."""
    return str(value).removesuffix(".0")
