"""Road layers on common ground: one local metric plane, lines cut into straight segments."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np
import shapely
from numpy.typing import NDArray

from georoads.errors import LayerError
from georoads.grid import Points, metric_crs, middle_of, parse_crs
from georoads.output.read import RoadLines

if TYPE_CHECKING:
    from pyproj import Transformer

LONGEST_M = 250.0
"""A segment that is straight in its own CRS is bent in another one. Lines are divided until that is below
2 mm: the sagitta of 250 m on a circle of the Earth's radius is 1.2 mm, times the tangent of the latitude."""

_EARTH_M = 6_371_008.8


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

    @cached_property
    def tree(self) -> shapely.STRtree:
        """Spatial index of the pieces."""
        return shapely.STRtree(straight_lines(self.start, self.end))


def straight_lines(start: Points, end: Points) -> NDArray[np.object_]:
    """(N,) shapely LineStrings of two points each, from points (N, 2) to points (N, 2)."""
    return np.asarray(shapely.linestrings(np.stack((start, end), axis=1)), dtype=np.object_)


def local_crs(layers: tuple[RoadLines, ...]) -> str:
    """The metric plane around the middle of the first layer that is not empty, as a PROJ string."""
    for layer in layers:
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
    lines = shapely.segmentize(real, longest_segment(layer))
    points, line = shapely.get_coordinates(lines, return_index=True)
    points = project_points(points, layer, crs)
    same = line[1:] == line[:-1]
    moved = (points[1:] != points[:-1]).any(axis=1)
    keep = np.flatnonzero(same & moved)
    return Segments(points[keep], points[keep + 1], line[keep])


def longest_segment(layer: RoadLines) -> float:
    """``LONGEST_M`` in the unit of the layer's CRS, which may be degrees."""
    parsed = parse_crs(layer.crs)
    factor = float(parsed.axis_info[0].unit_conversion_factor) if parsed.axis_info else 1.0
    return LONGEST_M / (factor * _EARTH_M if parsed.is_geographic else factor)


def project_points(points: Points, layer: RoadLines, crs: str) -> Points:
    """Project points of a layer.

    Args:
        points: (N, 2) float64 in the layer's CRS.
        layer: names the CRS, and itself in errors.
        crs: the CRS to project to, mostly ``local_crs``.

    Returns:
        (N, 2) float64 in ``crs``.

    Raises:
        LayerError: a point cannot be projected.
    """
    moved = _transform_points(points, layer.crs, crs)
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
    return _transform_points(points, crs, layer.crs)


def _transform_points(points: Points, source: str, target: str) -> Points:
    x, y = _find_transformer(source, target).transform(points[:, 0], points[:, 1])
    return np.column_stack((x, y))


@lru_cache(maxsize=16)
def _find_transformer(source: str, target: str) -> Transformer:
    """PROJ takes longer to find the way from one CRS to the other than to move a thousand points."""
    from pyproj import Transformer

    return Transformer.from_crs(parse_crs(source), parse_crs(target), always_xy=True)
