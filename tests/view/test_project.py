"""The map as a QGIS project: what stands in the .qgz. That QGIS opens it is tested in tests/gis."""

from __future__ import annotations

import sqlite3
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from command_line import unchanged
from drawn_map import CROSS, NORTH, UTM, WEST, draw_roads, draw_scene
from drawn_networks import network
from drawn_rasters import north_up, write_raster

from georoads.crs import parse_crs
from georoads.errors import GeoroadsError
from georoads.output.provenance import Provenance
from georoads.output.style import nodes_qml, roads_qml, wide_roads_qml
from georoads.output.write import WriteOptions, write_roads
from georoads.picture_files import write_png
from georoads.scene.scene import SceneParams
from georoads.view.embedded import embedded_style, nodes_of, parsed_style
from georoads.view.layer import read_layer
from georoads.view.project import project
from georoads.view.request import LineWidth
from georoads.view.write import write_view


def opened(path: Path) -> ElementTree.Element:
    with zipfile.ZipFile(path) as archive:
        (name,) = archive.namelist()
        assert name.endswith(".qgs")
        return ElementTree.fromstring(archive.read(name))


def drawn(folder: Path, roads: Path, *scenes: Path, **params: Any) -> ElementTree.Element:
    write_view(roads, folder / "m.qgz", scenes, SceneParams(**params), overwrite=True)
    return opened(folder / "m.qgz")


def sources(root: ElementTree.Element) -> list[str | None]:
    return [layer.findtext("datasource") for layer in root.iter("maplayer")]


def as_text(element: ElementTree.Element | None) -> str:
    assert element is not None
    return ElementTree.canonicalize(ElementTree.tostring(element), strip_text=True)


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A GeoPackage as extract writes it."""
    from datetime import UTC, datetime

    path = tmp_path_factory.mktemp("ours") / "roads.gpkg"
    date = datetime(2020, 1, 2, tzinfo=UTC)
    write_roads(network(), path, WriteOptions(Provenance("m", "ab", "free", "{}", "s.tif", "0.1.0", date)))
    return path


def test_layers_lie_over_the_scene_with_style_and_names(ours: Path, tmp_path: Path) -> None:
    scene = draw_scene(tmp_path / "s.tif")
    root = drawn(tmp_path, ours, scene)
    assert [n.get("name") for n in root.iter("layer-tree-layer")] == ["nodes", "roads", "s.tif"]
    nodes, roads, ground = root.iter("maplayer")
    ids = [layer.findtext("id") for layer in (nodes, roads, ground)]
    assert [n.get("id") for n in root.iter("layer-tree-layer")] == ids
    for layer, style in ((roads, roads_qml()), (nodes, nodes_qml())):
        expected = ElementTree.fromstring(style).find("renderer-v2")
        assert as_text(layer.find("renderer-v2")) == as_text(expected)
    assert (roads.findtext("layerOpacity"), nodes.get("minScale")) == ("0.85", "5000")
    aliases = {a.get("field"): a.get("name") for a in roads.iter("alias")}
    assert len(aliases) == 11 and aliases["length_m"] == "Length (m)"
    assert root.findtext("title") == "roads.gpkg"
    for wkt in root.iter("wkt"):
        assert parse_crs(wkt.text or "").to_epsg() == 32632
    assert len([*root.iter("wkt")]) == 5  # of the project, the canvas and each layer


def extent_of(root: ElementTree.Element) -> list[float]:
    return [float(side.text or "") for side in root.iterfind("mapcanvas/extent/*")]


def test_the_extent_is_that_of_the_lines(tmp_path: Path) -> None:
    roads, scene = draw_roads(tmp_path / "r.gpkg"), draw_scene(tmp_path / "s.tif")
    extent = [WEST + 40 - 6, NORTH - 160 - 6, WEST + 160 + 6, NORTH - 40 + 6]
    assert extent_of(drawn(tmp_path, roads, scene)) == extent
    empty = draw_roads(tmp_path / "empty.gpkg", [], {}, crs="EPSG:4326")
    west, south, east, north = extent_of(drawn(tmp_path, empty, scene))
    assert west < 9.0 < 9.0025 < east and south < 45.152 < 45.153 < north
    assert drawn(tmp_path, empty).find("mapcanvas") is None


def test_files_are_named_relative_to_the_project(ours: Path, tmp_path: Path) -> None:
    for name in ("data", "scenes", "maps"):
        (tmp_path / name).mkdir()
    roads, scene = draw_roads(tmp_path / "data/r.gpkg"), draw_scene(tmp_path / "scenes/s.tif")
    root = drawn(tmp_path / "maps", roads, scene)
    assert sources(root) == ["../data/r.gpkg|layername=roads", "../scenes/s.tif"]
    assert sources(drawn(tmp_path, roads)) == ["./data/r.gpkg|layername=roads"]
    root = ElementTree.fromstring(project(read_layer(roads), Path("/else/r.gpkg"), [], Path("/maps")))
    assert [Path(s or "").is_absolute() for s in sources(root)] == [True]


def test_names_that_xml_would_stumble_over(tmp_path: Path) -> None:
    odd = """a"b'c & <d> ]]> é"""
    folder = tmp_path / "x & <y>"
    folder.mkdir()
    roads = draw_roads(folder / "r 'q' & <z>.gpkg", layer=odd)
    scene = draw_scene(folder / "s & <t>.tif")
    root = drawn(tmp_path, roads, scene)
    assert sources(root) == [f"./x & <y>/{roads.name}|layername={odd}", "./x & <y>/s & <t>.tif"]
    assert [n.get("name") for n in root.iter("layer-tree-layer")] == [odd, "s & <t>.tif"]
    assert root.findtext("title") == roads.name


