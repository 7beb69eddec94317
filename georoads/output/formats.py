"""The formats of road layers: which suffix is which, and which are written."""

from __future__ import annotations

from pathlib import Path

from georoads.errors import LayerError
from georoads.extras import require_extra
from georoads.output.conversion import converting
from georoads.output.dictionary import ROADS
from georoads.text import printable

WRITTEN = {
    ".gpkg": "GPKG",
    ".geojson": "GeoJSON",
    ".json": "GeoJSON",
    ".fgb": "FlatGeobuf",
    ".parquet": "Parquet",
    ".geoparquet": "Parquet",
}
"""The formats of any layer, by suffix."""

ROADS_WRITTEN = {**WRITTEN, ".osm": "OSM"}
"""The formats that roads are written in, by suffix."""

READ = {**ROADS_WRITTEN, ".shp": "ESRI Shapefile", ".pbf": "OSM PBF"}
"""The formats that are read, by suffix."""

IN_DEGREES = ("GeoJSON", "OSM")
"""The formats whose coordinates are always WGS 84."""


def driver_of_output(path: Path, layer: str = ROADS.name) -> str:
    """The driver that writes a layer to a file, by its suffix.

    Raises:
        LayerError: no format that any layer is written in has this suffix.
    """
    return _driver_of(path, WRITTEN, layer)


def driver_of_roads(path: Path) -> str:
    """As ``driver_of_output``, of roads with their nodes."""
    return _driver_of(path, ROADS_WRITTEN, ROADS.name)


def _driver_of(path: Path, known: dict[str, str], layer: str) -> str:
    driver = known.get(path.suffix.lower())
    if driver is None:
        convert = converting(path, layer)
        raise LayerError(
            f"{printable(path)}: roads cannot be written as {path.suffix or 'a file without suffix'!r}",
            f"write .gpkg, then: {convert}" if convert else f"known: {', '.join(known)}",
        )
    return driver


def check_parquet(path: Path) -> None:
    """Refuse a GeoParquet file where pyarrow is missing.

    Raises:
        GeoroadsError: pyarrow is not installed.
    """
    require_extra("parquet", f"{printable(path)}: GeoParquet", ("pyarrow",), "or use .gpkg or .fgb")
