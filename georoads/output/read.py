"""Road layers from files, ours or anybody's: GeoPackage, GeoJSON, FlatGeobuf, Shapefile, GeoParquet."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from georoads.errors import LayerError
from georoads.output.box import Box
from georoads.output.coordinates import check_steps, run_on
from georoads.output.vector_files import LINES, Features, read_features
from georoads.output.widths import width_fields, widths_of

_ORDER = "road_id"
"""FlatGeobuf keeps its rows in the order of its index; this field, where it is there, says the right one."""


@dataclass(frozen=True)
class RoadLines:
    """The lines of a road layer.

    Attributes:
        lines: (N,) shapely LineStrings, two-dimensional, finite, none of them empty.
        crs: WKT (or any string that pyproj reads).
        name: where they come from, for messages.
        widths_m: (N,) float64 metres, NaN where the layer does not say; None where it was not asked.
        columns: the attributes by name, (N,) each; none where they were not asked for.
        notes: what a user should know of how they were read.
    """

    lines: NDArray[np.object_]
    crs: str
    name: str = "roads"
    widths_m: NDArray[np.float64] | None = None
    columns: Mapping[str, NDArray[Any]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.widths_m is not None and self.widths_m.shape != self.lines.shape:
            raise ValueError(f"{self.name}: {self.widths_m.shape} widths of {self.lines.shape} lines")
        if any(len(column) != len(self.lines) for column in self.columns.values()):
            raise ValueError(f"{self.name}: columns and lines differ in number")
        if self.lines.ndim != 1 or not (shapely.get_type_id(self.lines) == 1).all():
            raise ValueError(f"{self.name}: RoadLines holds LineStrings only, in one dimension")
        if not np.isfinite(shapely.get_coordinates(self.lines)).all():
            raise ValueError(f"{self.name}: coordinates must be finite")

    def kept(self, keep: NDArray[np.bool_]) -> RoadLines:
        """The lines where ``keep`` (N,) is true."""
        return dataclasses.replace(
            self,
            lines=self.lines[keep],
            widths_m=None if self.widths_m is None else self.widths_m[keep],
            columns={name: column[keep] for name, column in self.columns.items()},
        )


def read_roads(
    path: str | Path,
    layer: str | None = None,
    *,
    with_widths: bool = False,
    with_columns: bool = False,
    box: Box | None = None,
    flag: str = LINES.flag,
) -> RoadLines:
    """Read the lines of a road layer; parts of MultiLineStrings become lines, Z and M are dropped.

    Longitudes run on across the antimeridian, and may there leave -180 to 180 degrees. What is no line among
    lines is left out, as the notes say.

    Lines of a FlatGeobuf that numbers them (``road_id``) come in the order of their numbers, as they do from
    other formats.

    Args:
        path: ``.gpkg``, ``.geojson``, ``.json``, ``.fgb``, ``.shp``, ``.parquet``, ``.geoparquet``, ``.osm``,
            ``.pbf``.
        layer: None for the only layer of lines, or the one called ``roads``.
        with_widths: read also how wide the roads are, from the attributes that ``widths`` knows.
        with_columns: read also all attributes.
        box: lines that lie beyond it are left out; a few of them may stay.
        flag: with which the user can name the layer, for messages.

    Raises:
        LayerError: the file is missing, damaged, of another kind than its suffix says, or larger than can be
            read; the layer is missing, is a view, is no layer of lines, has no CRS, or has rows without
            geometry or with coordinates that are no numbers or no places, or too far apart for a road.
    """
    indexed = Path(path).suffix.lower() == ".fgb"

    def choose(fields: list[str]) -> list[str]:
        if with_columns:
            return fields
        chosen = list(width_fields(fields)) if with_widths else []
        return [*chosen, *((_ORDER,) if indexed and _ORDER in fields and _ORDER not in chosen else ())]

    found = read_features(path, layer, dataclasses.replace(LINES, flag=flag), choose, box)
    widths = widths_of(found.columns, len(found.geometry)) if with_widths else None
    number = found.columns.get(_ORDER)
    if indexed and number is not None and number.dtype.kind == "i":
        order = np.argsort(number, kind="stable")
        found = found.kept(order)
        widths = None if widths is None else widths[order]
    return _road_lines(found if with_columns else dataclasses.replace(found, columns={}), widths)


def _road_lines(found: Features, widths_m: NDArray[np.float64] | None) -> RoadLines:
    lines, of_row = shapely.get_parts(found.geometry, return_index=True)
    finite = np.isfinite(shapely.get_coordinates(lines))
    if not finite.all():
        _, owner = shapely.get_coordinates(lines, return_index=True)
        bad = len(np.unique(owner[~finite.all(axis=1)]))
        raise LayerError(
            f"{found.where}: {bad} lines have coordinates that are no numbers", "delete or redraw them"
        )
    whole = ~shapely.is_empty(lines)
    widths = None if widths_m is None else widths_m[of_row[whole]]
    lines = run_on(lines[whole], found.crs)
    check_steps(lines, found.crs, found.where)
    columns = {name: column[of_row[whole]] for name, column in found.columns.items()}
    return RoadLines(lines, found.crs, found.where, widths, columns, found.notes)
