"""The guides from the first line to the last, on drawn scenes, and what comes of them."""

from __future__ import annotations

import json
import re
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import rasterio
import shapely
from click.testing import CliRunner
from documented import ROOT, Command, example_corner, steps
from drawn_rasters import write_raster
from rasterio.features import rasterize

from georoads.cli.main import cli

pytestmark = pytest.mark.slow

DOCS = ROOT / "docs"
SIZE_PX = 448
"""Side of the scene: one tile."""
STREET = 35
"""A street of 70 m in the middle of the corner, between two others."""


def truth() -> Any:
    """The centrelines of the example scene, in its CRS."""
    with rasterio.open(ROOT / "examples" / "scene.tif") as scene:
        return geopandas.read_file(ROOT / "examples" / "roads_truth.geojson").to_crs(scene.crs)


def street() -> shapely.LineString:
    return truth().set_index("road_id").geometry[STREET]


def along_street(lines: Any) -> float:
    """Metres of lines within 6 m of the street, which it cannot have but by running along it."""
    return float(lines.intersection(street().buffer(6)).length.sum())


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def walk_through(page: str) -> list[str]:
    """Run a guide; what its Python printed."""
    printed: list[str] = []
    for step in steps(DOCS / page):
        if isinstance(step, Command):
            done = CliRunner().invoke(cli, list(step.words))
            assert done.exit_code == 0, f"{step.text}\n{done.output}\n{done.exception}"
            continue
        needed = re.findall(r"^import (\w+)", step, re.M)
        if all(map(is_there, needed)):
            exec(compile(step, page, "exec"), {"print": printed.append})
    return printed


def is_there(package: str) -> bool:
    """Whether a package is installed, and what a guide says that it needs besides."""
    names = [package, *(["sklearn"] if package == "osmnx" else [])]
    return all(find_spec(name) is not None for name in names)


def test_a_walk_through_finds_every_step() -> None:
    kinds = [isinstance(step, Command) for step in steps(DOCS / "route.md")]
    assert kinds == [True, False, True, False, True, False]


def test_roads_missing_in_openstreetmap(place: Path) -> None:
    """The map is the truth without a street."""
    example_corner(place / "scene.tif", SIZE_PX)
    write_osm(place / "map.osm", truth().query(f"road_id != {STREET}").to_crs(4326).geometry)
    walk_through("missing.md")
    changes = geopandas.read_file("changes.gpkg", layer="changes")
    new = changes.query("kind == 'new'")
    assert along_street(new) > 50
    assert along_street(new) > 0.6 * new.length.sum()  # hardly anything else is new
    tasks = Path("new.maproulette.geojson").read_bytes().count(b"\x1e")
    assert 1 <= tasks <= len(new)
    assert len(geopandas.read_file("changes.geojson")) == len(changes)
    assert Path("editor.osm").is_file() and Path("changes.html").is_file()


def write_osm(path: Path, lines: Any) -> None:
    """Lines in degrees as ways of OpenStreetMap."""
    nodes: list[str] = []
    ways: list[str] = []
    for number, line in enumerate(lines, 1):
        refs = range(len(nodes) + 1, len(nodes) + 1 + len(line.coords))
        nodes += [
            f'<node id="{n}" lon="{x}" lat="{y}"/>' for n, (x, y) in zip(refs, line.coords, strict=True)
        ]
        nd = "".join(f'<nd ref="{n}"/>' for n in refs)
        ways.append(f'<way id="{number}">{nd}<tag k="highway" v="residential"/></way>')
    path.write_text(f'<osm version="0.6">{"".join(nodes)}{"".join(ways)}</osm>', encoding="utf-8")


