"""Roads as a file of OpenStreetMap: what stands in it, what others read of it, and where it leads."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pyogrio
import pytest
import shapely
from affine import Affine
from click.testing import CliRunner
from drawn_networks import UTM, network
from drawn_rasters import write_raster
from pyproj import Geod
from scipy.sparse import coo_array
from scipy.sparse.csgraph import dijkstra
from test_write_roads import EMPTY, OPTIONS, PROVENANCE

from georoads.cli.main import cli
from georoads.errors import GeoroadsError, LayerError
from georoads.grid import Grid
from georoads.output.format_params import FormatParams
from georoads.output.osm_write import MAX_WAY_NODES
from georoads.output.read import read_roads
from georoads.output.write import WriteOptions, check_road_output, write_roads
from georoads.settings import with_values

WGS84 = Geod(ellps="WGS84")


def written(path: Path, *, options: WriteOptions = OPTIONS, **formats: object) -> ElementTree.Element:
    """The root of the file of the crossroads, with some settings of the format."""
    params = with_values(FormatParams(), formats, "write")
    write_roads(network(), path, replace(options, formats=params))
    return ElementTree.parse(path).getroot()


def chains(root: ElementTree.Element) -> list[list[int]]:
    """The nodes of each way."""
    return [[int(nd.attrib["ref"]) for nd in way.iter("nd")] for way in root.iter("way")]


def tags(root: ElementTree.Element) -> list[dict[str, str]]:
    """The tags of each way."""
    return [{tag.attrib["k"]: tag.attrib["v"] for tag in way.iter("tag")} for way in root.iter("way")]


def ids(root: ElementTree.Element, kind: str) -> list[int]:
    return [int(element.attrib["id"]) for element in root.iter(kind)]


@pytest.fixture
def any_id() -> Iterator[None]:
    """GDAL reads ids below 0 once it is told not to index them its own way."""
    before = pyogrio.get_gdal_config_option("OSM_USE_CUSTOM_INDEXING")
    pyogrio.set_gdal_config_options({"OSM_USE_CUSTOM_INDEXING": "NO"})
    yield
    pyogrio.set_gdal_config_options({"OSM_USE_CUSTOM_INDEXING": before})


def test_roads_that_meet_share_a_node(tmp_path: Path) -> None:
    """The crossroads of ``drawn_networks``; the third road has a bend, whose node is the sixth."""
    root = written(tmp_path / "roads.osm")
    assert chains(root) == [[-1, -3], [-2, -3], [-3, -6, -4], [-3, -5]]
    assert ids(root, "node") == [-1, -2, -3, -4, -5, -6]
    assert ids(root, "way") == [-1, -2, -3, -4]


def test_the_file_says_what_it_is_and_that_nothing_is_to_be_uploaded(tmp_path: Path) -> None:
    root = written(tmp_path / "roads.osm")
    assert root.attrib == {"version": "0.6", "generator": "georoads 0.1.0", "upload": "false"}
    lat, lon = ([float(node.attrib[k]) for node in root.iter("node")] for k in ("lat", "lon"))
    bounds = {key: float(value) for key, value in next(root.iter("bounds")).attrib.items()}
    assert bounds == {"minlat": min(lat), "minlon": min(lon), "maxlat": max(lat), "maxlon": max(lon)}
    text = (tmp_path / "roads.osm").read_text()
    assert all(re.fullmatch(r"-?\d+\.\d{7}", value) for value in re.findall(r'l(?:at|on)="(.*?)"', text))


def test_tags_are_the_class_of_a_road_that_is_not_known_and_the_width(tmp_path: Path) -> None:
    assert tags(written(tmp_path / "roads.osm")) == [
        {"width": "4.0", "highway": "road"},
        {"width": "6.7", "highway": "road"},
        {"width": "9.3", "highway": "road"},
        {"width": "12.0", "highway": "road"},
    ]


def test_a_width_that_is_not_known_is_not_written(tmp_path: Path) -> None:
    drawn = network()
    width_m = np.array([np.nan, 0.0, 0.04, 5.0])
    write_roads(replace(drawn, width_m=width_m), tmp_path / "a.osm", OPTIONS)
    found = tags(ElementTree.parse(tmp_path / "a.osm").getroot())
    assert [way.get("width") for way in found] == [None, None, None, "5.0"]


@pytest.mark.parametrize(
    ("osm_tags", "expected"),
    [
        ("surface=unpaved", {"width": "4.0", "highway": "road", "surface": "unpaved"}),
        ("highway=track, name=A <Ü> & \"C\"", {"width": "4.0", "highway": "track", "name": 'A <Ü> & "C"'}),
        ("width=3,note=a=b", {"width": "3", "highway": "road", "note": "a=b"}),
        ("", {"width": "4.0", "highway": "road"}),
    ],
)  # fmt: skip
def test_tags_of_ones_own(tmp_path: Path, osm_tags: str, expected: dict[str, str]) -> None:
    assert tags(written(tmp_path / "roads.osm", osm_tags=osm_tags))[0] == expected


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("osm_tags", "highway", "not key=value"),
        ("osm_tags", "highway=", "not key=value"),
        ("osm_tags", "name=" + "x" * 256, "too long"),
        ("osm_tags", "name=a\x07b", "cannot be printed"),
        ("osm_first_id", 0, "below or above 0"),
        ("osm_first_id", 1.5, "a whole number"),
    ],
)
def test_settings_that_do_not_fit_are_refused(name: str, value: object, said: str) -> None:
    with pytest.raises(GeoroadsError, match=rf"write\.{name}") as e:
        with_values(FormatParams(), {name: value}, "write")
    assert said in f"{e.value} {e.value.hint}"


def test_ids_above_0_have_what_routing_engines_ask_for(tmp_path: Path) -> None:
    root = written(tmp_path / "roads.osm", osm_first_id=1)
    assert chains(root) == [[1, 3], [2, 3], [3, 6, 4], [3, 5]]
    assert ids(root, "way") == [1, 2, 3, 4]
    for kind in ("node", "way"):
        for element in root.iter(kind):
            assert element.attrib["version"] == "1"
            assert element.attrib["timestamp"] == "2020-01-02T00:00:00Z"
    assert root.attrib["upload"] == "false"


@pytest.mark.parametrize(("first", "last"), [(-500, -505), (10**12, 10**12 + 5)])
def test_ids_begin_where_one_wants(tmp_path: Path, first: int, last: int) -> None:
    found = ids(written(tmp_path / "roads.osm", osm_first_id=first), "node")
    assert (found[0], found[-1]) == (first, last)


def test_the_provenance_stands_in_a_comment_that_nothing_ends_early(tmp_path: Path) -> None:
    odd = replace(PROVENANCE, scene="a--b-->---.tif", model_terms="© Ü <x>")
    written(tmp_path / "roads.osm", options=replace(OPTIONS, provenance=odd))
    said = re.search("<!-- (.*?) -->", (tmp_path / "roads.osm").read_text("ascii"))
    assert said is not None
    assert json.loads(said[1]) == json.loads(odd.as_json())


@pytest.mark.usefixtures("any_id")
@pytest.mark.parametrize("first", [-1, 1])
def test_gdal_reads_the_same_lines_and_junctions(tmp_path: Path, first: int) -> None:
    drawn = network()
    path = tmp_path / "roads.osm"
    written(path, osm_first_id=first)
    meta, _, wkb, columns = pyogrio.raw.read(path, layer="lines")
    lines = shapely.from_wkb(wkb)
    found = dict(zip(meta["fields"], columns, strict=True))
    assert found["osm_id"].tolist() == [str(first * n) for n in (1, 2, 3, 4)]
    assert set(found["highway"]) == {"road"}
    assert [WGS84.geometry_length(line) for line in lines] == pytest.approx(drawn.length_m, rel=2e-3)
    ends = [end for line in lines for end in (line.coords[0], line.coords[-1])]
    degrees = sorted(ends.count(end) for end in set(ends))
    assert degrees == [1, 1, 1, 1, 4] == sorted(drawn.degree())


def test_it_is_read_back_with_its_widths(tmp_path: Path) -> None:
    write_roads(network(), tmp_path / "a.geojson", OPTIONS)
    written(tmp_path / "a.osm")
    expected, found = (read_roads(tmp_path / f"a{s}", with_widths=True) for s in (".geojson", ".osm"))
    assert shapely.equals_exact(found.lines, expected.lines, tolerance=1.01e-7).all()
    assert found.widths_m is not None
    assert found.widths_m.tolist() == [4.0, 6.7, 9.3, 12.0]
    assert not found.notes


def test_points_on_one_place_are_one_node(tmp_path: Path) -> None:
    """Steps of a tenth of a millimetre beside the start, the bend and the end."""
    tiny = 2e-4
    line = [(10.0, 10.0), (10 + tiny, 10.0), (50.0, 10.0), (50 + tiny, 10.0), (90 - tiny, 10.0), (90.0, 10.0)]
    write_roads(network([line]), tmp_path / "a.osm", OPTIONS)
    assert chains(ElementTree.parse(tmp_path / "a.osm").getroot()) == [[-1, -3, -2]]


def test_a_ring_begins_and_ends_at_one_node(tmp_path: Path) -> None:
    ring = [(100, 100), (200, 100), (200, 200), (100, 200), (100, 100)]
    write_roads(network([ring]), tmp_path / "a.osm", OPTIONS)
    assert chains(ElementTree.parse(tmp_path / "a.osm").getroot()) == [[-1, -2, -3, -4, -1]]


@pytest.mark.parametrize("points", [MAX_WAY_NODES, MAX_WAY_NODES + 1, 3 * MAX_WAY_NODES])
def test_long_roads_are_cut_where_openstreetmap_takes_no_more(tmp_path: Path, points: int) -> None:
    x = np.arange(points) + 0.5
    grid = Grid("EPSG:32632", Affine(0.5, 0, 500000, 0, -0.5, 5000000), points, 300)
    drawn = network([np.column_stack((x, np.full(points, 100.0))), [(0.5, 200.0), (9.5, 200.0)]], grid)
    write_roads(drawn, tmp_path / "a.osm", OPTIONS)
    root = ElementTree.parse(tmp_path / "a.osm").getroot()
    first, second, *others = chains(root)
    assert ids(root, "way") == [-1 - n for n in range(2 + len(others))]
    assert len(second) == 2  # ways keep the number of their road
    parts = [first, *others]
    assert max(map(len, parts)) <= MAX_WAY_NODES
    assert [a[-1] for a in parts[:-1]] == [b[0] for b in parts[1:]]
    assert sum(len(part) - 1 for part in parts) == points - 1
    assert (first[0], parts[-1][-1]) == (-1, -2)
    assert len({way["width"] for way in tags(root)}) == 2


def test_longitudes_end_at_180(tmp_path: Path) -> None:
    """A grid in degrees whose pixels run on beyond the antimeridian."""
    grid = Grid("EPSG:4326", Affine(1e-5, 0, 179.999, 0, -1e-5, 0), 400, 400)
    write_roads(network([[(0, 100), (300, 100)]], grid), tmp_path / "a.osm", OPTIONS)
    root = ElementTree.parse(tmp_path / "a.osm").getroot()
    assert [node.attrib["lon"] for node in root.iter("node")] == ["179.9990000", "-179.9980000"]
    (line,) = read_roads(tmp_path / "a.osm").lines
    assert abs(line.coords[1][0] - line.coords[0][0]) == pytest.approx(0.003)


@pytest.mark.usefixtures("any_id")
def test_no_roads_are_a_file_without_nodes(tmp_path: Path) -> None:
    write_roads(EMPTY, tmp_path / "a.osm", OPTIONS)
    assert [child.tag for child in ElementTree.parse(tmp_path / "a.osm").getroot()] == []
    assert len(read_roads(tmp_path / "a.osm").lines) == 0
    assert pyogrio.read_info(tmp_path / "a.osm", layer="lines", force_feature_count=True)["features"] == 0


def test_equal_runs_give_equal_bytes(tmp_path: Path) -> None:
    for name in "ab":
        written(tmp_path / f"{name}.osm")
    assert (tmp_path / "a.osm").read_bytes() == (tmp_path / "b.osm").read_bytes()


def test_nodes_are_written_in_portions_without_a_seam(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    written(tmp_path / "whole.osm")
    monkeypatch.setattr("georoads.output.osm_write._AT_ONCE", 4)
    written(tmp_path / "parts.osm")
    assert (tmp_path / "parts.osm").read_bytes() == (tmp_path / "whole.osm").read_bytes()


def test_what_the_format_cannot_hold_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "roads.osm"
    for change, said in (
        ({"crs": "EPSG:32632"}, "always WGS 84"),
        ({"layer": "mine"}, "no named layers"),
        ({"append": True}, "GeoPackage only"),
    ):
        with pytest.raises(LayerError, match=said):
            check_road_output(path, replace(OPTIONS, **change))
    check_road_output(path, replace(OPTIONS, crs="EPSG:4326"))
    nowhere = Grid('LOCAL_CS["photo",UNIT["metre",1]]', UTM.transform, 400, 400)
    with pytest.raises(LayerError, match="in degrees"):
        write_roads(network(grid=nowhere), path, OPTIONS)
    assert not path.exists()


def test_a_file_that_is_there_stays_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "roads.osm"
    path.write_text("old")
    with pytest.raises(GeoroadsError, match="exists"):
        write_roads(network(), path, OPTIONS)
    overwrite = replace(OPTIONS, overwrite=True)
    monkeypatch.setattr("georoads.output.osm_write._degrees", lambda value: "<")
    with pytest.raises(LayerError, match="damaged"):
        write_roads(network(), path, overwrite)
    monkeypatch.setattr(
        "georoads.output.write.write_osm", lambda part, *given: part.write_text("<osm/>") and (6, 4)
    )
    with pytest.raises(LayerError, match="0 of 6 nodes, 0 of 4 ways"):
        write_roads(network(), path, overwrite)
    assert path.read_text() == "old"
    monkeypatch.undo()
    write_roads(network(), path, overwrite)
    assert len(read_roads(path).lines) == 4
    assert [p.name for p in tmp_path.iterdir()] == ["roads.osm"]


def _cut_off(part: Path, *given: object) -> tuple[int, int]:
    part.write_text("<osm/>")
    return 6, 4


def test_layers_that_are_no_roads_are_not_written_so() -> None:
    from georoads.output.changes_layer import check_changes_output

    with pytest.raises(LayerError, match="cannot be written as"):
        check_changes_output(Path("changes.osm"), overwrite=False)


GAP = """
    ..........#.......................................
    ..........#.......................................
    ##########################.#######################
    ..........#.......................................
    ..........#.......................................
