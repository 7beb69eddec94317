"""Coordinate reference systems (CRS): whether a code is true, and the way from one to another."""

from __future__ import annotations

import math
from contextlib import suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from georoads.errors import GeoroadsError

if TYPE_CHECKING:
    from pyproj import CRS, Transformer

_SAME_M = 1e-3
"""Places that differ by less are the same."""
_EARTH_M = 6_371_008.8
_DEGREES = "EPSG:4326"
_SOME_M = np.array([[1e5, 2e5], [5e5, 4.5e6], [-4e5, -1e6], [2.6e6, 1.2e6]])
"""Coordinates in metres, x unlike y, of which any projection should know one."""


class CrsError(GeoroadsError):
    """No way leads from one CRS to another."""


@lru_cache(maxsize=64)
def parse_crs(crs: str) -> CRS:
    """The pyproj CRS of a WKT, EPSG or PROJ string.

    Raises:
        pyproj.exceptions.CRSError: when the string is no CRS.
    """
    from pyproj import CRS

    return CRS.from_user_input(crs)


def is_local(crs: CRS) -> bool:
    """Whether a CRS has axes with a unit, but no place on the Earth (an engineering CRS)."""
    return bool(crs.is_engineering)


def metres_per_unit(crs: CRS) -> float:
    """Metres of a unit of the first axis; of one that counts angles, along the equator."""
    factor = float(crs.axis_info[0].unit_conversion_factor) if crs.axis_info else 1.0
    return factor * (_EARTH_M if crs.is_geographic else 1.0)


def turn_of(crs: CRS) -> float | None:
    """What a full turn measures in the unit of a CRS; None where its coordinates are no angles."""
    return math.tau / float(crs.axis_info[0].unit_conversion_factor) if crs.is_geographic else None


def same_places(a: CRS, b: CRS) -> bool:
    """Whether the same coordinates, x and y, are the same places in both CRSs, and in the same unit.

    Where definitions differ, as formats spell them differently, a few places in the area of use are compared;
    without such an area they are taken to differ. Local ones agree in name and unit. Heights do not matter.
    """
    if a.equals(b, ignore_axis_order=True):
        return _have_same_axes(a, b)
    if is_local(a) or is_local(b):
        return (a.type_name, a.name, metres_per_unit(a)) == (b.type_name, b.name, metres_per_unit(b))
    if a.sub_crs_list and b.sub_crs_list:
        return same_places(a.sub_crs_list[0], b.sub_crs_list[0])
    return _agree_in_area(a, b)


def _have_same_axes(a: CRS, b: CRS) -> bool:
    """Whether x and y mean the same in CRSs that are equal in all else.

    PROJ brings axes to the east and to the north into this order; others, as those of polar CRSs that all
    point north, are compared by a few coordinates.
    """
    if all({axis.direction for axis in crs.axis_info[:2]} == {"east", "north"} for crs in (a, b)):
        return True
    xy = _SOME_M / metres_per_unit(a)
    try:
        apart = _transform_points(xy, a.to_wkt(), _DEGREES) - _transform_points(xy, b.to_wkt(), _DEGREES)
    except CrsError:  # none of the Earth
        return True
    apart = apart[np.isfinite(apart)]
    return bool((np.abs(apart) * math.radians(_EARTH_M) < _SAME_M).all())


def _agree_in_area(a: CRS, b: CRS) -> bool:
    """Whether a few places of the area in which one of them is used have the same coordinates in both."""
    area = _area_of_use(b) or _area_of_use(a)
    if area is None:
        return False
    share = np.array([0.25, 0.5, 0.75])
    west, south, east, north = area
    lon, lat = np.meshgrid(west + share * ((east - west) % 360 or 360), south + share * (north - south))
    lonlat = np.column_stack((lon.ravel(), lat.ravel()))
    try:
        apart = _transform_points(lonlat, _DEGREES, a.to_wkt()) - _transform_points(
            lonlat, _DEGREES, b.to_wkt()
        )
    except CrsError:
        return False
    apart = apart[np.isfinite(apart)]  # a projection need not reach all of the area
    return bool(apart.size and (np.abs(apart) * metres_per_unit(a) < _SAME_M).all())


def _area_of_use(crs: CRS) -> tuple[float, float, float, float] | None:
    """West, south, east, north of where a CRS, or the one of its code, is used; None where nobody says it."""
    from pyproj.exceptions import CRSError

    area, own = crs.area_of_use, crs.to_json_dict().get("id")
    if area is None and own is not None:
        with suppress(CRSError):
            area = parse_crs(f"{own['authority']}:{own['code']}").area_of_use
    return area.bounds if area is not None else None


