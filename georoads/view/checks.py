"""What of a layer to look at before it is used: uncertain and bridged lines, ends that almost meet a line."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import shapely
from numpy.typing import NDArray

from georoads.output.style import BRIDGED_FROM_M, DASHED_FROM_SHARE, UNCERTAIN_BELOW
from georoads.ragged import owners
from georoads.view.layer import MapLayer

NEAR_M = 15.0
"""A dead end is looked at where another line lies no farther ahead of it."""
_AHEAD = 0.5
"""Cosine of 60°: so far to the side may lie what an end points at, as where faint gaps are closed."""
_BACK_M = 10.0
"""An end points away from the place so far back along its line."""


@dataclass(frozen=True)
class Checks:
    """What to look at, line by line.

    Attributes:
        is_uncertain: (N,) bool, the confidence is low or not stated where other lines have one.
        is_bridged: (N,) bool, a gap was bridged that is worth a look.
        is_near: (N, 2) bool, the first or last point is a dead end with another line shortly ahead.
    """

    is_uncertain: NDArray[np.bool_]
    is_bridged: NDArray[np.bool_]
    is_near: NDArray[np.bool_]


def checks_of(layer: MapLayer) -> Checks:
    """What to look at in a layer; what it has no attribute for is nowhere."""
    is_uncertain = ~(_numbers(layer, "confidence") >= UNCERTAIN_BELOW) & (layer.subject == "Confidence")
    return Checks(
        is_uncertain=is_uncertain[layer.rows],
        is_bridged=(_numbers(layer, "bridged_m") >= BRIDGED_FROM_M)[layer.rows],
        is_near=_ends_near_a_line(layer),
    )


def mostly_bridged(layer: MapLayer) -> NDArray[np.bool_]:
    """(N,) bool: lines that were bridged for more than half of their length, which are drawn dashed."""
    bridged_m = _numbers(layer, "bridged_m")
    # A row of several parts says how much of all of them was bridged.
    row_m = np.bincount(layer.rows, layer.length_m, minlength=len(bridged_m))
    return (bridged_m > DASHED_FROM_SHARE * row_m)[layer.rows]


def _numbers(layer: MapLayer, name: str) -> NDArray[np.float64]:
    """(rows,) float64, an attribute of each row; NaN where there is none, or no number."""
    column = layer.columns.get(name)
    if column is None or column.dtype.kind not in "iuf":
        return np.full(int(layer.rows.max(initial=-1)) + 1, np.nan)
    return column.astype(np.float64)


def _ends_near_a_line(layer: MapLayer) -> NDArray[np.bool_]:
    """(N, 2) bool, as ``Checks.is_near``."""
    is_near = np.zeros((layer.n_lines, 2), dtype=bool)
    line, side = np.nonzero(layer.line_ends == 1)
    if not len(line):
        return is_near
    shapes = shapely.linestrings(layer.points, indices=owners(layer.offsets))
    # Where each dead end lies, and which way it points: away from a place farther back.
    places = layer.points[np.where(side == 0, layer.offsets[line], layer.offsets[line + 1] - 1)]
    back = shapely.line_interpolate_point(shapes[line], np.where(side == 0, _BACK_M, -_BACK_M))
    pointing = places - shapely.get_coordinates(back)
    # All lines within reach of each end, but not its own.
    ends = shapely.points(places)
    end, other = shapely.STRtree(shapes).query(ends, predicate="dwithin", distance=NEAR_M)
    end, other = end[line[end] != other], other[line[end] != other]
    # The side street's end lies near the road that it leaves, too: only what lies ahead counts.
    ways = shapely.get_coordinates(shapely.shortest_line(ends[end], shapes[other])).reshape(-1, 2, 2)
    gap = ways[:, 1] - ways[:, 0]
    reach = np.hypot(*gap.T) * np.hypot(*pointing[end].T)
    found = end[(gap * pointing[end]).sum(axis=1) >= _AHEAD * reach]
    is_near[line[found], side[found]] = True
    return is_near