def test_what_changed(place: Path) -> None:
    """In the earlier scene the street is not there."""
    draw_without_street(example_corner(place / "later.tif", SIZE_PX), place / "earlier.tif")
    walk_through("changed.md")
    changes = geopandas.read_file("changes.gpkg", layer="changes")
    new = changes.query("kind == 'new'")
    assert along_street(new) > 40
    figures = json.loads(Path("changes.json").read_text())
    assert figures["new_km"] == pytest.approx(new.length.sum() / 1000, abs=0.001)
    assert figures["new_km"] + figures["missing_km"] < 0.15
    built = geopandas.read_file("built.gpkg", layer="changes").query("kind == 'missing'")
    here = built[built.intersects(street().buffer(3))]
    assert along_street(here) > 20
    assert here["p"].max() < 0.25


def draw_without_street(later: Path, earlier: Path) -> None:
    """The same scene, where the yards 15 m to the west lie on the street."""
    with rasterio.open(later) as scene:
        picture, transform, crs = scene.read(), scene.transform, scene.crs
    on_street = rasterize([street().buffer(4.5)], picture.shape[1:], transform=transform) == 1
    write_raster(earlier, np.where(on_street, np.roll(picture, 30, axis=2), picture), transform, crs)


def test_a_hundred_thousand_scenes(place: Path) -> None:
    """Two, and one that is none: each is there, or said to have failed."""
    (place / "scenes").mkdir()
    example_corner(place / "scenes" / "north.tif", SIZE_PX)
    shutil.copy(place / "scenes" / "north.tif", place / "scenes" / "south.tif")
    (place / "scenes" / "torn.tif").write_bytes(b"II*\0")
    shutil.copy(ROOT / "examples" / "roads_truth.geojson", place / "reference.geojson")
    walk_through("many-scenes.md")
    told = json.loads(Path("job-0.json").read_text())
    assert [one["scene"] for one in told["done"]] == ["north.tif", "south.tif"]
    assert [one["scene"] for one in told["failed"]] == ["torn.tif"] and told["failed"][0]["hint"]
    assert sorted(p.name for p in Path("roads").iterdir()) == ["north.gpkg", "south.gpkg"]
    together = geopandas.read_file("roads.fgb")
    assert set(together.scene) == {"north", "south"}
    assert len(together) == 2 * len(geopandas.read_file("roads/north.gpkg", layer="roads"))


def test_route_on_it(place: Path) -> None:
    """Along the streets of the village, as long as in the truth, by each of the ways that the guide shows."""
    (place / "examples").mkdir()
    example_corner(place / "examples" / "scene.tif", SIZE_PX)
    printed = walk_through("route.md")
    told = [float(metres) for text in printed for metres in re.findall(r"(\d+) m$", text)]
    assert len(told) == 1 + sum(map(is_there, ("networkx", "osmnx")))
    assert told == pytest.approx([shortest_m()] * len(told), abs=8)
    if is_there("networkx"):
        assert geopandas.read_file("route.gpkg").length.sum() == pytest.approx(told[0], rel=0.01)
        assert Path("route.html").is_file()
    shutil.rmtree(place / "examples")


def shortest_m() -> float:
    """The length of the way along the truth between the places that the guide names."""
    roads = truth()
    roads = roads[roads.intersects(shapely.box(618_922, 1_614_620, 619_146, 1_614_844))]
    start, goal = shapely.Point(619_009, 1_614_759), shapely.Point(619_130, 1_614_631)
    best = {nearest_end(roads, start): 0.0}
    for _ in range(len(roads)):
        for line in roads.geometry:
            a, b = (tuple(np.round(line.coords[i], 1)) for i in (0, -1))
            for here, there in ((a, b), (b, a)):
                if here in best:
                    best[there] = min(best.get(there, np.inf), best[here] + line.length)
    return best[nearest_end(roads, goal)]


def nearest_end(roads: Any, place: shapely.Point) -> tuple[float, ...]:
    """The end of a road that lies nearest to a place."""
    ends = [line.coords[i] for line in roads.geometry for i in (0, -1)]
    return tuple(np.round(min(ends, key=lambda end: place.distance(shapely.Point(end))), 1))
