"""The formats of road layers: which suffix is which, and which are written."""

from __future__ import annotations

from pathlib import Path

from georoads.errors import LayerError
from georoads.extras import require_extra
from georoads.text import printable

WRITTEN = {
    ".gpkg": "GPKG",
    ".geojson": "GeoJSON",
    ".json": "GeoJSON",
    ".fgb": "FlatGeobuf",
    ".parquet": "Parquet",
    ".geoparquet": "Parquet",
}
"""The formats that are written, by suffix."""

READ = {**WRITTEN, ".shp": "ESRI Shapefile", ".osm": "OSM", ".pbf": "OSM PBF"}
"""The formats that are read, by suffix."""


def driver_of_output(path: Path) -> str:
    """The driver that writes a file, by its suffix.

    Raises:
        LayerError: no format that is written has this suffix.
    """
    driver = WRITTEN.get(path.suffix.lower())
    if driver is None:
        raise LayerError(
            f"{printable(path)}: roads cannot be written as {path.suffix or 'a file without suffix'!r}",
            f"known: {', '.join(WRITTEN)}",
        )
    return driver


def check_parquet(path: Path) -> None:
    """Refuse a GeoParquet file where pyarrow is missing.

    Raises:
        GeoroadsError: pyarrow is not installed.
    """
    require_extra("parquet", f"{printable(path)}: GeoParquet", ("pyarrow",), "or use .gpkg or .fgb")
