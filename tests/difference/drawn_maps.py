"""Small maps of roads, drawn in letters: one letter is one road, + is a place where roads meet.

A cell is CELL_M wide. A letter's road leads through its cells (and the + beside them) from west to east, or
from north to south where it lies in one column.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any

import numpy as np
import shapely

from georoads.output.read import RoadLines

CELL_M = 10.0
_AXES = 'CS[Cartesian, 2], AXIS["x", east], AXIS["y", north], LENGTHUNIT["metre", 1]'
LOCAL = f'ENGCRS["town", EDATUM["town"], {_AXES}]'
"""Metres that lie nowhere are compared as they are: what is drawn is exact."""


def lines_of(drawing: str) -> dict[str, shapely.LineString]:
    """The road of each letter."""
    rows = [row for row in textwrap.dedent(drawing).strip("\n").split("\n")]
    cells = {
        (column, len(rows) - 1 - row): sign
        for row, text in enumerate(rows)
        for column, sign in enumerate(text)
        if sign.strip()
    }
    found = {}
    for letter in sorted({sign for sign in cells.values() if sign.isalpha()}):
        own = np.array([place for place, sign in cells.items() if sign == letter])
        is_upright = len(set(own[:, 0])) == 1 and len(own) > 1
        axis = np.array([0, 1] if is_upright else [1, 0])
        own = own[np.argsort(own @ axis)]
        for first, step in ((True, -axis), (False, axis)):
            beside = (own[0] if first else own[-1]) + step
            if cells.get(tuple(beside)) == "+":
                own = np.vstack((beside, own) if first else (own, beside))
        found[letter] = shapely.LineString(own * CELL_M)
    return found


def drawn(
    drawing: str,
    *,
    shift: tuple[float, float] = (0.0, 0.0),
    crs: str = LOCAL,
    columns: Mapping[str, Any] | None = None,
) -> RoadLines:
    """The roads of a drawing, in the order of their letters, with the letter as ``name``."""
    found = lines_of(drawing)
    lines = np.empty(len(found), dtype=object)
    lines[:] = list(found.values())
    lines = shapely.transform(lines, lambda xy: xy + np.array(shift)) if len(lines) else lines
    known = {"name": np.array(list(found), dtype=object)}
    known |= {name: np.asarray(values) for name, values in (columns or {}).items()}
    return RoadLines(lines, crs, columns=known)