"""
"""A road of 200 m with a gap of 4 m, and one that crosses it: a sign is a square of 4 m, # is road."""


@pytest.mark.parametrize(("bridge_m", "route_m"), [(10, 200), (0, math.inf)])
def test_a_route_leads_over_a_gap_that_was_bridged(tmp_path: Path, bridge_m: int, route_m: float) -> None:
    drawn = np.array([[sign == "#" for sign in row] for row in GAP.split()], dtype=np.uint8)
    mask = write_raster(tmp_path / "mask.tif", np.kron(drawn, np.full((8, 8), 255, dtype=np.uint8))[None])
    output = tmp_path / "roads.osm"
    settings = ["write.osm_tags=highway=track", f"network.bridge_m={bridge_m}", "network.reach_m=0"]
    command = ["vectorize", str(mask), "-o", str(output), *(f"--set={setting}" for setting in settings)]
    done = CliRunner().invoke(cli, command, catch_exceptions=False)
    assert done.exit_code == 0, done.output
    root = ElementTree.parse(output).getroot()
    assert {way["highway"] for way in tags(root)} == {"track"}
    assert from_west_to_east_m(root) == pytest.approx(route_m, abs=3)


def from_west_to_east_m(root: ElementTree.Element) -> float:
    """Metres along the ways from the westernmost to the easternmost node; infinite if none leads there."""
    lonlat = np.array([(float(n.attrib["lon"]), float(n.attrib["lat"])) for n in root.iter("node")])
    row = {number: i for i, number in enumerate(ids(root, "node"))}
    steps = [(row[a], row[b]) for chain in chains(root) for a, b in pairwise(chain)]
    start, stop = np.array(steps).T
    _, _, step_m = WGS84.inv(*lonlat[start].T, *lonlat[stop].T)
    graph = coo_array((step_m, (start, stop)), shape=(len(row), len(row))).tocsr()
    west, east = lonlat[:, 0].argmin(), lonlat[:, 0].argmax()
    return float(dijkstra(graph, directed=False, indices=west)[east])
