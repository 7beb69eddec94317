"""Our GeoPackages in a real QGIS: found valid, styled by their own style, no complaint."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import shapely
from drawn_map import GREEN, draw_roads, draw_scene
from drawn_networks import CROSSROADS, Lines, network
from skimage.io import imread

from georoads.difference.params import DiffParams
from georoads.difference.request import DiffRequest, diff
from georoads.output.changes_layer import CHANGE_LOOK, ChangeKind
from georoads.output.provenance import Provenance
from georoads.output.style import CLASSES
from georoads.output.write import WriteOptions, write_roads
from georoads.view.write import write_view

pytestmark = pytest.mark.slow

PYTHON = "/usr/bin/python3"
HELPER = Path(__file__).with_name("open_in_qgis.py")
PROJECT_HELPER = Path(__file__).with_name("open_project_in_qgis.py")
FIELDS = [
    ["fid", "Integer64"],
    ["road_id", "Integer64"],
    ["length_m", "Real"],
    ["width_m", "Real"],
    ["width_std_m", "Real"],
    ["confidence", "Real"],
    ["confidence_p05", "Real"],
    ["bridged_m", "Real"],
    ["carriageway", "String"],
    ["from_node", "Integer64"],
    ["to_node", "Integer64"],
    ["source", "String"],
]


def environment(home: Path) -> dict[str, str]:
    """Without our Python's paths, without a window, with settings of its own."""
    ours = ("PYTHON", "PROJ", "GDAL", "VIRTUAL_ENV")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(ours)}
    return {**kept, "QT_QPA_PLATFORM": "offscreen", "HOME": str(home), "XDG_RUNTIME_DIR": str(home)}


