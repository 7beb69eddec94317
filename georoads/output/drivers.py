"""Tables to files, through GDAL or pyarrow, and the proof that the file holds them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import shapely

from georoads.errors import LayerError
from georoads.output.crs_text import check_kept, crs_text
from georoads.output.geopackage import GEOMETRY_COLUMN
from georoads.output.plain_path import plain_path
from georoads.output.provenance import Provenance
from georoads.output.table import Table
from georoads.text import printable


def write_with_gdal(path: Path, driver: str, table: Table, provenance: Provenance, *, append: bool) -> None:
    """Write a table as a layer of a file, in the order of its rows (FlatGeobuf: of its spatial index).

    Args:
        path: the file.
        driver: GPKG, GeoJSON or FlatGeobuf.
        table: the layer.
        provenance: the text that GeoJSON and FlatGeobuf carry; its date is the file's.
        append: True when the file exists and takes one more layer (GPKG).

    Raises:
        pyogrio.errors.DataSourceError, DataLayerError: see ``gdal_errors``.
    """
    from pyogrio import raw

    dataset_options: dict[str, str] = {}
    layer_options: dict[str, str] = {}
    if driver == "GPKG":
        # Newer versions of the format make QGIS 3.22 and GDAL 3.6 warn.
        dataset_options = {} if append else {"VERSION": "1.3"}
        layer_options = {"GEOMETRY_NAME": GEOMETRY_COLUMN, "DESCRIPTION": table.layer.title}
    elif driver == "GeoJSON":
        layer_options = {"RFC7946": "YES", "DESCRIPTION": provenance.as_json()}
    elif driver == "FlatGeobuf":
        layer_options = {
            "SPATIAL_INDEX": "YES",
            "TITLE": table.layer.title,
            "DESCRIPTION": provenance.as_json(),
        }
    with _gdal_date(provenance.timestamp), plain_path(path) as plain:
        raw.write(
            plain,
            shapely.to_wkb(table.geometry),
            list(table.columns),
            [f.name for f in table.layer.fields],
            field_mask=[table.absent.get(f.name) for f in table.layer.fields],
            layer=table.layer.name,
            driver=driver,
            geometry_type=table.layer.geometry,
            crs=crs_text(table.crs, driver),
            promote_to_multi=False,
            # Appending to the file, not to the layer, which does not exist yet.
            append=append,
            dataset_options=dataset_options or None,
            layer_options=layer_options or None,
        )


def write_parquet(path: Path, table: Table, provenance: Provenance) -> None:
    """Write a table as GeoParquet 1.1, with geometries as WKB and the CRS as PROJJSON.

    Args:
        path: the file.
        table: the layer.
        provenance: goes into the metadata of the file.
    """
    import pandas as pd
    import pyarrow
    from geopandas import GeoDataFrame
    from pyarrow import parquet

    # pandas' own types of text have changed with its versions, and an empty column of objects has none.
    text = pd.ArrowDtype(pyarrow.string())
    columns: dict[str, Any] = {
        field.name: pd.Series(column, dtype=text) if field.type == "text" else column
        for field, column in zip(table.layer.fields, table.columns, strict=True)
    }
    for name, absent in table.absent.items():
        columns[name] = pd.arrays.IntegerArray(columns[name], absent)
    frame = GeoDataFrame(columns, geometry=table.geometry, crs=crs_text(table.crs, "Parquet"))
    frame.to_parquet(path, index=False, schema_version="1.1.0")
    # geopandas takes no metadata of ours, so they are added to the file that it wrote.
    written = parquet.read_table(path)
    metadata = {**written.schema.metadata, b"georoads": provenance.as_json().encode()}
    parquet.write_table(written.replace_schema_metadata(metadata), path)


def verify_single_layer(path: Path, driver: str, table: Table) -> None:
    """Reopen a file of one layer: it must hold as many rows, the same fields and the same CRS.

    Args:
        path: the file.
        driver: Parquet, or what GDAL calls the format.
        table: what was written.

    Raises:
        LayerError: it does not, or it cannot be read.
    """
    expected = len(table.geometry), [f.name for f in table.layer.fields]
    if driver == "Parquet":
        found, crs = _parquet_holds(path)
    else:
        import pyogrio

        with gdal_errors(path), plain_path(path) as plain:
            info = pyogrio.read_info(plain, layer=table.layer.name, force_feature_count=True)
        found, crs = (int(info["features"]), [str(f) for f in info["fields"]]), info["crs"] or ""
    if driver == "GeoJSON" and not len(table.geometry):
        expected = 0, []  # without features GeoJSON cannot name fields
    if found != expected:
        raise LayerError(
            f"{printable(path)} holds {found[0]} of {expected[0]} features, fields {', '.join(found[1])}",
            "the disk may be failing: write to another one",
        )
    check_kept(crs, table.crs, printable(path))


def verify_crs(path: Path, table: Table) -> None:
    """Check that a layer of a file has the CRS that it was written with.

    Raises:
        LayerError: it has not.
    """
    import pyogrio

    with gdal_errors(path), plain_path(path) as plain:
        crs = pyogrio.read_info(plain, layer=table.layer.name)["crs"]
    check_kept(crs or "", table.crs, printable(path))


def _parquet_holds(path: Path) -> tuple[tuple[int, list[str]], str]:
    """Number of rows and names of the fields of a GeoParquet file; and its CRS."""
    from pyarrow import ArrowException, parquet

    try:
        metadata = parquet.read_metadata(path)
        schema = parquet.read_schema(path)
        geo = json.loads(schema.metadata[b"geo"])
    except (ArrowException, OSError, KeyError, ValueError) as e:
        raise LayerError(
            f"{printable(path)} is damaged: {e}",
            "the disk may be full or failing: free some space, or write to another one",
        ) from e
    geometry = geo["primary_column"]
    names = [name for name in schema.names if name != geometry]
    return (int(metadata.num_rows), names), json.dumps(geo["columns"][geometry]["crs"])


@contextmanager
def gdal_errors(path: Path) -> Iterator[None]:
    """What GDAL raises while it writes becomes a LayerError that names ``path``."""
    from pyogrio.errors import DataLayerError, DataSourceError

    try:
        yield
    except (DataLayerError, DataSourceError) as e:
        raise LayerError(
            f"{printable(path)} cannot be written: {e}", "free some space, or write to another disk"
        ) from e


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
