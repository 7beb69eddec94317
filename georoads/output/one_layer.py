"""A file that holds one layer, in any format; it appears whole or not at all."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from georoads.crs import CrsError, find_way, parse_crs
from georoads.errors import LayerError
from georoads.files.atomic import replace_when_complete
from georoads.files.work import alone_at
from georoads.output.crs_text import crs_text
from georoads.output.drivers import (
    gdal_errors,
    verify_crs,
    verify_single_layer,
    write_parquet,
    write_with_gdal,
)
from georoads.output.formats import IN_DEGREES, driver_of_output
from georoads.output.geopackage import StyledLayer, check_not_open, finish_geopackage, verify_geopackage
from georoads.output.postgis import srid_of
from georoads.output.provenance import Provenance
from georoads.output.table import Table

_WGS84 = "EPSG:4326"


def write_one_layer(
    target: Path,
    table: Table,
    provenance: Provenance,
    styled: StyledLayer | None = None,
    *,
    overwrite: bool,
    beside: Mapping[Path, Table] | None = None,
) -> None:
    """Write a table as the only layer of a file; the suffix chooses the format.

    Args:
        target: the file.
        table: the layer.
        provenance: goes into the file; its date is the file's.
        styled: what a GeoPackage says of the layer besides; other formats say nothing of it.
        overwrite: True when an existing file may be replaced.
        beside: further layers that belong to it, by file. They appear once ``target`` is written and has been
            read again, and before it does: where it is new, they are.

    Raises:
        LayerError: the format or the CRS cannot be written; the file is in use; the disk is full.
        GeoroadsError: as ``replace_when_complete``.
    """
    driver = driver_of_output(target)

    def verify(part: Path) -> None:
        if driver != "GPKG":
            verify_single_layer(part, driver, table)
            return
        verify_geopackage(part, {table.layer.name: len(table.geometry)})
        verify_crs(part, table)
        check_not_open(target)  # it may have been opened while the work was done

    with replace_when_complete(target, overwrite=overwrite, verify=verify) as part:
        if driver == "Parquet":
            write_parquet(part, table, provenance)
        else:
            with gdal_errors(target):
                write_with_gdal(part, driver, table, provenance, append=False)
        if driver == "GPKG" and styled is not None:
            finish_geopackage(part, [styled], provenance)
        if beside:
            verify(part)
        for path, other in (beside or {}).items():
            with alone_at(path):
                write_one_layer(path, other, provenance, overwrite=overwrite)


def check_held(crs: str, driver: str) -> None:
    """Refuse a CRS that a format cannot hold, and for one in degrees a CRS that lies nowhere.

    Raises:
        LayerError: saying which formats can.
    """
    if driver == "PostGIS":
        srid_of(crs)
    elif driver in IN_DEGREES:
        try:
            find_way(crs, _WGS84)
        except CrsError as e:
            raise LayerError(
                f"{driver} is in degrees; {parse_crs(crs).name}, the CRS of the roads, has no place",
                "write .gpkg, .fgb or .parquet",
            ) from e
    else:
        crs_text(crs, driver)
