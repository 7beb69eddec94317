"""CRSs drawn at random, and what must hold of each: roads stay where they are, in every format.

Run by test_crs_faults.py, and at length by benchmarks/fuzz.py.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import shapely
from affine import Affine
from drawn_networks import network
from hypothesis import assume, reject
from hypothesis import strategies as st
from pyproj import CRS, Geod, Transformer
from pyproj.crs import CompoundCRS
from pyproj.exceptions import ProjError

from georoads.errors import GeoroadsError
from georoads.grid import Grid, Points
from georoads.output.read import read_roads
from georoads.output.write import WriteOptions, write_roads

SUFFIXES = (".gpkg", ".fgb", ".geojson", *((".parquet",) if find_spec("pyarrow") else ()))
PLACE_M = 0.01
EARTH_M = 6_371_008.8
UNITS = {
    "metre": 1.0, "kilometre": 1000.0, "foot": 0.3048, "US survey foot": 0.304800609601219, "yard": 0.9144,
    "Indian foot": 0.304799510248147, "centimetre": 0.01, "link": 0.201168, "my unit": 3.21,
}  # fmt: skip
ANGLES = {"degree": math.pi / 180, "grad": math.pi / 200, "arc-second": math.pi / 648_000}
CODES = (
    "EPSG:32632", "EPSG:26910", "EPSG:2056", "EPSG:2053", "EPSG:2227", "EPSG:2222", "EPSG:27572", "EPSG:4807",
    "EPSG:5514", "EPSG:28992", "EPSG:3035", "EPSG:3031", "EPSG:3413", "EPSG:31467", "EPSG:4326", "EPSG:4979",
    "EPSG:3857", "EPSG:3005", "EPSG:27700", "EPSG:2193", "EPSG:3128", "ESRI:102003", "OGC:CRS84",
)  # fmt: skip
PROJECTIONS = (
    "+proj=utm +zone={zone}", "+proj=utm +zone={zone} +south",
    "+proj=tmerc +lat_0=0 +lon_0={lon} +k=0.9996 +x_0=500000", "+proj=tmerc +lat_0={lat} +lon_0={lon}",
    "+proj=lcc +lat_1={lat} +lat_2={south} +lat_0={lat} +lon_0={lon} +x_0={x}", "+proj=merc +lon_0={lon}",
    "+proj=laea +lat_0={lat} +lon_0={lon}", "+proj=aeqd +lat_0={lat} +lon_0={lon} +x_0={x}",
    "+proj=stere +lat_0={pole} +lat_ts={pole_ts} +lon_0={lon}", "+proj=stere +lat_0={lat} +lon_0={lon}",
    "+proj=omerc +lat_0={lat} +lonc={lon} +alpha=30 +gamma=30", "+proj=cass +lat_0={lat} +lon_0={lon}",
    "+proj=poly +lat_0={lat} +lon_0={lon}", "+proj=cea +lat_ts={lat} +lon_0={lon}", "+proj=eqc +lon_0={lon}",
    "+proj=aea +lat_1={lat} +lat_2={south} +lat_0={lat} +lon_0={lon}", "+proj=sinu +lon_0={lon}",
)  # fmt: skip
# Without a shift, or with their own: which one PROJ finds elsewhere depends on how a datum is spelt.
BODIES = (
    "+datum=WGS84", "+datum=NAD83", "+ellps=intl", "+ellps=bessel", "+R=6371000",
    "+ellps=bessel +towgs84=598.1,73.7,418.2,0.202,0.045,-2.455,6.7", "+ellps=GRS80 +towgs84=0,0,0",
)  # fmt: skip
MERIDIANS = ("", "", "", " +pm=paris", " +pm=rome", " +pm=-17.5")
AXES = ("", "", "", " +axis=wsu", " +axis=neu")


@dataclass(frozen=True)
class DrawnCrs:
    """A CRS as WKT, and a place in it, x and y; ``is_local`` where it lies nowhere on the Earth."""

    wkt: str
    place: tuple[float, float]
    is_local: bool = False


@st.composite
def drawn_crs(draw: st.DrawFn) -> DrawnCrs:
    """A CRS of some kind, in some unit, perhaps with a code that is not its own, or with heights."""
    kind = draw(st.sampled_from(["local", "degrees", "code", *["projected"] * 6]))
    if kind == "local":
        unit, factor = draw(st.sampled_from(list(UNITS.items())))
        axes = 'AXIS["x",east],AXIS["y",north]'
        wkt = f'ENGCRS["here",EDATUM["none"],CS[Cartesian,2],{axes},LENGTHUNIT["{unit}",{factor!r}]]'
        return DrawnCrs(wkt, (draw(st.floats(-1e6, 1e6)) / factor, 1000.0), is_local=True)
    lon = draw(st.integers(-178, 178)) + 0.3
    lat = draw(st.sampled_from([-1, 1])) * (draw(st.integers(5, 80)) + 0.2)
    if kind == "code":
        crs = CRS(draw(st.sampled_from(CODES)))
        area = crs.area_of_use
        assert area is not None
        lon, lat = (area.west + area.east) / 2 + 0.1, (area.south + area.north) / 2 + 0.1
    else:
        try:
            crs = CRS(_proj_text(draw, kind, lon, lat))
        except ProjError:  # a sphere has no UTM
            reject()
        crs = _with_unit(draw, crs)
    content = crs.to_json_dict()
    if draw(st.integers(0, 4)) == 0:
        code = draw(st.sampled_from(CODES[:12])).removeprefix("EPSG:")
        content["id"] = {"authority": "EPSG", "code": int(code)}
    crs = CRS.from_json_dict(content)
    if draw(st.integers(0, 9)) == 0 and len(crs.axis_info) == 2 and crs.type_name != "Bound CRS":
        crs = CompoundCRS("with heights", [crs, CRS("EPSG:5773")])
    try:
        x, y = _to_lonlat(crs).transform(lon, lat, direction="INVERSE")
    except ProjError:  # no way leads from it to degrees
        reject()
    assume(np.isfinite((x, y)).all())
    return DrawnCrs(crs.to_wkt(), (x, y))


def _proj_text(draw: st.DrawFn, kind: str, lon: float, lat: float) -> str:
    form = "+proj=longlat" if kind == "degrees" else draw(st.sampled_from(PROJECTIONS))
    side = 1 if lat > 0 else -1
    values = {
        "lon": lon - 0.2, "lat": lat - side * 0.1, "south": lat - side * 2, "zone": int((lon + 180) // 6) + 1,
        "x": draw(st.sampled_from([0, 500_000, 123_456.7])), "pole": 90 * side, "pole_ts": 71 * side,
    }  # fmt: skip
    meridian = "" if form.startswith("+proj=utm") else draw(st.sampled_from(MERIDIANS))
    return f"{form.format(**values)} {draw(st.sampled_from(BODIES))}{meridian}{draw(st.sampled_from(AXES))}"


def _with_unit(draw: st.DrawFn, crs: CRS) -> CRS:
    """The same CRS, whose axes count another unit."""
    content = crs.to_json_dict()
    inner = content["source_crs"] if content["type"] == "BoundCRS" else content
    angular = inner["type"] == "GeographicCRS"
    unit, factor = draw(st.sampled_from(list((ANGLES if angular else UNITS).items())))
    kind = "AngularUnit" if angular else "LinearUnit"
    for axis in inner["coordinate_system"]["axis"]:
        axis["unit"] = {"type": kind, "name": unit, "conversion_factor": factor}
    return CRS.from_json_dict(content)


def _to_lonlat(crs: CRS) -> Transformer:
    # PROJ forgets the unit of some angles beside heights.
    flat = crs.sub_crs_list[0] if crs.type_name == "Compound CRS" else crs
    return Transformer.from_crs(flat, "EPSG:4326", always_xy=True)


def check_crs(drawn: DrawnCrs, folder: Path) -> str:
    """Write roads of this CRS in every format and read them: "read", or "refused" where one refuses it.

    GeoJSON may refuse what lies nowhere; GDAL's others a prime meridian beside other angles than degrees.
    """
    crs = CRS(drawn.wkt)
    unit_m = crs.axis_info[0].unit_conversion_factor * (EARTH_M if crs.is_geographic else 1.0)
    x, y = drawn.place
    drawn_roads = network(grid=Grid(drawn.wkt, Affine(0.5 / unit_m, 0, x, 0, -0.5 / unit_m, y), 400, 400))
    truth = _lonlat(drawn_roads.grid.to_crs(drawn_roads.points), crs, drawn)
    end = "read"
    for suffix in SUFFIXES:
        path = folder / f"roads{suffix}"
        path.unlink(missing_ok=True)
        try:
            write_roads(drawn_roads, path, WriteOptions())
        except GeoroadsError:
            # What GDAL writes of a prime meridian takes the unit of the axes, grads or arc-seconds.
            odd_angles = crs.is_geographic and abs(unit_m / EARTH_M - ANGLES["degree"]) > 1e-9
            # And it forgets beside heights along which meridians the axes of a polar CRS point.
            odd_axes = len({axis.direction for axis in crs.axis_info[:2]}) == 1
            odd = (odd_angles or odd_axes) and suffix in (".gpkg", ".fgb")
            assert suffix == ".geojson" if drawn.is_local else odd
            end = "refused"
            continue
        found = read_roads(path)
        places = _lonlat(shapely.get_coordinates(found.lines), CRS(found.crs), drawn)
        nearest = shapely.STRtree(shapely.points(truth)).nearest(shapely.points(places))
        if drawn.is_local:
            apart_m = np.hypot(*(places - truth[nearest]).T) * unit_m
        else:
            _, _, apart_m = Geod(ellps="WGS84").inv(*places.T, *truth[nearest].T)
        assert len(places) == len(truth) and np.max(apart_m) < PLACE_M, (suffix, np.max(apart_m))
    return end


def _lonlat(points: Points, crs: CRS, drawn: DrawnCrs) -> Points:
    """Longitude and latitude of points (N, 2); those of a CRS that lies nowhere stay as they are."""
    return points if drawn.is_local else np.column_stack(_to_lonlat(crs).transform(*points.T))
