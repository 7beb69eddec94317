"""Roads cut at the border of an area of interest, drawn by hand; areas from files and bounds."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import shapely
from click.testing import CliRunner
from drawn_networks import CROSSROADS, UTM, network
from test_write_roads import OPTIONS, query

from georoads.cli.main import cli
from georoads.errors import GeoroadsError, LayerError
from georoads.network.types import NodeKind, RoadNetwork
from georoads.output.area import Area, read_area
from georoads.output.clip import clip_network
from georoads.output.read import read_roads
from georoads.output.write import write_roads

EDGE = "scene_edge"


def lines(found: RoadNetwork) -> list[list[list[float]]]:
    return [np.round(found.line(i), 6).tolist() for i in range(found.n_edges)]


def nodes(found: RoadNetwork) -> list[tuple[float, float, str]]:
    return [
        (round(float(x), 6), round(float(y), 6), NodeKind(k).label)
        for (x, y), k in zip(found.node_xy, found.node_kind, strict=True)
    ]


def test_roads_are_cut_at_the_border() -> None:
    #        1
    #    +---|---+  the area, columns 150 to 250 and rows 150 to 400: it cuts the roads to
    #    |   |   |  the north, west and east, and holds the one to the south
    #  2-----3-----4
    #    |   5   |
    drawn = replace(network(), bridged_m=np.array([8.0, 0, 0, 2.0]))
    found = clip_network(drawn, shapely.box(150, 150, 250, 400))
    assert lines(found) == [
        [[200, 150], [200, 200]],
        [[150, 200], [200, 200]],
        [[200, 200], [250, 210]],
        [[200, 200], [200, 300]],
    ]
    assert nodes(found) == [
        (200, 150, EDGE),
        (150, 200, EDGE),
        (200, 200, "junction"),
        (250, 210, EDGE),
        (200, 300, "end"),
    ]
    assert found.node_id.tolist() == [1, 2, 3, 4, 5]
    assert found.edge_nodes.tolist() == [[1, 3], [2, 3], [3, 4], [3, 5]]
    assert found.length_m == pytest.approx([25, 25, np.hypot(50, 10) / 2, 50], rel=1e-3)
    assert found.length_m[3] == drawn.length_m[3]  # not cut
    assert found.bridged_m == pytest.approx([4, 0, 0, 2], rel=1e-3)
    assert found.width_m.tolist() == drawn.width_m.tolist()
    assert found.confidence.tolist() == drawn.confidence.tolist()


def test_a_road_that_leaves_and_returns_becomes_two() -> None:
    road = ((100, 100), (100, 300), (300, 300), (300, 100))
    found = clip_network(network([road]), shapely.box(0, 0, 400, 200))
    assert lines(found) == [[[100, 100], [100, 200]], [[300, 200], [300, 100]]]
    assert nodes(found) == [(100, 100, "end"), (300, 100, "end"), (100, 200, EDGE), (300, 200, EDGE)]
    assert found.edge_nodes.tolist() == [[1, 3], [4, 2]]


def test_a_road_that_crosses_itself_stays_one() -> None:
    road = ((50, 100), (200, 100), (200, 50), (100, 50), (100, 200))
    found = clip_network(network([road]), shapely.box(75, 0, 400, 400))
    assert lines(found) == [[[75, 100], *map(list, road[1:])]]


def test_a_hole_is_outside() -> None:
    hole = shapely.difference(shapely.box(0, 0, 400, 400), shapely.box(150, 50, 250, 150))
    found = clip_network(network([((100, 100), (300, 100))]), hole)
    assert lines(found) == [[[100, 100], [150, 100]], [[250, 100], [300, 100]]]


def test_a_ring_is_cut() -> None:
    ring = ((100, 100), (200, 100), (200, 200), (100, 200), (100, 100))
    found = clip_network(network([ring]), shapely.box(0, 0, 150, 400))
    assert lines(found) == [[[100, 100], [150, 100]], [[150, 200], [100, 200], [100, 100]]]
    assert found.edge_nodes.tolist() == [[1, 2], [3, 1]]


def test_a_junction_on_the_border_that_lost_roads_is_an_edge() -> None:
    found = clip_network(network(), shapely.box(0, 0, 200, 199.999))  # only the road to the north
    assert lines(found) == [[[200, 100], [200, 199.999]]]
    found = clip_network(network(CROSSROADS[::3]), shapely.box(0, 0, 400, 200))
    assert nodes(found) == [(200, 100, "end"), (200, 200, EDGE)]
    assert found.degree().tolist() == [1, 1]


def test_roads_that_only_touch_are_outside() -> None:
    found = clip_network(network([((100, 100), (200, 200))]), shapely.box(200, 200, 300, 300))
    assert (found.n_edges, found.n_nodes) == (0, 0)


def test_an_area_that_covers_all_changes_nothing() -> None:
    drawn = network()
    assert clip_network(drawn, shapely.box(0, 0, 400, 400)) is drawn
    assert clip_network(network(()), shapely.box(0, 0, 4, 4)).n_edges == 0


@pytest.mark.parametrize("seed", range(5))
def test_lengths_inside_and_outside_add_up(seed: int) -> None:
    rng = np.random.default_rng(seed)
    drawn = network([rng.uniform(0, 400, (6, 2)) for _ in range(20)])
    area = shapely.Point(200, 200).buffer(120)
    rest = shapely.difference(shapely.box(0, 0, 400, 400), area)
    px = [float(np.hypot(*np.diff(drawn.line(i), axis=0).T).sum()) for i in range(20)]
    parts = [clip_network(drawn, a) for a in (area, rest)]
    cut = [float(np.hypot(*np.diff(p.line(i), axis=0).T).sum()) for p in parts for i in range(p.n_edges)]
    assert sum(cut) == pytest.approx(sum(px), rel=1e-9)
    for part in parts:
        at = {int(i): xy for i, xy in zip(part.node_id, part.node_xy, strict=True)}
        for edge in range(part.n_edges):
            line, (a, b) = part.line(edge), part.edge_nodes[edge]
            assert (line[0] == at[int(a)]).all() and (line[-1] == at[int(b)]).all()


def save(path: Path, wkts: list[str], crs: str = "EPSG:32632", layer: str = "any") -> str:
    wkb = shapely.to_wkb(np.array([shapely.from_wkt(w) for w in wkts], dtype=object))
    pyogrio.raw.write(
        path, wkb, [np.arange(len(wkts))], ["n"],
        geometry_type="Unknown", layer=layer, crs=crs, append=path.exists(),
    )  # fmt: skip
    return str(path)


SQUARE = "POLYGON ((500075 4999800, 500125 4999800, 500125 4999925, 500075 4999925, 500075 4999800))"


def test_area_of_a_file_in_the_crs_of_the_scene(tmp_path: Path) -> None:
    area = read_area(save(tmp_path / "a.gpkg", [SQUARE])).on(UTM)
    assert area.bounds == (150, 150, 250, 400)


def test_area_in_another_crs(tmp_path: Path) -> None:
    from pyproj import Transformer

    there = Transformer.from_crs("EPSG:32632", "EPSG:4326", always_xy=True)
    degrees = shapely.transform(shapely.from_wkt(SQUARE), lambda p: np.column_stack(there.transform(*p.T)))
    area = read_area(save(tmp_path / "a.geojson", [degrees.wkt], "EPSG:4326")).on(UTM)
    assert area.bounds == pytest.approx((150, 150, 250, 400), abs=0.01)


def test_bounds_that_reach_far_beyond_the_scene() -> None:
    assert read_area("-180,-90,180,90").on(UTM).area == pytest.approx(400 * 400)


@pytest.mark.parametrize(
    "bounds", ["1,2,3", "1,2,3,4,5", "9,45,8,46", "9,46,10,45", "9,45,10,95", "1,,2,3 4", "1e400,0,1,1"]
)
def test_bad_bounds(bounds: str) -> None:
    with pytest.raises(LayerError, match=r"bounds|does not exist") as e:
        read_area(bounds)
    assert e.value.hint


def test_bad_areas_are_refused(tmp_path: Path) -> None:
    bow = "POLYGON ((0 0, 1 1, 1 0, 0 1, 0 0))"
    with pytest.raises(LayerError, match=r"a\.gpkg.*polygon 2 is no area: Self-intersection"):
        read_area(save(tmp_path / "a.gpkg", [SQUARE, bow]))
    with pytest.raises(LayerError, match=r"b\.gpkg.*row 1 is a LineString, not a polygon"):
        read_area(save(tmp_path / "b.gpkg", ["LINESTRING (0 0, 1 1)"]))
    with pytest.raises(LayerError, match=r"c\.gpkg.*holds no polygon"):
        read_area(save(tmp_path / "c.gpkg", []))
    save(tmp_path / "d.gpkg", [SQUARE], layer="one")
    with pytest.raises(LayerError, match="2 layers of polygons"):
        read_area(save(tmp_path / "d.gpkg", [SQUARE], layer="two"))
    with pytest.raises(LayerError, match="does not exist"):
        read_area(str(tmp_path / "none.gpkg"))


def test_area_that_misses_the_scene_is_refused(tmp_path: Path) -> None:
    area = Area(shapely.box(10, 45, 11, 46), "EPSG:4326", "elsewhere")
    with pytest.raises(LayerError, match="elsewhere does not meet the scene") as e:
        write_roads(network(), tmp_path / "a.gpkg", replace(OPTIONS, area=area))
    assert "the scene spans 9.00000,45.15168,9.00254,45.15348" in e.value.hint
    touching = Area(shapely.box(499900, 4999800, 500000, 5000000), "EPSG:32632", "beside")
    with pytest.raises(LayerError, match="beside does not meet"):
        touching.on(UTM)
    assert list(tmp_path.iterdir()) == []


def test_area_stands_in_the_provenance(tmp_path: Path) -> None:
    path = tmp_path / "a.gpkg"
    area = Area(shapely.from_wkt(SQUARE), "EPSG:32632", "square")
    write_roads(network(), path, replace(OPTIONS, area=area))
    assert len(read_roads(path).lines) == 4
    ((text,),) = query(path, "SELECT metadata FROM gpkg_metadata")
    assert json.loads(str(text))["area"] == "square"
    assert query(path, "SELECT kind, count(*) FROM nodes GROUP BY 1 ORDER BY 1") == [
        ("end", 1), ("junction", 1), (EDGE, 3),
    ]  # fmt: skip


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    """A road of 8 px from west to east, 0.5 m per pixel."""
    import rasterio

    picture = np.zeros((400, 400), np.uint8)
    picture[196:204] = 1
    path = tmp_path / "mask.tif"
    profile = {"driver": "GTiff", "width": 400, "height": 400, "count": 1, "dtype": "uint8"}
    with rasterio.open(path, "w", crs=UTM.crs, transform=UTM.transform, **profile) as out:
        out.write(picture, 1)
    return path


def test_the_flags_of_vectorize(tmp_path: Path, mask: Path) -> None:
    area = save(tmp_path / "area.gpkg", [SQUARE])
    output, figures = tmp_path / "a.gpkg", tmp_path / "f.json"
    arguments = ["vectorize", str(mask), "-o", str(output), "--layer", "cut", "--json", str(figures)]
    done = CliRunner().invoke(cli, [*arguments, "--aoi", area])
    assert done.exit_code == 0, done.output
    ran = json.loads(figures.read_text())
    assert ran["roads"] == 1
    assert ran["length_km"] == pytest.approx(0.05, rel=0.01)  # of 0.2 km
    assert query(output, "SELECT kind FROM cut_nodes") == [(EDGE,), (EDGE,)]
    done = CliRunner().invoke(cli, ["vectorize", str(mask), "-o", str(output), "--append"])
    assert done.exit_code == 0, done.output
    assert len(read_roads(output, "cut").lines) == len(read_roads(output, "roads").lines) == 1
    onto_itself = ["vectorize", str(mask), "-o", area, "--overwrite", "--aoi", area]
    with pytest.raises(GeoroadsError, match="is an input and the output"):
        CliRunner().invoke(cli, onto_itself, catch_exceptions=False)


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """Two bright roads that cross, on noise; 0.5 m per pixel."""
    import rasterio

    picture = np.random.default_rng(1).normal(80, 8, (3, 512, 512))
    picture[:, 240:256] = picture[:, :, 300:314] = 150
    path = tmp_path / "field.tif"
    profile = {"driver": "GTiff", "width": 512, "height": 512, "count": 3, "dtype": "uint8"}
    with rasterio.open(path, "w", crs=UTM.crs, transform=UTM.transform, **profile) as out:
        out.write(picture.astype(np.uint8))
    return path


@pytest.mark.slow
def test_the_flags_of_extract(tmp_path: Path, scene: Path) -> None:
    plain, output = tmp_path / "plain.gpkg", tmp_path / "named.gpkg"

    def extract(*arguments: str) -> None:
        CliRunner().invoke(cli, ["extract", str(scene), "-q", *arguments], catch_exceptions=False)

    extract("-o", str(plain))
    extract("-o", str(output), "--layer", "streets")
    assert query(plain, "SELECT * FROM roads") == query(output, "SELECT * FROM streets") != []
    with pytest.raises(LayerError, match="does not meet the scene"):
        extract("-o", str(tmp_path / "none.gpkg"), "--aoi", "0,0,1,1")
    area, figures = save(tmp_path / "area.gpkg", [SQUARE]), tmp_path / "f.json"
    extract("-o", str(output), "--layer", "cut", "--append", "--aoi", area, "--json", str(figures))
    ((rows, metres),) = query(output, "SELECT count(*), coalesce(sum(length_m), 0) FROM cut")
    ran = json.loads(figures.read_text())
    assert (ran["roads"], ran["length_km"]) == (rows, pytest.approx(metres / 1000, abs=1e-6))
    inside = shapely.box(500075, 4999800, 500125, 4999925).buffer(1e-6)
    assert shapely.covers(inside, read_roads(output, "cut").lines).all()
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "area.gpkg", "f.json", "field.tif", "named.gpkg", "plain.gpkg",
    ]  # fmt: skip
