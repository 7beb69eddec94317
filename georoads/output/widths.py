"""Widths of roads from the attributes of anybody's layer."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

WIDTH_FIELDS = ("width_m", "width", "lanes", "lane_number")
"""Fields that may say how wide a road is; for each road the first one that says something decides. They are
those of our own layers, OSM's ``width`` (metres unless it says feet) and ``lanes``, and SpaceNet's
``lane_number``. Upper and lower case are the same."""
LANE_M = 3.5
"""Width of a lane in metres, for roads of which only the number of lanes is known."""
WIDEST_M = 200.0
"""Greater values are no width of a road, but a code or a mistake."""

_METRES = {"": 1.0, "m": 1.0, "meter": 1.0, "meters": 1.0, "metre": 1.0, "metres": 1.0}
_FEET = {"'": 0.3048, "ft": 0.3048, "feet": 0.3048}
_NUMBER_AND_UNIT = re.compile(r"(\d+(?:[.,]\d+)?)\s*([a-z']*)")


def width_fields(names: Sequence[str]) -> tuple[str, ...]:
    """The fields of a layer that may say how wide a road is, as the layer spells them, the best first."""
    spelled = {name.lower(): name for name in names}
    return tuple(spelled[name] for name in WIDTH_FIELDS if name in spelled)


def widths_of(columns: Mapping[str, Sequence[Any] | NDArray[Any]], count: int) -> NDArray[np.float64]:
    """(count,) float64 metres; NaN where no field says a width.

    Args:
        columns: values of each row (numbers, texts such as ``7.5`` or ``20 ft``, or None), by name.
        count: number of rows.

    Example:
        >>> widths_of({"lanes": ["2", None, "3"], "WIDTH": [None, "6 m", "20'"]}, 3).round(2).tolist()
        [7.0, 6.0, 6.1]
    """
    widths = np.full(count, np.nan)
    for name in width_fields(list(columns)):
        lanes = name.lower().startswith("lane")
        read = np.array([_parse_metres(v, lanes=lanes) for v in columns[name]], dtype=np.float64)
        widths = np.where(np.isnan(widths), read, widths)
    return widths


def _parse_metres(value: Any, *, lanes: bool) -> float:
    """A width in metres; NaN for a text that is no width, and for one that no road can have.

    ``lanes`` says that a number without a unit counts lanes.
    """
    if value is None:
        return np.nan
    match = _NUMBER_AND_UNIT.fullmatch(str(value).strip().lower())
    if match is None:
        return np.nan
    unit = LANE_M if lanes and not match[2] else (_METRES | _FEET).get(match[2], np.nan)
    metres = float(match[1].replace(",", ".")) * unit
    return metres if 0 < metres <= WIDEST_M else np.nan
