"""Road layers on common ground: one local metric plane, lines cut into straight segments."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import shapely
from numpy.typing import NDArray

from georoads.crs import CrsError, find_way, is_local, metres_per_unit, parse_crs
from georoads.errors import LayerError
from georoads.grid import Points, metric_crs, middle_of
from georoads.output.read import RoadLines

LONGEST_M = 250.0
"""A segment that is straight in its own CRS is bent in another one. Lines are divided until that is below
2 mm: the sagitta of 250 m on a circle of the Earth's radius is 1.2 mm, times the tangent of the latitude."""
LEAST_M = 1.0
"""Near a pole, where a degree of longitude is short, parts stay as long as this."""


@dataclass(frozen=True)
class Segments:
    """Straight pieces of lines in a metric plane.

    Attributes:
        start, end: (N, 2) float64 metres.
        line: (N,) int64, the line that each piece belongs to.
    """

    start: Points
    end: Points
    line: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.start)

    @property
    def length_m(self) -> NDArray[np.float64]:
        """(N,) float64, metres."""
        d = self.end - self.start
        return np.hypot(d[:, 0], d[:, 1])

    @property
    def box(self) -> shapely.Geometry:
        """The box around the pieces, of which there is one at least."""
        ends = np.concatenate((self.start, self.end))
        return shapely.box(*ends.min(axis=0), *ends.max(axis=0))

    @cached_property
    def tree(self) -> shapely.STRtree:
        """Spatial index of the pieces."""
        return shapely.STRtree(straight_lines(self.start, self.end))


def straight_lines(start: Points, end: Points) -> NDArray[np.object_]:
    """(N,) shapely LineStrings of two points each, from points (N, 2) to points (N, 2)."""
    return np.asarray(shapely.linestrings(np.stack((start, end), axis=1)), dtype=np.object_)


def local_crs(layers: tuple[RoadLines, ...]) -> str:
    """The metric plane around the middle of the first layer that is not empty, as a PROJ string.

    A CRS that lies nowhere is its own plane.
    """
    for layer in layers:
        if len(layer.lines) and is_local(parse_crs(layer.crs)):
            return layer.crs
        if len(layer.lines):
            west, south, east, north = shapely.total_bounds(layer.lines)
            corners = np.array([[west, south], [east, south], [west, north], [east, north]])
            return metric_crs(*middle_of(project_points(corners, layer, "EPSG:4326")))
    return "EPSG:4326"


def to_segments(layer: RoadLines, crs: str) -> Segments:
    """Project a layer and cut its lines into their straight pieces; pieces of no length are dropped.

    ``Segments.line`` counts the lines that have a length.

    Raises:
        LayerError: the lines cannot be projected.
    """
    real = layer.lines[shapely.length(layer.lines) > 0]
    bounds = shapely.bounds(real)
    latitude = np.minimum(*np.abs(bounds[:, [1, 3]]).T)
    lines = shapely.segmentize(real, longest_segments(layer, latitude))
    points, line = shapely.get_coordinates(lines, return_index=True)
    points = project_points(points, layer, crs)
    same = line[1:] == line[:-1]
    moved = (points[1:] != points[:-1]).any(axis=1)
    keep = np.flatnonzero(same & moved)
    return Segments(points[keep], points[keep + 1], line[keep])


def longest_segments(layer: RoadLines, latitude: NDArray[np.float64]) -> NDArray[np.float64]:
    """``LONGEST_M`` in the unit of the layer's CRS, which may be degrees.

    Args:
        layer: names the CRS.
        latitude: (N,) distances from the equator in that unit, where it is an angle.

    Returns:
        (N,) float64; of angles more where ``LEAST_M`` on the ground is.
    """
    parsed = parse_crs(layer.crs)
    longest = np.full(len(latitude), LONGEST_M / metres_per_unit(parsed))
    if not parsed.is_geographic:
        return longest
    shrunk = np.cos(latitude * float(parsed.axis_info[0].unit_conversion_factor))
    return longest * np.maximum(LEAST_M / (LONGEST_M * np.maximum(shrunk, 1e-9)), 1.0)


def project_points(points: Points, layer: RoadLines, crs: str) -> Points:
    """Project points of a layer.

    Args:
        points: (N, 2) float64 in the layer's CRS.
        layer: names the CRS, and itself in errors.
        crs: the CRS to project to, mostly ``local_crs``.

    Returns:
        (N, 2) float64 in ``crs``.

    Raises:
        LayerError: a point cannot be projected; no way leads from the layer's CRS to the other.
    """
    if not len(points):
        return points
    try:
        way = find_way(layer.crs, crs)
    except CrsError as e:
        raise LayerError(f"{layer.name} cannot be compared with the other layer: {e.message}", e.hint) from e
    moved = np.column_stack(way.transform(points[:, 0], points[:, 1])) * _plane_unit_m(crs)
    if not np.isfinite(moved).all():
        raise LayerError(f"{layer.name} lies outside the area of its CRS", "check the CRS of the layer")
    return moved


def unproject_points(points: Points, layer: RoadLines, crs: str) -> Points:
    """Take points back to the CRS of a layer, from which ``project_points`` had taken them.

    Args:
        points: (N, 2) float64 in ``crs``.
        layer: names the CRS to go to.
        crs: the CRS to come from.

    Returns:
        (N, 2) float64 in the layer's CRS; infinite where there is no way back.
    """
    x, y = (points / _plane_unit_m(crs)).T
    return np.column_stack(find_way(crs, layer.crs).transform(x, y))


def _plane_unit_m(crs: str) -> float:
    """Metres of a unit of a plane: one that lies nowhere may have feet, others have metres."""
    parsed = parse_crs(crs)
    return metres_per_unit(parsed) if is_local(parsed) else 1.0
