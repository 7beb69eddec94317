"""How GDAL's ogr2ogr makes of a GeoPackage what is not written here: the line to type."""

from __future__ import annotations

import shlex
from pathlib import Path

from georoads.output.dictionary import ROADS, Field
from georoads.output.geopackage import GEOMETRY_COLUMN
from georoads.text import printable

LONGEST_FIELD = 10
"""Characters of a field's name in a Shapefile; GDAL cuts longer ones."""
_SHORT = {"width_std_m": "width_std", "confidence_p05": "conf_p05", "carriageway": "carriage"}
"""What fields are called there whose names are too long."""
_PLAIN = (".kml", ".kmz", ".gml", ".tab", ".mif", ".gdb", ".sqlite")
_BY_SHELL = '"$`!'
"""Signs that a shell would not leave alone between double quotes."""


def converting(path: Path, layer: str = ROADS.name) -> str:
    """The command that makes a file of a layer in the GeoPackage beside it; "" for an unknown suffix.

    Example:
        >>> converting(Path("my roads.kml"))
        'ogr2ogr "my roads.kml" "my roads.gpkg" roads'
    """
    options = _options(path.suffix.lower(), layer)
    if not options:
        return ""
    return f"ogr2ogr {_quoted(path)} {_quoted(path.with_suffix('.gpkg'))} {options}"


def _options(suffix: str, layer: str) -> str:
    """What of the layer to take, and how."""
    lines = f'-sql "SELECT {GEOMETRY_COLUMN} FROM {layer}"'
    if suffix == ".shp" and layer == ROADS.name:
        return f'-sql "SELECT {GEOMETRY_COLUMN}, {", ".join(map(_shortened, ROADS.fields))} FROM {layer}"'
    if suffix == ".dxf":
        return lines
    if suffix == ".gpx":
        return f"-t_srs EPSG:4326 {lines}"
    if suffix == ".csv":
        return f"{layer} -lco GEOMETRY=AS_WKT"
    return layer if suffix in (".shp", *_PLAIN) else ""


def _shortened(field: Field) -> str:
    return f"{field.name} AS {_SHORT[field.name]}" if len(field.name) > LONGEST_FIELD else field.name


def _quoted(path: Path) -> str:
    """A name as POSIX shells take it, and that of Windows where none of their signs is in it."""
    name = printable(path)
    return shlex.quote(name) if any(sign in name for sign in _BY_SHELL) else f'"{name}"'
