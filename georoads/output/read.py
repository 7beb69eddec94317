"""Road layers from files, ours or anybody's: GeoPackage, GeoJSON, FlatGeobuf, Shapefile, GeoParquet."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from georoads.errors import LayerError
from georoads.grid import parse_crs
from georoads.jobs.atomic import printable
from georoads.network.types import RoadNetwork
from georoads.output.dictionary import ROADS
from georoads.output.widths import width_fields, widths_of

_DRIVERS = {
    ".gpkg": "GPKG",
    ".geojson": "GeoJSON",
    ".json": "GeoJSON",
    ".fgb": "FlatGeobuf",
    ".shp": "ESRI Shapefile",
    ".parquet": "Parquet",
}
_BEGINS = {
    "GPKG": b"SQLite format 3\0",
    "GeoJSON": b"{",
    "FlatGeobuf": b"fgb\x03fgb",
    "ESRI Shapefile": b"\x00\x00\x27\x0a",
    "Parquet": b"PAR1",
}
MAX_GEOJSON_BYTES = 2 * 1024**3
"""Text of this size takes about as much memory again as lines; beyond, an indexed format is asked for."""


@dataclass(frozen=True)
class RoadLines:
    """The lines of a road layer.

    Attributes:
        lines: (N,) shapely LineStrings, two-dimensional, finite, none of them empty.
        crs: WKT (or any string that pyproj reads).
        name: where they come from, for messages.
        widths_m: (N,) float64 metres, NaN where the layer does not say; None where it was not asked.
    """

    lines: NDArray[np.object_]
    crs: str
    name: str = "roads"
    widths_m: NDArray[np.float64] | None = None

    def __post_init__(self) -> None:
        if self.widths_m is not None and self.widths_m.shape != self.lines.shape:
            raise ValueError(f"{self.name}: {self.widths_m.shape} widths of {self.lines.shape} lines")
        if self.lines.ndim != 1 or not (shapely.get_type_id(self.lines) == 1).all():
            raise ValueError(f"{self.name}: RoadLines holds LineStrings only, in one dimension")
        if not np.isfinite(shapely.get_coordinates(self.lines)).all():
            raise ValueError(f"{self.name}: coordinates must be finite")


def lines_of(network: RoadNetwork, name: str = "roads") -> RoadLines:
    """The lines of a network in the CRS of its grid, in the order of its edges."""
    n = network.n_edges
    rows = np.repeat(np.arange(n), np.diff(network.offsets))
    points = network.grid.to_crs(network.points)
    lines = np.asarray(shapely.linestrings(points, indices=rows) if n else (), dtype=np.object_)
    return RoadLines(lines, network.grid.crs, name)


def read_roads(path: str | Path, layer: str | None = None, *, with_widths: bool = False) -> RoadLines:
    """Read the lines of a road layer; parts of MultiLineStrings become lines of their own, Z and M go.

    Args:
        path: ``.gpkg``, ``.geojson``, ``.json``, ``.fgb``, ``.shp`` or ``.parquet``.
        layer: None for the only layer of lines, or the one called ``roads``.
        with_widths: read also how wide the roads are, from the attributes that ``widths`` knows.

    Raises:
        LayerError: the file is missing, damaged, of another kind than its suffix says, or larger than can be
            read; the layer is missing, is no layer of lines, has no CRS, or has rows without geometry or with
            coordinates that are no numbers.
    """
    file = Path(path)
    driver = _checked_driver(file)
    if driver == "Parquet":
        return _read_parquet(file, with_widths=with_widths)
    from pyogrio import raw
    from pyogrio.errors import DataLayerError, DataSourceError

    try:
        with warnings.catch_warnings():
            # What GDAL warns of (a fourth coordinate, a mixed layer) is allowed or checked below.
            warnings.simplefilter("ignore", RuntimeWarning)
            chosen, info = _choose_layer(file, layer)
            # Other attributes of somebody else's layer are not even looked at.
            columns = list(width_fields([str(f) for f in info["fields"]])) if with_widths else []
            meta, _, wkb, values = raw.read(file, layer=chosen, columns=columns, force_2d=True)
        with np.errstate(invalid="ignore"):  # NaN is reported below, with the layer's name
            geometry = shapely.from_wkb(wkb)
    except (DataLayerError, DataSourceError, shapely.errors.ShapelyError) as e:
        raise LayerError(
            f"{printable(file)} cannot be read: {e}", "open it in QGIS and export it anew as .gpkg"
        ) from e
    where = f"{printable(file)}, layer {chosen}"
    if len(geometry) < int(info["features"]):
        raise LayerError(
            f"{where} is cut off: {len(geometry)} of {info['features']} rows", "fetch or export it anew"
        )
    named = dict(zip(map(str, meta["fields"]), values, strict=True))
    widths = widths_of(named, len(geometry)) if with_widths else None
    return _road_lines(geometry, meta["crs"], where, widths)


def _checked_driver(file: Path) -> str:
    """The driver by suffix, once the content agrees: else a file could name other files or addresses."""
    shown = printable(file)
    driver = _DRIVERS.get(file.suffix.lower())
    if not file.exists():
        raise LayerError(f"{shown} does not exist", "check the path")
    if not file.is_file():
        raise LayerError(f"{shown} is not a file", "give a file that holds a road layer")
    if driver is None:
        raise LayerError(f"{shown}: not a known kind of road layer", f"known: {', '.join(_DRIVERS)}")
    try:
        with file.open("rb") as stream:
            head = stream.read(64)
    except OSError as e:
        raise LayerError(f"{shown} cannot be read: {e.strerror}", "check its permissions") from e
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip() if driver == "GeoJSON" else head
    if not text.startswith(_BEGINS[driver]):
        raise LayerError(f"{shown} is no {driver} file, though its name says so", "export it anew")
    size = file.stat().st_size
    if driver == "GeoJSON" and size > MAX_GEOJSON_BYTES:
        raise LayerError(
            f"{shown} has {size / 1e9:.1f} GB; GeoJSON is read up to {MAX_GEOJSON_BYTES / 1e9:.1f} GB",
            "convert it to GeoPackage or FlatGeobuf: ogr2ogr roads.gpkg FILE",
        )
    return driver


def _choose_layer(file: Path, layer: str | None) -> tuple[str, dict[str, Any]]:
    """Name of the layer, and what its header says: fields, and the number of rows (-1: unknown)."""
    import pyogrio

    listed = pyogrio.list_layers(file)
    kinds = {str(name): kind for name, kind in listed if kind is not None}
    names = ", ".join(kinds) or "none"
    if layer is not None:
        if layer not in kinds:
            raise LayerError(f"{printable(file)} has no layer {layer!r}", f"layers: {names}")
        chosen = layer
    elif ROADS.name in kinds:
        chosen = ROADS.name
    else:
        fitting = [n for n, kind in kinds.items() if "LineString" in kind or "Unknown" in kind]
        if len(fitting) != 1:
            raise LayerError(
                f"{printable(file)} has {len(fitting)} layers of lines",
                f"name the layer of roads; layers: {names}",
            )
        chosen = fitting[0]
    info = pyogrio.read_info(file, layer=chosen)
    driver = info["driver"]
    if driver != _DRIVERS[file.suffix.lower()]:
        raise LayerError(f"{printable(file)} was taken for {driver} by GDAL", "export it anew")
    return chosen, info


def _read_parquet(file: Path, *, with_widths: bool) -> RoadLines:
    if find_spec("pyarrow") is None:
        raise LayerError(
            f"{printable(file)}: GeoParquet needs pyarrow, which is not installed",
            "pip install pyarrow; or convert it to .gpkg",
        )
    import geopandas
    from pyarrow import ArrowException

    try:
        frame = geopandas.read_parquet(file)
    except (ArrowException, ValueError, OSError) as e:
        raise LayerError(f"{printable(file)} cannot be read: {e}", "export it anew as .gpkg") from e
    geometry = shapely.force_2d(frame.geometry.to_numpy())
    columns = {name: frame[name].to_numpy() for name in width_fields([str(c) for c in frame.columns])}
    widths = widths_of(columns, len(geometry)) if with_widths else None
    return _road_lines(geometry, None if frame.crs is None else frame.crs.to_wkt(), printable(file), widths)


def _road_lines(
    geometry: NDArray[Any], crs: str | None, where: str, widths_m: NDArray[np.float64] | None
) -> RoadLines:
    from pyproj.exceptions import CRSError

    if crs is None:
        raise LayerError(f"{where} has no CRS", "assign one, as in: ogr2ogr -a_srs EPSG:32633 OUT IN")
    try:
        parse_crs(crs)
    except CRSError as e:
        raise LayerError(f"{where} has a CRS that PROJ cannot read", "assign another one") from e
    missing = shapely.is_missing(geometry) | shapely.is_empty(geometry)
    if missing.any():
        count, first = int(missing.sum()), int(missing.argmax()) + 1
        raise LayerError(
            f"{where}: {count} rows have no geometry, the first is row {first}",
            "delete them in QGIS",
        )
    kinds = shapely.get_type_id(geometry)
    wrong = (kinds != 1) & (kinds != 5)
    if wrong.any():
        row = int(wrong.argmax())
        raise LayerError(
            f"{where}: row {row + 1} is a {geometry[row].geom_type}, not a line",
            "give a layer of centrelines",
        )
    lines, of_row = shapely.get_parts(geometry, return_index=True)
    finite = np.isfinite(shapely.get_coordinates(lines))
    if not finite.all():
        _, owner = shapely.get_coordinates(lines, return_index=True)
        bad = len(np.unique(owner[~finite.all(axis=1)]))
        raise LayerError(
            f"{where}: {bad} lines have coordinates that are no numbers", "delete or redraw them"
        )
    whole = ~shapely.is_empty(lines)
    return RoadLines(lines[whole], crs, where, None if widths_m is None else widths_m[of_row[whole]])
