"""Vector files, ours or anybody's, read without trusting them.

A file must be what its suffix says before GDAL or pyarrow sees it: else it could name other files or
addresses.
"""

from __future__ import annotations

import dataclasses
import re
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from georoads.crs import exact_crs
from georoads.errors import LayerError
from georoads.output.box import Box
from georoads.output.coordinates import check_range
from georoads.output.formats import READ, check_parquet
from georoads.output.geopackage import check_no_view
from georoads.output.osm import OsmRoads, read_osm
from georoads.output.osm_pbf import read_pbf
from georoads.output.plain_path import plain_path
from georoads.text import printable

_BEGINS = {
    "GPKG": b"SQLite format 3\0",
    "GeoJSON": b"{",
    "FlatGeobuf": b"fgb\x03fgb",
    "ESRI Shapefile": b"\x00\x00\x27\x0a",
    "Parquet": b"PAR1",
    "OSM": b"<",
    "OSM PBF": b"\n\tOSMHeader",
}
_BEGINS_AT = {"OSM PBF": 4}
"""Bytes before what a format begins with: there the length of the first header."""
_ONE_LAYER = {"Parquet": "GeoParquet", "OSM": "a file of OpenStreetMap", "OSM PBF": "a file of OpenStreetMap"}
MAX_GEOJSON_BYTES = 1024**3
"""Larger GeoJSON files are refused: reading one takes about four times its size of memory."""
MAX_WHOLE_BYTES = 8_000_000
"""A GeoJSON in which no list of features begins soon is read by GDAL as a whole, at up to 80 times its size;
larger ones are refused."""
_HEAD_BYTES = 1 << 16
_JSON_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*+("|\Z)|[\[\]{}]', re.DOTALL)


@dataclass(frozen=True)
class Kind:
    """What a layer shall hold.

    Attributes:
        one, many: in words, as "a line" and "lines".
        geometry: what names of fitting geometry types contain, as "LineString".
        types: shapely's numbers of the geometry types.
        hint: what to give instead of another kind.
        preferred: name of the layer that is taken where several fit, or "".
        flag: with which a user names a layer, or "".
        among_others: True where rows of another kind may be left out.
    """

    one: str
    many: str
    geometry: str
    types: tuple[int, ...]
    hint: str
    preferred: str = ""
    flag: str = ""
    among_others: bool = False


LINES = Kind(
    one="a line", many="lines", geometry="LineString", types=(1, 5), preferred="roads",
    hint="give a layer of centrelines", flag="--layer", among_others=True,
)  # fmt: skip
POINTS = Kind(one="a point", many="points", geometry="Point", types=(0,), hint="give a layer of points")
POLYGONS = Kind(
    one="a polygon", many="polygons", geometry="Polygon", types=(3, 6), hint="give a layer of polygons"
)


@dataclass(frozen=True)
class Features:
    """The rows of a layer.

    Attributes:
        geometry: (N,) shapely geometries of the kind asked for, two-dimensional, none missing or empty.
        columns: one array (N,) per field asked for.
        crs: any string that pyproj reads.
        where: file and layer, for messages.
        layer: its name; "" where the format has none.
        notes: what a user should know of how they were read.
    """

    geometry: NDArray[np.object_]
    columns: dict[str, NDArray[Any]]
    crs: str
    where: str
    layer: str = ""
    notes: tuple[str, ...] = ()

    def kept(self, keep: NDArray[np.bool_] | NDArray[np.int64]) -> Features:
        """The rows where ``keep`` (N,) is true, or those of these numbers."""
        columns = {name: column[keep] for name, column in self.columns.items()}
        return dataclasses.replace(self, geometry=self.geometry[keep], columns=columns)


def read_features(
    path: str | Path,
    layer: str | None,
    kind: Kind,
    choose: Callable[[list[str]], Iterable[str]] = lambda fields: (),
    box: Box | None = None,
) -> Features:
    """Read the rows of a layer; Z and M are dropped.

    Args:
        path: ``.gpkg``, ``.geojson``, ``.json``, ``.fgb``, ``.shp``, ``.parquet``, ``.geoparquet``, ``.osm``,
            ``.pbf``.
        layer: None for the only layer of this kind, or the preferred one.
        kind: what it must hold.
        choose: picks the fields to read; others are not even looked at.
        box: rows that lie beyond it are left out; a few of them may stay.

    Raises:
        LayerError: the file is missing, damaged, of another kind than its suffix says, or larger than can be
            read; the layer is missing, is a view, holds another kind, has no CRS, or has rows without
            geometry or with coordinates that are no places.
    """
    file = Path(path)
    driver = _check_driver(file)
    try:
        if driver in _ONE_LAYER and layer is not None:
            raise LayerError(
                f"{printable(file)} has no layer {layer!r}",
                f"{_ONE_LAYER[driver]} holds one, without a name: leave {kind.flag or 'it'} out",
            )
        if driver == "Parquet":
            found = _read_parquet(file, choose)
        elif driver == "OSM":
            found = _roads_of_osm(file, read_osm(file), choose)
        elif driver == "OSM PBF":
            found = _roads_of_osm(file, read_pbf(file, box), choose)
        else:
            found = _read_with_gdal(file, layer, kind, choose, box)
        found = _with_exact_crs(_of_kind(found, kind))
        if box is not None and driver in _ONE_LAYER:
            found = found.kept(box.meets(found.geometry, found.crs))
        check_range(found.geometry, found.crs, found.where)
        return found
    except (MemoryError, shapely.errors.GEOSException) as e:  # GEOS reports a lack of memory so
        raise LayerError(
            f"there is not enough memory for {printable(file)}", "cut it to the area of interest"
        ) from e


def _read_with_gdal(
    file: Path,
    layer: str | None,
    kind: Kind,
    choose: Callable[[list[str]], Iterable[str]],
    box: Box | None,
) -> Features:
    """The rows of a layer as they stand in the file; the CRS is "" where it has none."""
    from pyogrio import raw
    from pyogrio.errors import DataLayerError, DataSourceError

    try:
        with plain_path(file) as plain, _without_network(), warnings.catch_warnings():
            # What GDAL warns of (a fourth coordinate, a mixed layer) is allowed or checked below.
            warnings.simplefilter("ignore", RuntimeWarning)
            chosen, info = _choose_layer(file, plain, layer, kind)
            columns = list(choose([str(f) for f in info["fields"]]))
            bounds = None if box is None else box.bounds_in(info["crs"] or "")
            meta, _, wkb, values = raw.read(plain, layer=chosen, columns=columns, force_2d=True, bbox=bounds)
        with np.errstate(invalid="ignore"):  # NaN is reported by the caller, with the layer's name
            geometry = shapely.from_wkb(wkb)
    except (DataLayerError, DataSourceError, shapely.errors.ShapelyError, UnicodeDecodeError) as e:
        raise LayerError(
            f"{printable(file)} cannot be read: {e}", "open it in QGIS and export it anew as .gpkg"
        ) from e
    where = f"{printable(file)}, layer {printable(chosen)}"
    if bounds is None and len(geometry) < int(info["features"]):
        raise LayerError(
            f"{where} is cut off: {len(geometry)} of {info['features']} rows", "fetch or export it anew"
        )
    fields = dict(zip(map(str, meta["fields"]), values, strict=True))
    return Features(geometry, fields, meta["crs"] or "", where, chosen)


@contextmanager
def _without_network() -> Iterator[None]:
    """Keep GDAL off the network: it would ask the address that a GeoJSON may give for its CRS.

    It is sent to a proxy that is not there.
    """
    import pyogrio

    nowhere = {
        "GDAL_HTTP_PROXY": "127.0.0.1:9",
        "GDAL_HTTPS_PROXY": "127.0.0.1:9",
        "GDAL_HTTP_MAX_RETRY": "0",
    }
    before = {name: pyogrio.get_gdal_config_option(name) for name in nowhere}
    pyogrio.set_gdal_config_options(nowhere)
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options(before)


def _check_driver(file: Path) -> str:
    """The driver by suffix, once the content agrees."""
    shown = printable(file)
    driver = READ.get(file.suffix.lower())
    try:
        if not file.exists():
            raise LayerError(f"{shown} does not exist", "check the path")
        if not file.is_file():
            raise LayerError(f"{shown} is not a file", "give a file that holds a layer")
    except OSError as e:  # a name that is too long, a ring of links
        raise LayerError(f"{shown} cannot be found: {e.strerror}", "check its name and path") from e
    if driver is None:
        raise LayerError(
            f"{shown}: not a known kind of layer",
            f"known: {', '.join(READ)}; ogr2ogr roads.gpkg FILE converts many others",
        )
    try:
        with file.open("rb") as stream:
            head = stream.read(_HEAD_BYTES)
    except OSError as e:
        raise LayerError(f"{shown} cannot be read: {e.strerror}", "check its permissions") from e
    text = head.removeprefix(b"\xef\xbb\xbf").lstrip() if driver in ("GeoJSON", "OSM") else head
    if not text.startswith(_BEGINS[driver], _BEGINS_AT.get(driver, 0)):
        raise LayerError(f"{shown} is no {driver} file, though its name says so", "export it anew")
    if driver == "GeoJSON":
        _refuse_huge_text(shown, file.stat().st_size, text)
    return driver


def _refuse_huge_text(shown: str, size: int, head: bytes) -> None:
    hint = "convert it to GeoPackage or FlatGeobuf: ogr2ogr roads.gpkg FILE"
    if size > MAX_GEOJSON_BYTES:
        raise LayerError(
            f"{shown} has {size / 1e9:.1f} GB; GeoJSON is read up to {MAX_GEOJSON_BYTES / 1e9:.1f} GB", hint
        )
    if size > MAX_WHOLE_BYTES and not _lists_features(head):
        raise LayerError(
            f"{shown} has {size / 1e6:.0f} MB, and no list of features begins within its first "
            f"{_HEAD_BYTES // 1024} KB; such a GeoJSON is read up to {MAX_WHOLE_BYTES / 1e6:.0f} MB",
            hint,
        )


def _lists_features(head: bytes) -> bool:
    """Whether a FeatureCollection's list of features begins in this beginning of a text."""
    depth, before = 0, b""
    for found in _JSON_TOKEN.finditer(head):
        token = found[0]
        if depth == 1 and before == b'"type"' and token[:1] == b'"' and token != b'"FeatureCollection"':
            return False
        if depth == 1 and before == b'"features"' and token == b"[":
            return True
        depth += (token in b"[{") - (token in b"]}")
        before = token
    return False


def _choose_layer(file: Path, plain: Path, layer: str | None, kind: Kind) -> tuple[str, dict[str, Any]]:
    """Name of the layer, and what its header says: fields, and the number of rows (-1: unknown).

    ``file`` is the user's, ``plain`` a path to it that pyogrio takes.
    """
    import pyogrio

    is_geopackage = READ[file.suffix.lower()] == "GPKG"
    if is_geopackage:
        check_no_view(file)
    listed = pyogrio.list_layers(plain)
    kinds = {str(name): geometry for name, geometry in listed if geometry is not None}
    names = ", ".join(map(printable, kinds)) or "none"
    if layer is not None:
        if layer not in kinds:
            raise LayerError(f"{printable(file)} has no layer {layer!r}", f"layers: {names}")
        chosen = layer
    elif kind.preferred and kind.preferred in kinds:
        chosen = kind.preferred
    else:
        fitting = [n for n, geometry in kinds.items() if kind.geometry in geometry or "Unknown" in geometry]
        if len(fitting) != 1:
            name_it = f"{kind.flag} names it; or " if kind.flag and fitting else ""
            raise LayerError(
                f"{printable(file)} has {len(fitting)} layers of {kind.many}",
                f"one is needed: {name_it}export it to a file of its own; layers: {names}",
            )
        chosen = fitting[0]
    if is_geopackage:
        check_no_view(file, chosen)
    info = pyogrio.read_info(plain, layer=chosen)
    driver = info["driver"]
    if driver != READ[file.suffix.lower()]:
        raise LayerError(f"{printable(file)} was taken for {driver} by GDAL", "export it anew")
    return chosen, info


def _roads_of_osm(file: Path, roads: OsmRoads, choose: Callable[[list[str]], Iterable[str]]) -> Features:
    """The roads of a file of OpenStreetMap as rows."""
    columns = {name: roads.columns[name] for name in choose(list(roads.columns))}
    shown = printable(file)
    notes = (f"{shown}: {len(roads.lines)} roads; {roads.left_out}",) if roads.left_out else ()
    doubts = (f"{shown}: {roads.doubt}",) if roads.doubt else ()
    return Features(roads.lines, columns, "EPSG:4326", shown, notes=(*notes, *doubts))


def _read_parquet(file: Path, choose: Callable[[list[str]], Iterable[str]]) -> Features:
    """As ``_read_with_gdal``, of a GeoParquet file."""
    check_parquet(file)
    import geopandas
    from pyarrow import ArrowException

    try:
        frame = geopandas.read_parquet(file)
        geometry = shapely.force_2d(frame.geometry.to_numpy())
    except (ArrowException, shapely.errors.ShapelyError, ValueError, OSError) as e:
        raise LayerError(f"{printable(file)} cannot be read: {e}", "export it anew as .gpkg") from e
    except (AttributeError, KeyError, TypeError) as e:  # its text "geo" is JSON, but not GeoParquet's
        raise LayerError(
            f"{printable(file)} has metadata that are not GeoParquet's ({e})", "export it anew as .gpkg"
        ) from e
    columns = {name: frame[name].to_numpy() for name in choose([str(c) for c in frame.columns])}
    return Features(geometry, columns, "" if frame.crs is None else frame.crs.to_wkt(), printable(file))


def _with_exact_crs(found: Features) -> Features:
    """The same rows, whose CRS has no code but a true one."""
    from pyproj.exceptions import CRSError

    if not found.crs:
        raise LayerError(f"{found.where} has no CRS", "assign one, as in: ogr2ogr -a_srs EPSG:32633 OUT IN")
    try:
        return dataclasses.replace(found, crs=exact_crs(found.crs))
    except CRSError as e:
        raise LayerError(f"{found.where} has a CRS that PROJ cannot read", "assign another one") from e


def _of_kind(found: Features, kind: Kind) -> Features:
    """The rows of a kind; others are refused, or left out where that is allowed and not all are."""
    geometry, where = found.geometry, found.where
    missing = shapely.is_missing(geometry) | shapely.is_empty(geometry)
    if missing.any():
        count, first = int(missing.sum()), int(missing.argmax()) + 1
        raise LayerError(
            f"{where}: {count} rows have no geometry, the first is row {first}", "delete them in QGIS"
        )
    fits = np.isin(shapely.get_type_id(geometry), kind.types)
    if fits.all():
        return found
    if not (kind.among_others and fits.any()):
        row = int(fits.argmin())
        raise LayerError(f"{where}: row {row + 1} is a {geometry[row].geom_type}, not {kind.one}", kind.hint)
    others = Counter(g.geom_type for g in geometry[~fits])
    left_out = ", ".join(f"{count} {name}" for name, count in sorted(others.items()))
    note = f"{where}: {int(fits.sum())} rows are {kind.many}; left out: {left_out}"
    return dataclasses.replace(found.kept(fits), notes=(*found.notes, note))
