"""Coordinates of a layer: which ones there can be, and longitudes that run on across the antimeridian.

The longitudes of files end at 180 degrees, at 360, or nowhere, and lines that cross the antimeridian are
split there, or step round the globe. Here such lines run on, and the seam lies where the layer has none: so
roads that meet have equal longitudes, and a layer's box is as wide as the layer.
"""

from __future__ import annotations

import numpy as np
import shapely
from numpy.typing import NDArray

from georoads.crs import is_local, metres_per_unit, parse_crs, turn_of
from georoads.errors import LayerError

Geometries = NDArray[np.object_]
LONGEST_STEP_M = 1e6
"""No road is drawn straight for longer; such a step comes from a line that ends on the wrong side."""
_FARTHEST_M = 1e8
"""No projection reaches so far from its origin, whatever its false easting."""
_FARTHEST_LOCAL_M = 2e7


def whole_turns(crs: str, middle: float, target: float) -> float:
    """How far longitudes around ``middle`` move, by whole turns, to come nearest to ``target``.

    Args:
        crs: whose coordinates the others are.
        middle: of the longitudes.
        target: the longitude that they shall lie near.

    Returns:
        0 in a CRS that does not count angles.
    """
    turn = turn_of(parse_crs(crs))
    return 0.0 if turn is None else turn * round((target - middle) / turn)


def check_range(geometry: Geometries, crs: str, where: str) -> None:
    """Refuse a layer with coordinates that its CRS cannot have; those that are no numbers are not looked at.

    Args:
        geometry: (N,) shapely geometries.
        crs: of their coordinates.
        where: file and layer, for messages.

    Raises:
        LayerError: a coordinate is too large; the CRS is one of three axes from the middle of the Earth.
    """
    parsed = parse_crs(crs)
    turn = turn_of(parsed)
    if parsed.is_geocentric:
        raise LayerError(
            f"{where} has x, y and z from the middle of the Earth ({parsed.name})",
            "reproject it, as in: ogr2ogr -t_srs EPSG:4326 OUT IN",
        )
    points, row = shapely.get_coordinates(geometry, return_index=True)
    if turn is not None:
        most = np.array([1.5 * turn, turn / 4 * (1 + 1e-9)])
    else:
        most = (_FARTHEST_LOCAL_M if is_local(parsed) else _FARTHEST_M) / metres_per_unit(parsed) * np.ones(2)
    beyond = (np.abs(points) > most).any(axis=1)
    if beyond.any():
        first = int(beyond.argmax())
        x, y = points[first]
        raise LayerError(
            f"{where}: row {row[first] + 1} lies at {x:g}, {y:g}, which is no place in {parsed.name}",
            "redraw it; or, if the CRS is wrong or x and y are swapped, assign another: "
            "ogr2ogr -a_srs EPSG:32633 OUT IN",
        )


def check_steps(lines: Geometries, crs: str, where: str) -> None:
    """Refuse lines with two points after each other that lie too far apart for a road.

    Args:
        lines: (N,) shapely LineStrings.
        crs: of their coordinates.
        where: file and layer, for messages.

    Raises:
        LayerError: a line has a step of more than ``LONGEST_STEP_M``.
    """
    points, line = shapely.get_coordinates(lines, return_index=True)
    parsed, step = parse_crs(crs), np.diff(points, axis=0)
    if parsed.is_geographic:
        middle = (points[1:, 1] + points[:-1, 1]) / 2 * float(parsed.axis_info[0].unit_conversion_factor)
        step[:, 0] *= np.cos(middle)
    length_m = np.hypot(step[:, 0], step[:, 1]) * metres_per_unit(parsed) * (line[1:] == line[:-1])
    if length_m.max(initial=0.0) > LONGEST_STEP_M:
        first = int((length_m > LONGEST_STEP_M).argmax())
        raise LayerError(
            f"{where}: line {line[first] + 1} goes {length_m[first] / 1000:,.0f} km from a point to the next",
            "no road does: redraw it; where it crosses the antimeridian in metres, reproject the layer: "
            "ogr2ogr -t_srs EPSG:4326 OUT IN",
        )


def run_on(lines: Geometries, crs: str) -> Geometries:
    """Lines whose longitudes run on: none steps round the globe, and roads that meet have equal longitudes.

    1. Within a line, a step of more than half a turn is meant the other way round.
    2. Where lines then reach the antimeridian, the seam is moved to the middle of their widest gap.
    3. The middle of the layer lies within half a turn of 0.

    Args:
        lines: (N,) shapely LineStrings, none of them empty.
        crs: of their coordinates.

    Returns:
        (N,) the same lines where nothing is to be done, as in any CRS that does not count angles.
    """
    turn = turn_of(parse_crs(crs))
    if turn is None or not len(lines):
        return lines
    points, line = shapely.get_coordinates(lines, return_index=True)
    first = np.flatnonzero(np.diff(line, prepend=-1))
    # Turns to add to each point, so that its line goes the short way.
    turns = np.cumsum(-np.rint(np.diff(points[:, 0], prepend=points[0, 0]) / turn))
    turns -= turns[first][line]
    longitude = points[:, 0] + turns * turn
    if not turns.any() and np.abs(longitude).max() < turn / 2 * (1 - 1e-12):  # none touches the antimeridian
        return lines
    west, east = np.minimum.reduceat(longitude, first), np.maximum.reduceat(longitude, first)
    # Turns to add to each line, so that it lies east of the seam; then to all of them.
    added = -np.floor((west - _seam(west, east, turn)) / turn)
    middle = ((west + added * turn).min() + (east + added * turn).max()) / 2
    turns += added[line] - np.rint(middle / turn)
    if not turns.any():
        return lines
    points[:, 0] += turns * turn
    return np.asarray(shapely.set_coordinates(lines.copy(), points), dtype=np.object_)


def _seam(west: NDArray[np.float64], east: NDArray[np.float64], turn: float) -> float:
    """The longitude in the middle of the widest gap between lines from west to east (N,), if there is one."""
    begin = west % turn
    order = np.argsort(begin, kind="stable")
    begin, end = begin[order], np.maximum.accumulate((begin + east - west)[order])
    gap = np.append(begin[1:], begin[0] + turn) - end
    return float(end[gap.argmax()] + gap.max() / 2) if gap.max() > 0 else -turn / 2
