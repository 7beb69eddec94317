"""``georoads view`` and ``--preview`` as they are typed."""

from __future__ import annotations

import base64
import json
import re
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from command_line import refused, typed, unchanged
from drawn_map import CROSS, NORTH, UTM, WEST, draw_roads, draw_scene
from drawn_rasters import north_up, write_raster

from georoads.view.layer import read_layer
from georoads.view.page import page
from georoads.view.request import LineWidth


def data_of(content: str) -> dict[str, Any]:
    """What the page gives its script."""
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', content, re.DOTALL)
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


def unpacked(text: object, kind: str) -> np.ndarray:
    return np.frombuffer(zlib.decompress(base64.b64decode(str(text))), kind)


def test_a_page_holds_the_layer_to_the_centimetre(tmp_path: Path) -> None:
    numbers, texts = np.array([1, 2**60, 3, 4]), ["a", "ü", None, "<b>"]
    columns = {"n": numbers, "t": texts, "x": [1.5, np.nan, np.inf, 0.25]}
    layer = read_layer(draw_roads(tmp_path / "r.gpkg", CROSS, columns))
    data = data_of(page(layer))
    assert unpacked(data["counts"], "<u4").tolist() == [2, 2, 2, 2]
    points = unpacked(data["points"], "<i4").reshape(2, -1).cumsum(axis=1, dtype=np.int32)
    assert pytest.approx(layer.points, abs=0.005) == points.T / 100
    attributes = json.loads(zlib.decompress(base64.b64decode(str(data["attributes"]))))
    assert attributes["titles"] == ["n", "t", "x"]
    # Numbers that a browser would round are texts.
    assert attributes["columns"] == [[1, str(2**60), 3, 4], texts, [1.5, None, None, 0.25]]


def test_distances_that_wrap_around_come_back(tmp_path: Path) -> None:
    layer = read_layer(draw_roads(tmp_path / "r.gpkg", [[(0, 0), (9, 9)]], {}))
    far = np.array([[1.9e7, 1.9e7], [-1.9e7, -1.9e7]])  # metres: their distance does not fit 32 bits
    object.__setattr__(layer, "points", far)
    points = unpacked(data_of(page(layer))["points"], "<i4").reshape(2, -1)
    assert (points.cumsum(axis=1, dtype=np.int32).T / 100).tolist() == far.tolist()


def test_a_page_says_what_to_check(tmp_path: Path) -> None:
    # Of three roads the first is uncertain and ends 10 m before the third, the second was mostly bridged.
    lines = [[(50, 40), (50, 90)], [(100, 40), (100, 100)], [(40, 100), (100, 100), (160, 100)]]
    columns = {"confidence": [0.4, 0.9, 0.9], "bridged_m": [0.0, 40.0, 0.0]}
    data = data_of(page(read_layer(draw_roads(tmp_path / "r.gpkg", lines, columns)), width=LineWidth.ROAD))
    assert unpacked(data["marks"], "u1").tolist() == [1, 2 + 4, 0]
    assert unpacked(data["ends"], "u1").tolist() == [1, 3, 1, 2, 1, 1]
    assert [look["count"] for look in data["checks"]["lines"]] == [0, 1, 1]
    assert (data["checks"]["near"]["count"], data["wide"], data["lift"]) == (1, True, 1)


@pytest.mark.parametrize("name", ["m.html", "m.qgz"])
def test_view_writes_one_file(tmp_path: Path, name: str) -> None:
    roads, scene = draw_roads(tmp_path / "r.gpkg"), draw_scene(tmp_path / "s.tif")
    target = tmp_path / name
    ended = typed("view", roads, "--scene", scene, "-o", target)
    assert ended.code == 0, ended.err
    assert ended.err.startswith(f"{target}: 4 lines, 0.24 km, ")
    assert sorted(p.name for p in tmp_path.iterdir()) == [name, "r.gpkg", "s.tif"]
    with unchanged(tmp_path):
        refused("view", roads, "-o", target, says=f"{name} exists", hint="--overwrite")
    first = target.read_bytes()
    assert typed("view", roads, "--scene", scene, "-o", target, "--overwrite", "-q").code == 0
    assert target.read_bytes() == first


def test_view_refuses_what_it_cannot_show(tmp_path: Path) -> None:
    roads, scene = draw_roads(tmp_path / "r.gpkg"), draw_scene(tmp_path / "far.tif", east_m=5000)
    with unchanged(tmp_path):
        for name, suffix in (("m.jpg", "'.jpg'"), ("m.qgs", "'.qgs'"), ("m", "'a file without suffix'")):
            says = f"{name}: a map is not written as {suffix}"
            refused("view", roads, "-o", tmp_path / name, says=says, hint=".qgz")
        refused("view", roads, "--scene", scene, "-o", tmp_path / "m.html", says="far.tif lies elsewhere")
        refused("view", tmp_path / "no.gpkg", "-o", tmp_path / "m.html", says="no.gpkg does not exist")
        refused("view", roads, "--layer", "x", "-o", tmp_path / "m.html", says="r.gpkg has no layer 'x'")


def mask(path: Path) -> Path:
    levels = np.zeros((1, 200, 200), np.uint8)
    levels[:, 98:103, 10:190] = 255
    return write_raster(path, levels, north_up(1, WEST, NORTH), UTM)


@pytest.mark.parametrize("flags", [[], ["--layer", "ours"]])
def test_vectorize_draws_a_preview_of_what_it_wrote(tmp_path: Path, flags: list[str]) -> None:
    raster, preview = mask(tmp_path / "mask.tif"), tmp_path / "p.png"
    ended = typed("vectorize", raster, "-o", tmp_path / "r.gpkg", "--preview", preview, *flags)
    assert ended.code == 0, ended.err
    with pytest.warns(rasterio.errors.NotGeoreferencedWarning), rasterio.open(preview) as shown:
        assert (shown.width, shown.height) == (2000, 1000)
        rgb = shown.read((1, 2, 3), window=((450, 550), (0, 1500))).T
    yellow = (np.abs(rgb - [250, 246, 92]) < 9).all(axis=2)
    assert yellow.any(axis=1).mean() > 0.9


def test_a_preview_that_cannot_be_written_is_refused_before_the_work(tmp_path: Path) -> None:
    raster = mask(tmp_path / "mask.tif")
    (tmp_path / "p.png").write_bytes(b"an earlier one")
    for name, says in (("p.jpg", "the preview is written as PNG"), ("p.png", "p.png exists")):
        with unchanged(tmp_path):
            refused("vectorize", raster, "-o", tmp_path / "r.gpkg", "--preview", tmp_path / name, says=says)
