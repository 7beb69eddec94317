"""How a CRS is named in a file, so that it is the same one when the file is read.

GDAL names CRSs without a code by the code that it finds most alike: any UTM, in feet or kilometres, by that
in metres. So what it would make of a CRS is looked at first, and what it made of it at the end.
"""

from __future__ import annotations

import tempfile
import zlib
from functools import lru_cache
from pathlib import Path

import numpy as np

from georoads.crs import epsg_of, exact_crs, parse_crs, same_places
from georoads.errors import LayerError
from georoads.text import printable

_HINT = "write .parquet, which holds any CRS, or .geojson, which is always WGS 84"


@lru_cache(maxsize=16)
def crs_text(crs: str, driver: str) -> str:
    """What to call a CRS to GDAL or geopandas: its EPSG code where it has one, so that every format and
    program names it alike; else WKT.

    Args:
        crs: any string that pyproj reads.
        driver: that writes the file.

    Raises:
        LayerError: the format cannot hold it.
    """
    code = epsg_of(crs)
    if code is not None:
        return f"EPSG:{code}"
    parsed = parse_crs(exact_crs(crs))
    wkt = str(parsed.to_wkt())
    if driver not in ("GPKG", "FlatGeobuf"):
        return wkt
    # GDAL looks for no code where there is one: NONE is what GeoPackage calls the authority of nobody.
    number = 100_000 + zlib.crc32(wkt.encode()) % 900_000
    nobodys = type(parsed).from_json_dict(
        parsed.to_json_dict() | {"id": {"authority": "NONE", "code": number}}
    )
    for text in (wkt, str(nobodys.to_wkt())):
        if _is_kept(_written_by_gdal(text, driver), crs):
            return text
    raise LayerError(f"{driver} cannot hold the CRS {printable(parsed.name)}", _HINT)


def check_kept(found: str, crs: str, where: str) -> None:
    """Refuse a file that was written with another CRS than it should have.

    Args:
        found: the CRS of the file; any string that pyproj reads, or "".
        crs: what it should be.
        where: the file, for messages.

    Raises:
        LayerError: they are not the same places.
    """
    if not _is_kept(found, crs):
        raise LayerError(f"{where} cannot hold the CRS {printable(parse_crs(crs).name)}", _HINT)


def _is_kept(found: str, crs: str) -> bool:
    from pyproj.exceptions import CRSError

    try:
        return same_places(parse_crs(found), parse_crs(exact_crs(crs)))
    except CRSError:
        return False


def _written_by_gdal(text: str, driver: str) -> str:
    """The CRS that an empty layer has when it is written with this one; "" where it has none."""
    import pyogrio

    none = np.empty(0, dtype=np.object_)
    with tempfile.TemporaryDirectory(prefix="georoads-") as folder:
        file = Path(folder) / ("a.gpkg" if driver == "GPKG" else "a.fgb")
        try:
            pyogrio.raw.write(file, none, [], [], driver=driver, geometry_type="LineString", crs=text)
            return pyogrio.read_info(file)["crs"] or ""
        except (pyogrio.errors.DataSourceError, pyogrio.errors.DataLayerError, pyogrio.errors.CRSError):
            return ""
