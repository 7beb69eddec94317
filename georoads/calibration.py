"""What a model's p, and the widths of its mask, mean on the ground: measured where the truth is known."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

TAG = "GEOROADS_CALIBRATION"
"""Metadata of a probability raster."""
KNOTS = 11
"""Values of ``Calibration.confidence_at``: at p = 0, 0.1, … 1."""


@dataclass(frozen=True)
class Calibration:
    """Corrections of what is said of a line.

    Attributes:
        confidence_at: the share of lines that are right where their mean p is 0, 0.1, … 1: eleven values in
            0..1, none smaller than the one before; (): confidence is the mean p.
        width_of: (a, b): a road that the mask shows w metres wide is a w^b wide; (): it is as wide as shown.
    """

    confidence_at: tuple[float, ...] = ()
    width_of: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        at = self.confidence_at
        if at and not (len(at) == KNOTS and list(at) == sorted(at) and min(at) >= 0 and max(at) <= 1):
            raise ValueError(f"confidence_at must be {KNOTS} values from 0 to 1 that do not fall, not {at}")
        of = self.width_of
        if of and not (len(of) == 2 and 0.01 <= of[0] <= 100 and 0.1 <= of[1] <= 2):
            raise ValueError(f"width_of must be a factor, 0.01 to 100, and a power, 0.1 to 2, not {of}")

    def confidence(self, p: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N,) float64 in 0..1: how sure lines are, from their mean p (N,); linear between the knots."""
        if not self.confidence_at:
            return p
        return np.interp(p, np.linspace(0, 1, KNOTS), self.confidence_at)

    def width_factor(self, width_m: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N,) float64: what widths (N,) in metres are to be multiplied with."""
        if not self.width_of:
            return np.ones_like(width_m)
        factor, power = self.width_of
        return factor * np.maximum(width_m, 0.01) ** (power - 1)

    def to_text(self) -> str:
        """For a tag or a card."""
        return json.dumps({"confidence_at": list(self.confidence_at), "width_of": list(self.width_of)})


def parse_calibration(value: Any) -> Calibration:
    """What a card holds, or the text of a tag.

    Raises:
        ValueError: it is none.
    """
    if isinstance(value, str):
        value = json.loads(value)
    if not isinstance(value, dict):
        raise ValueError(f"a calibration is an object, not {str(value)[:80]}")
    found = {}
    for name in ("confidence_at", "width_of"):
        numbers = value.get(name, [])
        is_list = isinstance(numbers, list | tuple)
        if not is_list or any(isinstance(n, bool) or not isinstance(n, int | float) for n in numbers):
            raise ValueError(f"{name} must be a list of numbers, not {str(numbers)[:80]}")
        found[name] = tuple(float(n) for n in numbers)
    return Calibration(**found)