def _transform_points(points: NDArray[np.float64], source: str, target: str) -> NDArray[np.float64]:
    """Points (N, 2) of a CRS in another one; those that cannot be are infinite."""
    return np.column_stack(find_way(source, target).transform(points[:, 0], points[:, 1]))


@lru_cache(maxsize=64)
def exact_crs(crs: str) -> str:
    """The CRS, without its code where that stands for another one.

    A definition in feet may claim to be EPSG:32632; programs, and GDAL where it writes, believe the code.
    """
    from pyproj import CRS

    content = parse_crs(crs).to_json_dict()
    true = _with_true_codes(content)
    return crs if true == content else str(CRS.from_json_dict(true).to_wkt())


def _with_true_codes(content: dict[str, Any]) -> dict[str, Any]:
    """The PROJJSON of a CRS without false codes, its own and that of the CRS that it is made of."""
    from pyproj import CRS
    from pyproj.exceptions import CRSError

    true = dict(content)
    if "components" in true:  # the first one is horizontal, others are heights
        first, *others = true["components"]
        true["components"] = [_with_true_codes(first), *others]
    if "source_crs" in true:
        true["source_crs"] = _with_true_codes(true["source_crs"])
    code = true.pop("id", None)
    if code is None:
        return true
    try:
        known = CRS.from_authority(str(code["authority"]), str(code["code"]))
    except CRSError:  # nobody knows it, so nobody takes it for another one
        return true | {"id": code}
    return true | {"id": code} if same_places(CRS.from_json_dict(true), known) else true


@lru_cache(maxsize=64)
def epsg_of(crs: str) -> int | None:
    """The EPSG code of a CRS, its unit included; None where it has none."""
    parsed = parse_crs(exact_crs(crs))
    code = parsed.to_epsg(min_confidence=100)
    if code is None:  # another version of PROJ may have called its datum otherwise
        own = parsed.to_json_dict().get("id", {})
        return int(own["code"]) if own.get("authority") == "EPSG" else None
    return int(code) if same_places(parsed, parse_crs(f"EPSG:{code}")) else None


@lru_cache(maxsize=64)
def find_way(source: str, target: str) -> Transformer:
    """The transformer from one CRS to another, for coordinates in the order x, y.

    PROJ takes longer to find the way than to move a thousand points along it.

    Raises:
        CrsError: there is none, as where one of them is no CRS of the Earth; one of them counts radians.
    """
    from pyproj import Transformer
    from pyproj.exceptions import ProjError

    a, b = (_horizontal_part(parse_crs(crs)) for crs in (source, target))
    for crs in (a, b):
        if turn_of(crs) == math.tau:
            raise CrsError(
                f"{_describe(crs)} counts radians, for which pyproj takes degrees",
                "reproject to degrees: ogr2ogr -t_srs EPSG:4326 OUT IN, or gdalwarp -t_srs EPSG:4326 IN OUT",
            )
    if is_local(a) and is_local(b) and same_places(a, b):
        return Transformer.from_pipeline("+proj=noop")
    try:
        return Transformer.from_crs(a, b, always_xy=True)
    except ProjError as e:
        raise CrsError(
            f"no way leads from {_describe(a)} to {_describe(b)}",
            "assign the CRS that the coordinates are in, as in: ogr2ogr -a_srs EPSG:32633 OUT IN (a layer), "
            "gdal_translate -a_srs EPSG:32633 IN OUT (a raster)",
        ) from e


def _horizontal_part(crs: CRS) -> CRS:
    """The CRS without heights, if its angles are no degrees: PROJ forgets their unit beside heights."""
    turn = turn_of(crs)
    if turn is None or abs(turn - 360) < 1e-9 or not crs.sub_crs_list:
        return crs
    return crs.sub_crs_list[0]


@lru_cache(maxsize=64)
def to_wgs84(crs: str) -> Transformer:
    """Transformer from a CRS to longitude and latitude (in that order).

    An engineering CRS lies nowhere; for lengths it may as well lie at 0° N, 0° E.

    Raises:
        CrsError: the CRS is none of the Earth.
    """
    parsed = parse_crs(crs)
    if is_local(parsed):
        crs = f"+proj=tmerc +ellps=WGS84 +to_meter={parsed.axis_info[0].unit_conversion_factor!r}"
    return find_way(crs, "EPSG:4326")


def _describe(crs: CRS) -> str:
    if crs.name == "unknown":
        return "another CRS"
    return f"the CRS {crs.name!r}" + (", which lies nowhere on the Earth," if is_local(crs) else "")
