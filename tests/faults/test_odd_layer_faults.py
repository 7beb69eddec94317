"""Road layers as others make them, and as nobody should. The numbers are those of docs/faults.md."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pytest
import shapely
from command_line import refused, typed, unchanged
from pyproj import Transformer

from georoads.output.read import read_roads

Line = list[list[float]]


def geojson(path: Path, *geometries: tuple[str, Any]) -> Path:
    """A GeoJSON of geometries, each by its type and coordinates."""
    rows = [
        {"type": "Feature", "properties": {}, "geometry": {"type": kind, "coordinates": coordinates}}
        for kind, coordinates in geometries
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": rows}))
    return path


def lines(path: Path, *drawn: Line) -> Path:
    return geojson(path, *(("LineString", line) for line in drawn))


def layer(path: Path, drawn: list[shapely.Geometry], crs: str, name: str = "roads") -> Path:
    wkb = shapely.to_wkb(np.array(drawn, dtype=object))
    pyogrio.raw.write(
        path, wkb, [], [], geometry_type="LineString", layer=name, crs=crs, append=path.exists()
    )
    return path


def scores(roads: Path, truth: Path) -> dict[str, Any]:
    ended = typed("score", roads, truth, "-q", "--json", "-")
    assert ended.code == 0, ended.err
    found: dict[str, Any] = json.loads(ended.out)
    return found


# 61: views

ENDLESS = "WITH RECURSIVE t(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM t)"
ROAD = shapely.LineString([(500_000, 5_000_000), (500_090, 5_000_000)])


def with_view(path: Path, *statements: str) -> Path:
    layer(path, [ROAD], "EPSG:32632")
    with closing(sqlite3.connect(path)) as db:
        for statement in statements:
            db.execute(statement)
        db.commit()
    return path


def test_61_a_view_is_refused_unread(tmp_path: Path) -> None:
    view = f"CREATE VIEW endless AS {ENDLESS} SELECT x AS fid, (SELECT geom FROM roads) AS geom FROM t"
    listed = [
        f"INSERT INTO {table} SELECT 'endless', {', '.join(columns)} FROM {table} WHERE table_name = 'roads'"
        for table, columns in (
            ("gpkg_contents", ("data_type", "'endless'", "''", "last_change", *["NULL"] * 4, "srs_id")),
            ("gpkg_geometry_columns", ("column_name", "geometry_type_name", "srs_id", "z", "m")),
        )
    ]
    roads = with_view(tmp_path / "v.gpkg", view, *listed)
    with unchanged(tmp_path):
        refused("score", roads, roads, "--layer", "endless", says="'endless' is a view", hint="ogr2ogr")
        refused("view", roads, "--layer", "endless", "-o", tmp_path / "v.html", says="'endless' is a view")
    assert scores(roads, roads)["apls"] == 1.0  # the table beside it is read


@pytest.mark.parametrize("table", ["gpkg_contents", "gpkg_geometry_columns", "gpkg_ogr_contents"])
def test_61_so_is_a_file_whose_own_tables_are_views(table: str, tmp_path: Path) -> None:
    renamed = f"ALTER TABLE {table} RENAME TO old_{table}"
    view = f"CREATE VIEW {table} AS {ENDLESS} SELECT old.* FROM old_{table} AS old, t"
    roads = with_view(tmp_path / "v.gpkg", renamed, view)
    with unchanged(tmp_path):
        refused("score", roads, roads, says=f"'{table}' is a view")
        refused("view", roads, "-o", tmp_path / "v.qgz", says=f"'{table}' is a view")


# 62: round the globe


def test_62_a_line_across_the_antimeridian_goes_the_short_way(tmp_path: Path) -> None:
    roads = lines(tmp_path / "a.geojson", [[179.999, 50], [-179.999, 50]])
    found = scores(roads, roads)
    assert found["apls"] == 1.0
    assert found["reference_km"] == pytest.approx(0.1434, abs=1e-3)


def test_62_split_there_or_not_in_degrees_or_metres_a_network_is_the_same(tmp_path: Path) -> None:
    across: Line = [[179.9985, -16.799], [179.9995, -16.799], [180, -16.799], [180.0015, -16.799]]
    street: Line = [[179.9995, -16.799], [179.9995, -16.8005]]
    split = [across[:3], [[-180, -16.799], [-179.9985, -16.799]]]
    parts = geojson(tmp_path / "split.geojson", ("MultiLineString", split), ("LineString", street))
    whole = lines(tmp_path / "whole.geojson", across, street)
    turned_round = [[[x - 360, y] for x, y in line] for line in (across, street)]
    turned = lines(tmp_path / "turned.geojson", *turned_round)
    metres = Transformer.from_crs("EPSG:4326", "EPSG:32760", always_xy=True)
    steps = np.linspace(0, 1, 20)[:, None]
    bent = [
        shapely.LineString([metres.transform(*p) for p in (np.array(a) + steps * (np.array(b) - a))])
        for line in (across, street)
        for a, b in pairwise(line)
    ]
    utm = layer(tmp_path / "utm.gpkg", bent, "EPSG:32760")
    for roads in (parts, whole, turned):
        found = scores(roads, utm)
        assert [found[k] for k in ("apls", "topo_f1", "node_f1", "f1")] == pytest.approx([1.0] * 4, abs=1e-3)
        west, _, east, _ = shapely.total_bounds(read_roads(roads).lines)
        assert east - west == pytest.approx(0.003)


def test_62_longitudes_from_0_to_360_and_in_grads(tmp_path: Path) -> None:
    east = lines(tmp_path / "e.geojson", [[190.0, 10], [190.001, 10]])
    west = lines(tmp_path / "w.geojson", [[-170.0, 10], [-169.999, 10]])
    assert scores(east, west)["apls"] == 1.0
    greenwich = lines(
        tmp_path / "z.geojson", [[-0.001, 10], [359.999, 10.001], [0.001, 10.002], [360.002, 10]]
    )
    plain = lines(tmp_path / "p.geojson", [[-0.001, 10], [-0.001, 10.001], [0.001, 10.002], [0.002, 10]])
    assert scores(greenwich, plain)["apls"] == 1.0
    degrees = lines(tmp_path / "d.geojson", [[2.3, 48.8], [2.301, 48.8]])
    grads = Transformer.from_crs("EPSG:4326", "EPSG:4807", always_xy=True)
    road = shapely.LineString([grads.transform(2.3, 48.8), grads.transform(2.301, 48.8)])
    paris = layer(tmp_path / "g.gpkg", [road], "EPSG:4807")
    assert scores(paris, degrees)["f1"] == 1.0


def test_62_layers_elsewhere_stay_as_they_are(tmp_path: Path) -> None:
    drawn = [[[-100.5, 40.25], [-100.25, 40.5]], [[120.5, 30.25], [120.75, 30.5]]]
    found = read_roads(lines(tmp_path / "a.geojson", *drawn))
    assert [shapely.get_coordinates(line).tolist() for line in found.lines] == drawn


def test_62_roads_near_a_pole_take_seconds(tmp_path: Path) -> None:
    around = [[lon, 89.999] for lon in range(0, 360, 10)]
    roads = lines(tmp_path / "p.geojson", around, *([[lon, 89.999], [lon, 89.998]] for lon in (0, 90, 180)))
    found = scores(roads, roads)
    assert found["apls"] == 1.0
    assert found["reference_km"] == pytest.approx(0.6825 + 3 * 0.1117, rel=0.01)


# 63: no places


@pytest.mark.parametrize(
    ("drawn", "says"),
    [
        ([[10, 50], [1e300, 50]], "row 1 lies at 1e+300, 50, which is no place in WGS 84"),
        ([[10, 50], [10, 91]], "row 1 lies at 10, 91"),
        ([[10, 50], [400, 50]], "line 1 goes 2,144 km"),
        ([[-180, -80], [180, 80]], "line 1 goes 17,"),
        ([[0, 50], [0, 62]], "line 1 goes 1,334 km"),
    ],
)
def test_63_what_is_no_place_or_no_road_is_refused(drawn: Line, says: str, tmp_path: Path) -> None:
    roads = lines(tmp_path / "a.geojson", drawn)
    with unchanged(tmp_path):
        refused("score", roads, roads, says=says, hint="redraw it")


def test_63_nor_in_metres(tmp_path: Path) -> None:
    far = layer(tmp_path / "far.gpkg", [shapely.LineString([(1e300, 0), (1e300, 9)])], "EPSG:3857")
    mercator = shapely.LineString([(20_037_508, 0), (-20_037_508, 0)])
    seam = layer(tmp_path / "seam.gpkg", [mercator], "EPSG:3857")
    middle = layer(tmp_path / "middle.gpkg", [shapely.LineString([(4e6, 5e5), (4e6, 6e5)])], "EPSG:4978")
    with unchanged(tmp_path):
        refused("view", far, "-o", tmp_path / "f.html", says="which is no place in WGS 84 / Pseudo-Mercator")
        refused("score", seam, seam, says="line 1 goes 40,075 km", hint="ogr2ogr -t_srs EPSG:4326")
        refused("score", middle, middle, says="from the middle of the Earth", hint="-t_srs EPSG:4326")


# 64: layers apart


def test_64_layers_that_lie_apart_are_said_to(tmp_path: Path) -> None:
    here = lines(tmp_path / "a.geojson", [[10, 50], [10.001, 50]])
    there = lines(tmp_path / "b.geojson", [[10, 50.45], [10.001, 50.45]])
    ended = typed("score", here, there)
    assert ended.code == 0 and "note: the layers lie 50.1 km apart" in ended.err
    assert scores(here, there)["notes"][0].startswith("the layers lie 50.1 km apart")
    assert scores(here, here)["notes"] == []


# 65: exports of OpenStreetMap

STREET: Line = [[9, 45], [9.001, 45]]
SQUARE: Line = [[9, 45], [9.001, 45], [9.001, 45.001], [9, 45]]
OSM = """<?xml version='1.0' encoding='UTF-8'?>
<osm version="0.6">
 <node id="-1" lat="45" lon="9"/><node id="2" lat="45" lon="9.001"/><node id="3" lat="45.001" lon="9.001"/>
 <node id="4" visible="false"/>
 <way id="10"><nd ref="-1"/><nd ref="2"/><nd ref="99"/><tag k="highway" v="primary"/><tag k="width" v="7.5"/>
 </way>
 <way id="11"><nd ref="2"/><nd ref="3"/><tag k="waterway" v="river"/></way>
 <way id="12"><nd ref="-1"/><nd ref="3"/><tag k="highway" v="service"/><tag k="area" v="yes"/></way>
 <way id="13" action="delete"><nd ref="-1"/><nd ref="3"/><tag k="highway" v="service"/></way>
 <way id="14"><nd ref="-1"/><nd ref="3"/><tag k="highway" v="service"/></way>
 <relation id="20"><member type="way" ref="10" role=""/></relation>
