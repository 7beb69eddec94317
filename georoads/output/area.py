"""The area of interest: polygons of a file, or bounds in longitude and latitude, brought to a grid."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray

from georoads.crs import CrsError, find_way, parse_crs
from georoads.errors import LayerError
from georoads.grid import Grid, Points, Window
from georoads.output.coordinates import whole_turns
from georoads.output.vector_files import POLYGONS, read_features
from georoads.text import printable

_BOUNDS = re.compile(r"\[?[-+0-9.eE\s]+(,[-+0-9.eE\s]+)+\]?|\[?\s*[-+0-9.eE]+(\s+[-+0-9.eE]+){3}\s*\]?")
_STEPS = 64
"""A straight border in one CRS is bent in another: it is followed in so many steps across the scene."""


@dataclass(frozen=True)
class Area:
    """Where roads are wanted.

    Attributes:
        polygon: a valid polygon or multipolygon that is not empty.
        crs: of its coordinates, x then y; any string that pyproj reads.
        name: what to call it in messages and in the provenance.
        file: where its polygons were read from; None for bounds.
    """

    polygon: shapely.Geometry
    crs: str
    name: str
    file: Path | None = None

    def __post_init__(self) -> None:
        if self.polygon.is_empty or not self.polygon.is_valid:
            raise ValueError(f"{self.name}: an area needs a valid polygon")

    def on(self, grid: Grid) -> shapely.Geometry:
        """The part inside a grid, in its pixel coordinates (x = col, y = row).

        Raises:
            LayerError: no part of the area lies inside the grid, or it cannot be brought to its CRS.
        """
        scene = shapely.box(0, 0, grid.width, grid.height)
        ours, theirs = parse_crs(grid.crs), parse_crs(self.crs)
        if ours.equals(theirs, ignore_axis_order=True):
            polygon = self._turned_to(grid.to_crs(np.array([[grid.width / 2, grid.height / 2]])))
        else:
            # Only what is near the scene is transformed: a CRS need not reach farther.
            outline = shapely.segmentize(scene, max(grid.width, grid.height) / _STEPS)
            around = grid.to_crs(shapely.get_coordinates(outline))
            try:
                back = find_way(grid.crs, self.crs)
            except CrsError as e:
                raise LayerError(
                    f"the area {self.name} cannot be brought to the scene's CRS {ours.name}",
                    "leave --aoi out",
                ) from e
            near = np.column_stack(back.transform(*around.T))
            polygon = shapely.intersection(self._turned_to(near), self._near(near))
            polygon = shapely.segmentize(polygon, _step(polygon))
            there = find_way(self.crs, grid.crs)
            polygon = shapely.transform(polygon, lambda xy: np.column_stack(there.transform(*xy.T)))
        self._check_finite(shapely.get_coordinates(polygon))
        polygon = shapely.transform(polygon, grid.to_px)
        inside = _polygons_of(shapely.intersection(shapely.make_valid(polygon), scene))
        if inside.is_empty:
            raise LayerError(
                f"the area {self.name} does not meet the scene",
                f"the scene spans {_spans(grid)} (west,south,east,north); is the area's CRS right?",
            )
        return inside

    def window_on(self, grid: Grid) -> Window:
        """The smallest window of a grid that holds the area's part inside it.

        Raises:
            LayerError: as ``on``.
        """
        west, north, east, south = self.on(grid).bounds
        row, col = math.floor(north), math.floor(west)
        return Window(row, col, math.ceil(south) - row, math.ceil(east) - col).intersect(grid.window)

    def _turned_to(self, points: Points) -> shapely.Geometry:
        """The polygon under the longitudes of some points: files count them from -180, or from 0 to 360."""
        self._check_finite(points)
        west, _, east, _ = self.polygon.bounds
        shift = whole_turns(self.crs, (west + east) / 2, float(points[:, 0].mean()))
        return (
            shapely.transform(self.polygon, lambda xy: xy + np.array([shift, 0.0])) if shift else self.polygon
        )

    def _near(self, outline: Points) -> shapely.Polygon:
        self._check_finite(outline)
        (west, south), (east, north) = outline.min(axis=0), outline.max(axis=0)
        margin = 0.1 * max(east - west, north - south)
        return shapely.box(west - margin, south - margin, east + margin, north + margin)

    def _check_finite(self, points: NDArray[np.float64]) -> None:
        if not np.isfinite(points).all():
            raise LayerError(
                f"the area {self.name} cannot be transformed to the CRS of the scene",
                "give it in the CRS of the scene",
            )


def read_area(source: str | Path) -> Area:
    """An area of interest: bounds ``west,south,east,north`` in degrees, or the polygons of a file.

    Args:
        source: four numbers (WGS 84), or the path of a file that ``vector_files.read_features`` reads, with
            one layer of polygons in any CRS; several polygons count together.

    Raises:
        LayerError: the bounds are none on the globe; the file cannot be read, holds no polygons, or an
            invalid one.

    Example:
        >>> read_area("9.0,45.1,9.2,45.3").polygon.bounds
        (9.0, 45.1, 9.2, 45.3)
    """
    text = str(source)
    if _BOUNDS.fullmatch(text):
        return Area(shapely.box(*_bounds(text)), "EPSG:4326", ",".join(_parts(text)))
    found = read_features(text, None, POLYGONS)
    if not len(found.geometry):
        raise LayerError(f"{found.where} holds no polygon", "draw the area in it")
    if not np.isfinite(shapely.get_coordinates(found.geometry)).all():
        raise LayerError(f"{found.where} has coordinates that are no numbers", "redraw its polygons")
    wrong = ~shapely.is_valid(found.geometry)
    if wrong.any():
        row = int(wrong.argmax())
        raise LayerError(
            f"{found.where}: polygon {row + 1} is no area: {shapely.is_valid_reason(found.geometry[row])}",
            "repair it with QGIS, Vector geometry, Fix geometries",
        )
    return Area(shapely.union_all(found.geometry), found.crs, found.where, Path(source))


def _bounds(text: str) -> tuple[float, float, float, float]:
    hint = "as in --aoi 9.0,45.1,9.2,45.3: degrees; across the date line, give a file of polygons"
    try:
        west, south, east, north = (float(part) for part in _parts(text))
    except ValueError as e:
        raise LayerError(f"bounds are four numbers west,south,east,north, not {printable(text)}", hint) from e
    if not (-180 <= west < east <= 180 and -90 <= south < north <= 90):
        raise LayerError(f"{printable(text)} are no bounds west,south,east,north in degrees", hint)
    return west, south, east, north


def _parts(text: str) -> list[str]:
    """The numbers of bounds, with commas or spaces between them, also in brackets."""
    return text.strip("[] ").replace(",", " ").split()


def _step(polygon: shapely.Geometry) -> float:
    """Longest step along the border; any for an area that is empty here."""
    if polygon.is_empty:
        return math.inf
    west, south, east, north = polygon.bounds
    return float(max(east - west, north - south, 1e-9)) / _STEPS


def _polygons_of(geometry: shapely.Geometry) -> shapely.Geometry:
    """Its polygons, without the lines and points where areas only touch."""
    parts = shapely.get_parts(geometry)
    kept = parts[shapely.get_type_id(parts) == shapely.GeometryType.POLYGON]
    return kept[0] if len(kept) == 1 else shapely.multipolygons(kept)


def _spans(grid: Grid) -> str:
    lonlat = grid.to_lonlat(grid.corners_px)
    return ",".join(f"{value:.5f}" for value in (*lonlat.min(axis=0), *lonlat.max(axis=0)))