@pytest.mark.parametrize("name", ["a|b", "a\tb", "a\x01b"])
def test_names_that_a_project_cannot_hold_are_refused(tmp_path: Path, name: str) -> None:
    roads = draw_roads(tmp_path / "r.gpkg", layer=name)
    with unchanged(tmp_path), pytest.raises(GeoroadsError, match=r"r\.gpkg: a QGIS project cannot name"):
        write_view(roads, tmp_path / "m.qgz")


def test_the_style_is_the_one_that_the_file_keeps(ours: Path, tmp_path: Path) -> None:
    roads = tmp_path / "r.gpkg"
    roads.write_bytes(ours.read_bytes())
    style = (
        "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'><qgis labelsEnabled='1'>"
        "<renderer-v2 type='mine'/><labeling/><editforminitcode>import os</editforminitcode></qgis>"
    )
    with closing(sqlite3.connect(roads)) as db:
        db.execute("UPDATE layer_styles SET styleQML = ? WHERE f_table_name = 'roads'", (style,))
        db.commit()
    _, layer = drawn(tmp_path, roads).iter("maplayer")
    renderer = layer.find("renderer-v2")
    assert renderer is not None and renderer.get("type") == "mine"
    assert layer.get("labelsEnabled") == "1" and layer.find("labeling") is not None
    assert layer.find("editforminitcode") is None


def test_lines_as_wide_as_the_road_are_asked_for(ours: Path, tmp_path: Path) -> None:
    for roads in (ours, draw_roads(tmp_path / "r.fgb")):
        looks = {}
        for width in LineWidth:
            write_view(roads, tmp_path / "m.qgz", width=width, overwrite=True)
            looks[width] = as_text([*opened(tmp_path / "m.qgz").iter("maplayer")][-1].find("renderer-v2"))
        assert looks[LineWidth.THIN] == as_text(ElementTree.fromstring(roads_qml()).find("renderer-v2"))
        assert looks[LineWidth.ROAD] == as_text(ElementTree.fromstring(wide_roads_qml()).find("renderer-v2"))


@pytest.mark.parametrize(
    "style",
    [
        None,
        b"\xff",
        "",
        "text",
        "<qgis/>",
        "<qgis><renderer-v2>" + "<a>" * 5000 + "</a>" * 5000 + "</renderer-v2></qgis>",
        "<!DOCTYPE qgis [<!ENTITY a 'b'>]><qgis><renderer-v2/></qgis>",
        "<qgis><renderer-v2/></qgis>" + " " * 2**22,
    ],
)
def test_what_is_no_style_is_not_taken(style: object) -> None:
    assert parsed_style(style) is None


def test_views_in_place_of_tables_are_not_read(ours: Path, tmp_path: Path) -> None:
    roads = tmp_path / "r.gpkg"
    roads.write_bytes(ours.read_bytes())
    assert embedded_style(roads, "roads") is not None and nodes_of(roads, "roads") == "nodes"
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i f_table_name FROM n"
    with closing(sqlite3.connect(roads)) as db:
        db.execute("DROP TABLE layer_styles")
        db.execute(f"CREATE VIEW layer_styles AS {endless}")
        db.execute("UPDATE gpkg_geometry_columns SET srs_id = 4326 WHERE table_name = 'nodes'")
        db.commit()
    assert embedded_style(roads, "roads") is None
    assert nodes_of(roads, "roads") is None  # they lie elsewhere


@pytest.mark.parametrize(
    ("columns", "renderer"),
    [
        ({"confidence": [0.5, 0.9]}, "graduatedSymbol"),
        ({"kind": ["right", "false"], "length_m": [1.0, 2.0]}, "categorizedSymbol"),
        ({"name": ["a", "b"]}, "singleSymbol"),
    ],
)
def test_a_layer_without_a_style_looks_as_on_the_page(
    tmp_path: Path, columns: dict[str, list[object]], renderer: str
) -> None:
    found = drawn(tmp_path, draw_roads(tmp_path / "r.fgb", CROSS[:2], columns)).find(".//renderer-v2")
    assert found is not None and found.get("type") == renderer


def test_a_scene_is_stretched_as_the_network_sees_it(tmp_path: Path) -> None:
    values = np.broadcast_to(np.arange(200, dtype=np.uint16) * 20, (4, 200, 200))
    write_raster(tmp_path / "s.tif", values, north_up(1, WEST, NORTH), UTM)
    roads = draw_roads(tmp_path / "r.gpkg")
    root = drawn(tmp_path, roads, tmp_path / "s.tif", rescale=(400.0, 3600.0), bidx=(4, 2, 1))
    renderer = root.find(".//rasterrenderer")
    assert renderer is not None
    assert [renderer.get(f"{c}Band") for c in ("red", "green", "blue", "alpha")] == ["4", "2", "1", "-1"]
    # 400 is drawn as grey level 30 and 3600 as 190, so black and white lie beyond.
    limits = [(float(c.findtext("minValue", "")), float(c.findtext("maxValue", ""))) for c in renderer]
    assert limits == [(-200.0, 4900.0)] * 3


def test_a_scene_whose_place_is_only_stated_is_refused(tmp_path: Path) -> None:
    roads = draw_roads(tmp_path / "r.gpkg")
    write_png(tmp_path / "p.png", np.full((9, 9, 3), 150, np.uint8))
    with pytest.raises(GeoroadsError, match=r"p\.png has no place"):
        write_view(roads, tmp_path / "m.qgz", (tmp_path / "p.png",), SceneParams(gsd=0.5))
