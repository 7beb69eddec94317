"""The formats of road layers: which suffix is which, and which are written."""

from __future__ import annotations

from pathlib import Path

from georoads.errors import LayerError
from georoads.extras import require_extra
from georoads.output.conversion import converting
from georoads.output.dictionary import CHANGES, ROADS
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

ROADS_WRITTEN = {
    **WRITTEN,
    ".osm": "OSM",
    ".overture.geojson": "Overture GeoJSON",
    ".overture.parquet": "Overture Parquet",
}
"""The formats that roads are written in, by suffix."""

CHANGES_WRITTEN = {**WRITTEN, ".maproulette.geojson": "MapRoulette"}
"""The formats that differences are written in, by suffix."""

READ = {**WRITTEN, ".osm": "OSM", ".shp": "ESRI Shapefile", ".pbf": "OSM PBF"}
"""The formats that are read, by suffix."""

IN_DEGREES = ("GeoJSON", "OSM", "MapRoulette", "Overture GeoJSON", "Overture Parquet")
"""The formats whose coordinates are always WGS 84."""

_OF_TWO_PARTS = tuple(s for s in {**ROADS_WRITTEN, **CHANGES_WRITTEN} if s.count(".") > 1)


def suffix_of(path: Path) -> str:
    """The suffix that tells how a file is written, in small letters; some have two parts.

    Example:
        >>> suffix_of(Path("Tasks.MapRoulette.GeoJSON")), suffix_of(Path("roads.v2.gpkg"))
        ('.maproulette.geojson', '.gpkg')
    """
    name = path.name.lower()
    return next((suffix for suffix in _OF_TWO_PARTS if name.endswith(suffix)), path.suffix.lower())


def driver_of_output(path: Path, layer: str = ROADS.name) -> str:
    """The driver that writes a layer to a file, by its suffix.

    Raises:
        LayerError: no format that any layer is written in has this suffix.
    """
    return _driver_of(path, WRITTEN, layer)


def driver_of_roads(path: Path) -> str:
    """As ``driver_of_output``, of roads with their nodes."""
    return _driver_of(path, ROADS_WRITTEN, ROADS.name)


def driver_of_changes(path: Path) -> str:
    """As ``driver_of_output``, of what differs between two layers."""
    return _driver_of(path, CHANGES_WRITTEN, CHANGES.name)


def _driver_of(path: Path, known: dict[str, str], layer: str) -> str:
    suffix = suffix_of(path)
    driver = known.get(suffix)
    if driver is None:
        convert = converting(path, layer)
        raise LayerError(
            f"{printable(path)}: roads cannot be written as {suffix or 'a file without suffix'!r}",
            f"write .gpkg, then: {convert}" if convert else f"known: {', '.join(known)}",
        )
    return driver


def check_parquet(path: Path) -> None:
    """Refuse a GeoParquet file where pyarrow is missing.

    Raises:
        GeoroadsError: pyarrow is not installed.
    """
    require_extra("parquet", f"{printable(path)}: GeoParquet", ("pyarrow",), "or use .gpkg or .fgb")