</osm>"""


def test_65_lines_among_points_and_polygons_are_taken(tmp_path: Path) -> None:
    plain = lines(tmp_path / "plain.geojson", STREET)
    mixed = geojson(tmp_path / "m.geojson", ("Point", [9, 45]), ("LineString", STREET), ("Polygon", [SQUARE]))
    ended = typed("score", mixed, plain)
    assert ended.code == 0
    assert "note: " in ended.err and "1 rows are lines; left out: 1 Point, 1 Polygon" in ended.err
    assert scores(mixed, plain)["apls"] == 1.0
    ended = typed("view", mixed, "-o", tmp_path / "m.html")
    assert ended.code == 0 and "left out: 1 Point, 1 Polygon" in ended.err
    none = geojson(tmp_path / "none.geojson", ("Point", [9, 45]), ("Polygon", [SQUARE]))
    refused("score", none, plain, says="row 1 is a Point, not a line")


def test_65_the_roads_of_an_osm_file_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "map.osm"
    path.write_text(OSM)
    found = read_roads(path, with_widths=True)
    assert [line.wkt for line in found.lines] == [
        "LINESTRING (9 45, 9.001 45)",
        "LINESTRING (9 45, 9.001 45.001)",
    ]
    assert found.widths_m is not None and found.widths_m[0] == 7.5 and np.isnan(found.widths_m[1])
    assert found.notes[0] == f"{path}: 2 roads; left out: 3 ways that are no roads, 1 relations"
    assert "1 roads have nodes that the file lacks: 0 are left out" in found.notes[1]
    ended = typed("view", path, "-o", tmp_path / "m.html")
    assert ended.code == 0 and "2 roads" in ended.err
    (tmp_path / "empty.osm").write_text("<osm/>")
    assert len(read_roads(tmp_path / "empty.osm").lines) == 0


def test_65_ways_may_come_before_their_nodes_and_lack_them(tmp_path: Path) -> None:
    """As Overpass answers to ``out body; >; out skel;``, and to ``out body;`` alone."""
    ways = OSM[OSM.index(" <way") : OSM.index(" <relation")]
    turned = OSM.replace(ways, "").replace(" <node", f"{ways} <node", 1)
    both = [tmp_path / name for name in ("plain.osm", "turned.osm")]
    for path, text in zip(both, (OSM, turned), strict=True):
        path.write_text(text)
    assert turned.index("<way") < turned.index("<node")
    plain, found = map(read_roads, both)
    assert [line.wkt for line in found.lines] == [line.wkt for line in plain.lines]
    alone = tmp_path / "alone.osm"
    alone.write_text(f"<osm>{ways}</osm>")
    found = read_roads(alone)
    assert len(found.lines) == 0
    assert "2 roads have nodes that the file lacks: 2 are left out" in found.notes[1]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('<!DOCTYPE osm [<!ENTITY a "b">]><osm>&a;</osm>', "it declares a document type"),
        ("<OGRVRTDataSource/>", "begins with 'OGRVRTDataSource'"),
        ("<osmChange/>", "begins with 'osmChange'"),
        (OSM[:400], "cannot be read"),
        (OSM.removesuffix("</osm>"), "no element found"),
        ("<osm><way id='1'><nd ref='99999999999999999999'/></way></osm>", "cannot be read"),
        (
            "<osm><note>a</note><remark> runtime error: timed out </remark></osm>",
            "'runtime error: timed out'",
        ),
        ('<osm><node id="1" lat="x" lon="9"/></osm>', "cannot be read"),
        ('<osm><node lat="45" lon="9"/></osm>', "cannot be read"),
        ("{}", "though its name says so"),
    ],
)
def test_65_what_only_calls_itself_so_is_refused(text: str, says: str, tmp_path: Path) -> None:
    path = tmp_path / "a.osm"
    path.write_text(text)
    refused("score", path, path, says=says)


# 66: names


def test_66_names_as_long_as_can_be_are_carried_and_longer_ones_refused(tmp_path: Path) -> None:
    longest = lines(tmp_path / ("a" * 247 + ".geojson"), STREET)
    assert scores(longest, longest)["apls"] == 1.0
    page = tmp_path / ("b" * 250 + ".html")
    assert typed("view", longest, "-o", page, "-q").code == 0
    errors = tmp_path / ("c" * 250 + ".gpkg")
    assert typed("score", longest, longest, "-q", "--explain", errors).code == 0
    with unchanged(tmp_path):
        refused("score", tmp_path / ("a" * 300 + ".geojson"), longest, says="cannot be found")
        refused(
            "view", tmp_path / ("a" * 300 + ".geojson"), "-o", tmp_path / "x.html", says="cannot be found"
        )
        ring = "score", longest, longest, "--layer", "x" * 250
        refused(*ring, says="has no layer", hint="layers: ")


def test_66_a_ring_of_links_is_refused(tmp_path: Path) -> None:
    try:
        (tmp_path / "a.gpkg").symlink_to(tmp_path / "b.gpkg")
        (tmp_path / "b.gpkg").symlink_to(tmp_path / "a.gpkg")
    except OSError:
        pytest.skip("no links can be made here")
    refused("score", tmp_path / "a.gpkg", tmp_path / "b.gpkg", says="a.gpkg")
