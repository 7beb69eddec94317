"""Odd CRSs of roads, and roads that lie nowhere. The numbers are those of docs/faults.md."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from command_line import contents, refused, typed, unchanged
from drawn_networks import network
from fuzzed_crs import DrawnCrs, check_crs, drawn_crs
from hypothesis import HealthCheck, given, settings
from pyproj import CRS, Transformer
from pyproj.crs import CompoundCRS

from georoads.crs import epsg_of, exact_crs
from georoads.errors import LayerError
from georoads.grid import Grid
from georoads.output.postgis import srid_of
from georoads.output.write import WriteOptions, write_roads

LOCAL = 'LOCAL_CS["{}",UNIT["{}",{}],AXIS["Easting",EAST],AXIS["Northing",NORTH]]'
FALSE_EASTING = '"False easting",500000'
ODD = {
    "US feet": ("+proj=utm +zone=10 +datum=NAD83 +units=us-ft", -121.9, 37.3),
    "feet": ("+proj=utm +zone=10 +datum=WGS84 +units=ft", -121.9, 37.3),
    "kilometres": ("+proj=utm +zone=47 +datum=WGS84 +units=km", 99.5, 13.2),
    "feet with a code": ("EPSG:2227", -121.9, 37.3),
    "grads": ("EPSG:4807", 2.3, 48.8),
    "grads and Paris": ("EPSG:27572", 2.3, 48.8),
    "Rome": ("+proj=tmerc +lon_0=0 +pm=rome +ellps=intl", 12.5, 41.9),
    "south-orientated": ("EPSG:2053", 29.0, -30.0),
    "west and south": ("+proj=tmerc +lon_0=29 +datum=WGS84 +axis=wsu", 29.0, -30.0),
    "false easting": ("+proj=tmerc +lon_0=9 +k=0.9996 +x_0=123456.7 +datum=WGS84", 9.1, 45.2),
    "a false code": (CRS(32632).to_wkt().replace(FALSE_EASTING, '"False easting",123456.7'), 9.1, 45.2),
    "compound": ("EPSG:32632+5773", 9.1, 45.2),
    "bound": ("+proj=tmerc +lon_0=9 +x_0=3500000 +ellps=bessel +towgs84=598,74,418,0,0,-2,6", 9.1, 49.2),
    "polar in feet": ("+proj=stere +lat_0=-90 +lat_ts=-71 +datum=WGS84 +units=ft", 10.0, -75.0),
}  # fmt: skip


# 59: CRSs


@pytest.mark.slow
@pytest.mark.parametrize("name", ODD)
def test_59_roads_lie_where_they_lay_in_every_format(name: str, tmp_path: Path) -> None:
    text, lon, lat = ODD[name]
    crs = CRS(text)
    x, y = Transformer.from_crs("EPSG:4326", crs, always_xy=True).transform(lon, lat)
    assert check_crs(DrawnCrs(crs.to_wkt(), (x, y)), tmp_path) == "read"


@pytest.mark.slow
def test_59_so_they_do_in_any_crs(tmp_path: Path) -> None:
    ends = Counter[str]()

    @settings(max_examples=30, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(drawn_crs())
    def one(drawn: DrawnCrs) -> None:
        ends[check_crs(drawn, tmp_path)] += 1

    one()
    assert ends["read"] > 10


def test_59_a_code_is_that_of_the_same_crs_in_the_same_unit() -> None:
    feet, false = CRS(ODD["feet"][0]).to_wkt(), ODD["a false code"][0]
    assert CRS(false).to_json_dict()["id"]["code"] == 32632
    assert "id" not in CRS(exact_crs(false)).to_json_dict()
    assert [epsg_of(crs) for crs in (feet, false, "EPSG:2227", "OGC:CRS84")] == [None, None, 2227, None]
    with_heights = CompoundCRS("with heights", [CRS(false), CRS(5773)]).to_wkt()
    assert "id" not in CRS(exact_crs(with_heights)).sub_crs_list[0].to_json_dict()
    for crs in (feet, false):
        with pytest.raises(LayerError, match="has no EPSG code"):
            srid_of(crs)


def test_59_what_a_format_cannot_hold_is_refused(tmp_path: Path) -> None:
    content = CRS("+proj=longlat +ellps=WGS84 +pm=-17.5").to_json_dict()
    for axis in content["coordinate_system"]["axis"]:
        axis["unit"] = {"type": "AngularUnit", "name": "grad", "conversion_factor": np.pi / 200}
    wkt = CRS.from_json_dict(content).to_wkt()
    roads = network(grid=Grid(wkt, rasterio.Affine(1e-5, 0, 10, 0, -1e-5, 50), 400, 400))
    with unchanged(tmp_path), pytest.raises(LayerError, match="cannot hold the CRS") as e:
        write_roads(roads, tmp_path / "roads.gpkg", WriteOptions())
    assert ".geojson" in e.value.hint
    write_roads(roads, tmp_path / "roads.geojson", WriteOptions())


# 60: no place on the Earth


def save(path: Path, crs: str, x: float = 0.0, y: float = 0.0, size: float = 90.0) -> Path:
    """Two roads that cross, from x, y on; in a CRS without a code as it stands in the file."""
    half = size / 2
    lines = [
        [(x, y + half), (x + half, y + half), (x + size, y + half)],
        [(x + half, y), (x + half, y + half)],
    ]
    wkb = shapely.to_wkb(np.array([shapely.LineString(line) for line in lines], dtype=object))
    pyogrio.raw.write(path, wkb, [], [], geometry_type="LineString", layer="roads", crs=crs)
    return path


def scene_of(path: Path, crs: str) -> Path:
    place = rasterio.Affine(0.5, 0, 500_000, 0, -0.5, 1_600_000)
    profile = {"driver": "GTiff", "width": 64, "height": 64, "count": 1, "dtype": "uint8"}
    with rasterio.open(path, "w", **profile, crs=crs, transform=place) as out:
        out.write(np.full((1, 64, 64), 130, np.uint8))
    return path


def test_60_layers_in_local_metres_are_scored_against_their_like(tmp_path: Path) -> None:
    undefined = LOCAL.format("Undefined Cartesian SRS", "Meter", 1)  # what srs_id -1 means
    metres = save(tmp_path / "m.gpkg", undefined, 618_000, 1_600_000)
    ended = typed("score", metres, metres)
    assert ended.code == 0 and "m.gpkg (0.14 km)" in ended.out, ended
    feet = save(tmp_path / "f.gpkg", LOCAL.format("site", "foot", 0.3048))
    ended = typed("score", feet, feet, "--explain", tmp_path / "e.gpkg")
    assert ended.code == 0 and "f.gpkg (0.04 km)" in ended.out, ended
    assert pyogrio.read_bounds(tmp_path / "e.gpkg", layer="errors")[1].max() == pytest.approx(90)  # feet


def test_60_no_way_leads_from_nowhere_to_the_earth(tmp_path: Path) -> None:
    local = save(tmp_path / "local.gpkg", LOCAL.format("site", "Meter", 1))
    utm = save(tmp_path / "utm.gpkg", "EPSG:32647", 500_000, 1_600_000)
    moon = save(tmp_path / "moon.gpkg", "IAU_2015:30100", size=0.001)
    with unchanged(tmp_path):
        for pair in ((local, utm), (utm, local), (moon, utm)):
            refused("score", *pair, says="no way leads from", hint="ogr2ogr -a_srs")
        refused("score", local, utm, says="'site', which lies nowhere on the Earth")
        refused("view", moon, "-o", tmp_path / "m.html", says="moon.gpkg, layer roads cannot be drawn")


def test_60_such_roads_and_scenes_are_not_laid_on_each_other(tmp_path: Path) -> None:
    here = scene_of(tmp_path / "here.tif", "EPSG:32647")
    nowhere = scene_of(tmp_path / "nowhere.tif", LOCAL.format("site", "metre", 1))
    local = save(tmp_path / "local.gpkg", LOCAL.format("site", "Meter", 1))
    before = contents(tmp_path)
    refused(
        "tiles",
        here,
        "--roads",
        local,
        "--width",
        "6",
        "-o",
        tmp_path / "t",
        says="local.gpkg",
        hint="-a_srs",
    )
    refused("extract", here, nowhere, "-o", tmp_path / "r.gpkg", says="nowhere.tif cannot lie beside")
    refused("extract", nowhere, "-o", tmp_path / "r.geojson", says="has no place", hint="write .gpkg")
    assert contents(tmp_path) == before


def test_60_a_local_crs_may_count_feet(tmp_path: Path) -> None:
    scene = scene_of(tmp_path / "feet.tif", LOCAL.format("site", "foot", 0.3048))
    ended = typed("info", scene)
    assert ended.code == 0 and "0.152" in ended.out, ended


def test_60_radians_are_refused(tmp_path: Path) -> None:
    datum = 'DATUM["World Geodetic System 1984",ELLIPSOID["WGS 84",6378137,298.257223563]]'
    axes = 'CS[ellipsoidal,2],AXIS["lon",east],AXIS["lat",north],ANGLEUNIT["radian",1]'
    roads = save(tmp_path / "r.fgb", f'GEOGCRS["r",{datum},PRIMEM["Greenwich",0],{axes}]', 0.1, 0.9, 1e-5)
    refused("score", roads, roads, says="counts radians", hint="-t_srs EPSG:4326")