@pytest.fixture(scope="module")
def qgis(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("home", numbered=True)
    home.chmod(0o700)
    if not Path(PYTHON).exists():
        pytest.skip("no Debian Python here")
    probe = [PYTHON, "-c", "import qgis.core"]
    if subprocess.run(probe, env=environment(home), capture_output=True, check=False).returncode:
        pytest.skip("python3-qgis is not installed")
    return home


def opened(home: Path, path: Path, *pictures: str, layers: str = "nodes,roads") -> dict[str, Any]:
    return asked(home, path, HELPER, layers, *pictures)


def asked(home: Path, path: Path, helper: Path, *words: str) -> dict[str, Any]:
    report = path.with_suffix(".json")
    command = [PYTHON, str(helper), str(path), str(report), *words]
    done = subprocess.run(
        command, env=environment(home), capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    return found


def write(path: Path, lines: Lines = CROSSROADS) -> None:
    date = datetime(2020, 1, 2, tzinfo=UTC)
    options = WriteOptions(Provenance("m", "ab", "free", "{}", "s.tif", "0.1.0", date), sources=("s.tif",))
    write_roads(network(lines), path, options)


def strip(picture: Path) -> np.ndarray:
    """The column of pixels across the western road of the crossroads, (H, 3)."""
    image = imread(picture)[:, :, :3]
    return np.asarray(image[:, image.shape[1] // 2 - 95])


@pytest.mark.qgis
def test_layers_are_valid_and_styled(qgis: Path, tmp_path: Path) -> None:
    path = tmp_path / "roads.gpkg"
    write(path)
    found = opened(qgis, path)
    assert found["messages"] == []
    roads, nodes = found["roads"], found["nodes"]
    assert (roads["valid"], roads["crs"], roads["features"]) == (True, "EPSG:32632", 4)
    assert (nodes["valid"], nodes["crs"], nodes["features"]) == (True, "EPSG:32632", 5)
    assert roads["fields"] == FIELDS
    assert (roads["renderer"], roads["symbols"]) == ("graduatedSymbol", 5)
    assert (nodes["renderer"], nodes["symbols"], nodes["scale_dependent"]) == ("categorizedSymbol", 4, True)


@pytest.mark.qgis
def test_empty_layers_are_valid(qgis: Path, tmp_path: Path) -> None:
    path = tmp_path / "roads.gpkg"
    write(path, ())
    found = opened(qgis, path)
    assert found["messages"] == []
    assert (found["roads"]["valid"], found["roads"]["features"]) == (True, 0)
    assert found["roads"]["fields"] == FIELDS


@pytest.mark.qgis
def test_roads_are_as_wide_as_on_the_ground_and_visible_from_afar(qgis: Path, tmp_path: Path) -> None:
    path = tmp_path / "roads.gpkg"
    write(path)
    near, far = tmp_path / "near.png", tmp_path / "far.png"
    place = ["500100", "4999900"]
    # Thin at first: 0.55 mm and a casing of 1.1 mm are 2.1 px and 4.2 px.
    opened(qgis, path, str(near), *place, "1000", "#ffffff")
    assert 3 <= (strip(near).astype(int).sum(axis=1) < 700).sum() <= 6
    with closing(sqlite3.connect(path)) as db:
        is_wide = "styleName = 'georoads roads wide'"
        db.execute(f"UPDATE layer_styles SET useAsDefault = {is_wide} WHERE f_table_name = 'roads'")
        db.commit()
    opened(qgis, path, str(near), *place, "1000", "#ffffff", str(far), *place, "20000", "#ffffff")
    # The western road is 6.667 m wide: 25.2 px at 1:1000 and 96 dpi, its casing 29 px.
    column = strip(near).astype(int)
    drawn = (column.sum(axis=1) < 700).sum()
    dark = (column.sum(axis=1) < 300).sum()
    assert 28 <= drawn <= 31 and 2 <= dark <= 5

    # At 1:20000 the crossroads is 18 px wide; its lines keep at least 1 mm, which is 3.8 px.
    image = imread(far)[:, :, :3].astype(int).sum(axis=2)
    assert 2 <= (image[:, image.shape[1] // 2 - 6] < 700).sum() <= 6


@pytest.mark.qgis
def test_changes_open_in_the_colours_of_their_kinds(qgis: Path, tmp_path: Path) -> None:
    """From north to south: the same, missing, moved by 6 m, new."""
    west, north = 500_000.0, 5_000_000.0
    for name, rows in (("later", (0, 200, 300)), ("earlier", (0, 100, 206))):
        lines = [shapely.LineString([(west, north - y), (west + 300, north - y)]) for y in rows]
        geopandas.GeoDataFrame(geometry=lines, crs="EPSG:32632").to_file(
            tmp_path / f"{name}.gpkg", layer="roads"
        )
    path, picture = tmp_path / "changes.gpkg", tmp_path / "changes.png"
    ours, theirs = tmp_path / "later.gpkg", tmp_path / "earlier.gpkg"
    diff(DiffRequest(ours, theirs, params=DiffParams(align=False, same=True), output=path))
    place = [str(west + 150), str(north - 150), "2500", "#101010"]
    found = opened(qgis, path, str(picture), *place, layers="changes")
    assert found["messages"] == []
    layer = found["changes"]
    assert (layer["valid"], layer["crs"], layer["features"]) == (True, "EPSG:32632", 4)
    assert (layer["renderer"], layer["legend"]) == ("categorizedSymbol", [*CHANGE_LOOK])
    image = imread(picture)[:, :, :3].astype(int)
    px_m = 2500 * 0.0254 / 96
    for kind, y in (("same", 0), ("missing", 100), ("moved", 200), ("new", 300)):
        row = round(image.shape[0] / 2 + (y - 150) / px_m)
        colour = [int(part) for part in CHANGE_LOOK[ChangeKind(kind)][0].split(",")[:3]]
        band = image[row - 1 : row + 2, image.shape[1] // 2 - 190 : image.shape[1] // 2 + 190]
        is_drawn = (abs(band - colour).max(axis=2) < 12).any(axis=0)
        # Missing roads are dashed.
        assert is_drawn.mean() > 0.95 if kind != "missing" else 0.4 < is_drawn.mean() < 0.8, kind


@pytest.mark.qgis
def test_a_project_opens_with_its_layers_over_the_scene(qgis: Path, tmp_path: Path) -> None:
    folder = tmp_path / "x & <y> 'z'"
    folder.mkdir()
    roads, scene = folder / 'r "q" & <z>.gpkg', draw_scene(folder / "s & <t>.tif")
    write(roads)
    draw_roads(roads, layer='a"b & <c>')
    for layer in ("roads", 'a"b & <c>'):
        write_view(roads, folder / "m.qgz", (scene,), layer=layer, overwrite=True)
        found = asked(qgis, folder / "m.qgz", PROJECT_HELPER, str(tmp_path / "m.png"))
        assert (found["read"], found["error"], found["messages"]) == (True, "", [])
        assert found["other_versions"] == [] or not found["version"].startswith("3.22.16")
        assert (found["title"], found["crs"], found["canvas_crs"]) == (roads.name, "EPSG:32632", "EPSG:32632")
        *nodes, lines, ground = found["layers"]
        assert found["expanded"] == [*[True] * len(nodes), True, False]  # the legends of the vectors
        assert [n["renderer"] for n in nodes] == ["categorizedSymbol"] * (layer == "roads")
        assert all(la["valid"] and la["crs"] == "EPSG:32632" for la in found["layers"])
        assert (lines["name"], lines["renderer"]) == (layer, "graduatedSymbol")
        assert lines["legend"] == [f"{low:.2f} – {high:.2f}" for low, high, _ in CLASSES]
        assert "Confidence" in lines["aliases"]
        assert (ground["name"], ground["renderer"]) == (scene.name, "multibandcolor")
    assert found["extent"] == pytest.approx([500_034, 4_999_834, 500_166, 4_999_966])
    drawn = imread(tmp_path / "m.png")[:, :, :3].astype(int)
    assert (abs(drawn - GREEN).max(axis=2) < 9).mean() > 0.5  # the scene
    assert (abs(drawn[:, 390:410] - (240, 230, 80)).max(axis=2) < 40).any()  # the southern road
