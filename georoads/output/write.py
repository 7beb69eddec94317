"""Road networks to files: GeoPackage, GeoJSON, FlatGeobuf, GeoParquet."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np
import shapely
from numpy.typing import NDArray

from georoads.errors import LayerError
from georoads.grid import Points, parse_crs
from georoads.jobs.atomic import check_output, printable, replace_when_complete
from georoads.network.types import NodeKind, RoadNetwork
from georoads.output.dictionary import NODES, ROADS, Layer
from georoads.output.geopackage import GEOMETRY_COLUMN, check_not_open, finish_geopackage, verify_geopackage
from georoads.output.provenance import Provenance

_WGS84 = "EPSG:4326"
DRIVERS = {".gpkg": "GPKG", ".geojson": "GeoJSON", ".fgb": "FlatGeobuf", ".parquet": "Parquet"}
"""The formats that are written, by suffix."""

_NUMPY = {"int64": np.int64, "int32": np.int32, "float64": np.float64, "text": np.object_}


@dataclass(frozen=True)
class WriteOptions:
    """How a network is written.

    Attributes:
        provenance: goes into the file; its date is the file's date.
        crs: of the written coordinates; None for the network's own.
        layer: what a format with one layer holds.
        sources: file names of the scenes, for the field ``source``.
        overwrite: True when an existing file may be replaced.
    """

    provenance: Provenance
    crs: str | None = None
    layer: Literal["roads", "nodes"] = "roads"
    sources: tuple[str, ...] = ()
    overwrite: bool = False

    def __post_init__(self) -> None:
        if self.layer not in ("roads", "nodes"):
            raise ValueError(f"layer must be roads or nodes, not {self.layer!r}")


@dataclass(frozen=True)
class _Table:
    """A layer ready to be written: geometries (N,) and one array (N,) per field."""

    layer: Layer
    geometry: NDArray[np.object_]
    columns: tuple[NDArray[Any], ...]
    crs: str


def check_road_output(path: str | Path, options: WriteOptions, *, inputs: tuple[Path, ...] = ()) -> None:
    """Refuse an output that ``write_roads`` could not write, before the work is done.

    Raises:
        LayerError: unknown suffix, CRS that is none or does not fit the format, missing library, file in use.
        GeoroadsError: as ``jobs.atomic.check_output``.
    """
    target = Path(path)
    driver = _driver(target)
    if options.crs is not None:
        _check_crs(options.crs, driver)
    if driver == "Parquet" and find_spec("pyarrow") is None:
        raise LayerError(
            f"{printable(path)}: GeoParquet needs pyarrow, which is not installed",
            "pip install pyarrow; or write .gpkg or .fgb",
        )
    check_output(target, overwrite=options.overwrite, inputs=inputs)
    if driver == "GPKG":
        check_not_open(target)


def write_roads(network: RoadNetwork, path: str | Path, options: WriteOptions) -> None:
    """Write a road network; the suffix chooses the format. The file appears whole or not at all.

    ``.gpkg`` holds the layers ``roads`` and ``nodes`` with style, data dictionary and provenance;
    ``.geojson`` (RFC 7946: WGS 84, 7 decimals), ``.fgb`` and ``.parquet`` hold ``options.layer``.
    Roads are numbered in reading order of their first point (in the grid: by row, then by column).
    The same network and options give the same bytes.

    Args:
        network: the roads, in pixel coordinates of their grid.
        path: the file.
        options: CRS, layer, sources, provenance.

    Raises:
        LayerError: the format, CRS or layer cannot be written; the file is in use.
        GeoroadsError: the output exists or its folder cannot be written to; the disk is full.
    """
    check_road_output(path, options)
    target = Path(path)
    driver = _driver(target)
    crs = options.crs or network.grid.crs
    if driver == "GeoJSON":
        crs = _WGS84
    tables = [_roads(network, crs, options.sources), _nodes(network, crs)]
    if driver != "GPKG":
        tables = [t for t in tables if t.layer.name == options.layer]
    counts = [(t.layer.name, len(t.geometry)) for t in tables]

    def verify(part: Path) -> None:
        if driver == "GPKG":
            verify_geopackage(part, counts)
        else:
            _verify_count(part, driver, *counts[0])

    with replace_when_complete(target, overwrite=options.overwrite, verify=verify) as part:
        if driver == "Parquet":
            _write_parquet(part, tables[0])
        else:
            with _gdal_errors(target):
                for number, table in enumerate(tables):
                    _write_with_gdal(part, driver, table, options.provenance, append=number > 0)
        if driver == "GPKG":
            finish_geopackage(part, options.provenance)


def _driver(path: Path) -> str:
    driver = DRIVERS.get(path.suffix.lower())
    if driver is None:
        raise LayerError(
            f"{printable(path)}: roads cannot be written as {path.suffix or 'a file without suffix'!r}",
            f"known: {', '.join(DRIVERS)}",
        )
    return driver


def _check_crs(crs: str, driver: str) -> None:
    from pyproj.exceptions import CRSError

    try:
        parsed = parse_crs(crs)
    except CRSError as e:
        raise LayerError(f"{crs!r} is no CRS", "as in --crs EPSG:32633") from e
    if driver == "GeoJSON" and not parsed.equals(parse_crs(_WGS84), ignore_axis_order=True):
        raise LayerError(
            f"GeoJSON is always WGS 84 (RFC 7946), not {crs}", "leave --crs out, or write .gpkg or .fgb"
        )


def _roads(network: RoadNetwork, crs: str, sources: tuple[str, ...]) -> _Table:
    first = network.points[network.offsets[:-1]]
    order = np.lexsort((first[:, 0], first[:, 1]))
    n = network.n_edges
    values: dict[str, Any] = {
        "road_id": np.arange(1, n + 1),
        "from_node": network.edge_nodes[order, 0],
        "to_node": network.edge_nodes[order, 1],
        "source": np.full(n, "; ".join(sources), dtype=np.object_),
    }
    for field in ROADS.fields:
        if field.type == "float64":
            values[field.name] = np.round(getattr(network, field.name)[order], field.decimals)
    points = _transformed(network, network.points, crs)
    rows = np.repeat(np.arange(n), np.diff(network.offsets))
    lines = np.asarray(shapely.linestrings(points, indices=rows) if n else (), dtype=np.object_)
    return _table(ROADS, lines[order], values, crs)


def _nodes(network: RoadNetwork, crs: str) -> _Table:
    labels = np.array([kind.label for kind in NodeKind], dtype=np.object_)
    values = {
        "node_id": network.node_id,
        "degree": network.degree() if network.n_nodes else np.empty(0),
        "kind": labels[network.node_kind],
    }
    points = np.asarray(shapely.points(_transformed(network, network.node_xy, crs)), dtype=np.object_)
    return _table(NODES, points, values, crs)


def _table(layer: Layer, geometry: NDArray[np.object_], values: dict[str, Any], crs: str) -> _Table:
    columns = tuple(np.asarray(values[f.name]).astype(_NUMPY[f.type]) for f in layer.fields)
    return _Table(layer, geometry, columns, crs)


def _transformed(network: RoadNetwork, points_px: Points, crs: str) -> Points:
    """Pixel coordinates to coordinates of ``crs``, both (N, 2)."""
    from pyproj import Transformer

    xy = network.grid.to_crs(points_px)
    source, target = parse_crs(network.grid.crs), parse_crs(crs)
    if not source.equals(target, ignore_axis_order=True):
        x, y = Transformer.from_crs(source, target, always_xy=True).transform(xy[:, 0], xy[:, 1])
        xy = np.column_stack((x, y))
    if not np.isfinite(xy).all():
        raise LayerError(f"roads cannot be transformed to {target.name}", "choose a --crs that covers them")
    return xy


def _write_with_gdal(path: Path, driver: str, table: _Table, provenance: Provenance, *, append: bool) -> None:
    from pyogrio import raw

    dataset_options: dict[str, str] = {}
    layer_options: dict[str, str] = {}
    if driver == "GPKG":
        # Newer versions of the format make QGIS 3.22 and GDAL 3.6 warn.
        dataset_options = {} if append else {"VERSION": "1.3"}
        layer_options = {"GEOMETRY_NAME": GEOMETRY_COLUMN, "DESCRIPTION": table.layer.title}
    elif driver == "GeoJSON":
        layer_options = {"RFC7946": "YES", "DESCRIPTION": provenance.as_json()}
    with _gdal_date(provenance.timestamp):
        raw.write(
            path,
            shapely.to_wkb(table.geometry),
            list(table.columns),
            [f.name for f in table.layer.fields],
            layer=table.layer.name,
            driver=driver,
            geometry_type=table.layer.geometry,
            crs=_crs_text(table.crs),
            promote_to_multi=False,
            # Appending to the file, not to the layer, which does not exist yet.
            append=append,
            dataset_options=dataset_options or None,
            layer_options=layer_options or None,
        )


def _crs_text(crs: str) -> str:
    """EPSG code where the CRS has one, so that every format and program names it alike; else WKT."""
    parsed = parse_crs(crs)
    epsg = parsed.to_epsg(min_confidence=100)
    return f"EPSG:{epsg}" if epsg else str(parsed.to_wkt())


def _write_parquet(path: Path, table: _Table) -> None:
    import pandas as pd
    from geopandas import GeoDataFrame

    # An empty column of objects would get no type.
    columns = {
        field.name: pd.Series(column, dtype="string") if field.type == "text" else column
        for field, column in zip(table.layer.fields, table.columns, strict=True)
    }
    GeoDataFrame(columns, geometry=table.geometry, crs=_crs_text(table.crs)).to_parquet(path, index=False)


def _verify_count(path: Path, driver: str, layer: str, expected: int) -> None:
    if driver == "Parquet":
        from pyarrow import parquet

        found = int(parquet.read_metadata(path).num_rows)
    else:
        import pyogrio

        with _gdal_errors(path):
            found = int(pyogrio.read_info(path, layer=layer, force_feature_count=True)["features"])
    if found != expected:
        raise LayerError(f"{printable(path)} holds {found} of {expected} features", "is the disk failing?")


@contextmanager
def _gdal_errors(path: Path) -> Iterator[None]:
    from pyogrio.errors import DataLayerError, DataSourceError

    try:
        yield
    except (DataLayerError, DataSourceError) as e:
        raise LayerError(f"{printable(path)} cannot be written: {e}", "is the disk full?") from e


@contextmanager
def _gdal_date(timestamp: str) -> Iterator[None]:
    """GDAL writes this date instead of now, so that equal runs give equal files."""
    import pyogrio

    before = pyogrio.get_gdal_config_option("OGR_CURRENT_DATE")
    pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": timestamp})
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": before})
