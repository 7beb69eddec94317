"""Indexes that stand for scenes: STAC item collections and GDAL's tile indexes."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
import pytest
import shapely
from command_line import refused, typed, unchanged
from drawn_rasters import north_up, write_raster
from stub import LocalRuntime

from georoads.errors import SceneError
from georoads.scene import index
from georoads.scene.index import named_in, scene_files
from georoads.scene.mosaic import Mosaic, open_scenes
from georoads.scene.scene import SceneParams

GEOTIFF = "image/tiff; application=geotiff; profile=cloud-optimized"


def draw(path: Path, col: int = 0) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    place = north_up(0.5, 500_000 + col / 2, 5_000_000)
    return write_raster(path, np.full((3, 32, 32), 150, np.uint8), place, "EPSG:32632")


def asset(href: str, *roles: str, media: str | None = GEOTIFF) -> dict[str, Any]:
    said = {"type": media} if media else {}
    return {"href": href, "roles": list(roles), **said}


def items(path: Path, *assets: dict[str, Any] | str) -> Path:
    """An item collection; a text is the link of an item's only asset."""
    features = [
        {"type": "Feature", "stac_version": "1.0.0", "id": f"i{number}", "assets": found}
        for number, found in enumerate(
            {"image": asset(a, "data")} if isinstance(a, str) else a for a in assets
        )
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


def tiles(path: Path, *names: str | None, field: str = "location", layer: str = "index") -> Path:
    box = np.array([shapely.to_wkb(shapely.box(0, 0, 1, 1))] * len(names), dtype=object)
    values = [np.array(names, dtype=object)]
    pyogrio.raw.write(
        path, box, values, [field], geometry_type="Polygon", crs="EPSG:32632", layer=layer,
        append=path.exists(), layer_options={"SPATIAL_INDEX": "NO"} if path.suffix == ".fgb" else None,
    )  # fmt: skip
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    for number, name in enumerate(("b.tif", "more/a b.tif", "c.tif")):
        draw(folder / name, 32 * number)
    draw(tmp_path / "out.tif")
    return folder


def names(path: Path) -> list[str]:
    return [str(found.relative_to(path.parent)) for found in named_in(path)]


def test_items_stand_for_their_scenes_in_their_order(folder: Path) -> None:
    links = ("more/a%20b.tif", "./b.tif", str(folder / "c.tif"))
    assert names(items(folder / "i.json", *links)) == ["more/a b.tif", "b.tif", "c.tif"]
    one = json.loads((folder / "i.json").read_text())["features"][1]
    (folder / "one.geojson").write_text("\ufeff" + json.dumps(one), encoding="utf-8")
    assert names(folder / "one.geojson") == ["b.tif"]


@pytest.mark.parametrize("suffix", [".gti.gpkg", ".gti.fgb", ".gti.geojson", ".GTI.GPKG"])
def test_a_tile_index_stands_for_its_scenes_in_its_order(folder: Path, suffix: str) -> None:
    found = tiles(folder / f"t{suffix.lower()}", "more/a b.tif", str(folder / "b.tif"))
    assert names(found.rename(folder / f"odd; zip!{suffix}")) == ["more/a b.tif", "b.tif"]


@pytest.mark.parametrize(
    ("assets", "taken"),
    [
        ({"B4": asset("c.tif", "data"), "visual": asset("b.tif", "data")}, "b.tif"),
        ({"rgb": asset("b.tif", "visual"), "all": asset("c.tif", "data")}, "b.tif"),
        ({"a": asset("c.tif", "cloud"), "b": asset("b.tif", "data")}, "b.tif"),
        ({"a": asset("b.tif"), "t": asset("c.tif", "thumbnail"), "o": asset("c.tif", "overview")}, "b.tif"),
        ({"a": asset("c.tif", "data", media="image/png"), "b": asset("b.tif", media="image/jp2")}, "b.tif"),
        ({"a": asset("c.json", media=None), "b": asset("b.tif", media=None)}, "b.tif"),
        ({"a": {"href": 1, "type": GEOTIFF}, "c": "c.tif", "b": {"href": "b.tif", "roles": 7}}, "b.tif"),
    ],
)
def test_the_asset_that_is_the_scene(folder: Path, assets: dict[str, Any], taken: str) -> None:
    assert names(items(folder / "i.json", assets)) == [taken]


REFUSED = {
    "B4, B3": ({"B4": asset("b.tif", "data"), "B3": asset("c.tif", "data")},),
    "item 2 has no asset that is a GeoTIFF": ("b.tif", {"a": asset("c.tif", media="text/html")}),
    "names no scene": (),
    "names ./b.tif twice": ("b.tif", "./b.tif"),
    "none.tif does not exist": ("none.tif",),
    "is a folder": ("more",),
    "the source ../out.tif lies outside the folder": ("../out.tif",),
    "the source link.tif lies outside the folder": ("link.tif",),
    "no plain file: 'https://x.org/b.tif'": ("https://x.org/b.tif",),
    "no plain file: 's3://b/b.tif'": ("s3://b/b.tif",),
    "no plain file: '/vsizip/b.zip'": ("/vsizip/b.zip",),
    "no plain file: 'GTIFF_DIR:1:b.tif'": ("GTIFF_DIR:1:b.tif",),
    "no plain file: ''": ("",),
    "cannot be found": ("b\0.tif",),
    "File name too long": ("b" * 300 + ".tif",),
}


@pytest.mark.parametrize("says", REFUSED)
def test_what_items_may_not_name(folder: Path, says: str) -> None:
    (folder / "link.tif").symlink_to(folder.parent / "out.tif")
    with pytest.raises(SceneError) as refusal:
        named_in(items(folder / "i.json", *REFUSED[says]))
    assert says in refusal.value.message and "i.json" in refusal.value.message and refusal.value.hint


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("i.json", "", "is not JSON"),
        ("i.json", "[" * 100_000, "is not JSON"),
        ("i.json", '{"type": "Catalog", "links": []}', "is no list of scenes"),
        ("i.json", "[1]", "is no list of scenes"),
        ("i.json", '{"type": "FeatureCollection", "features": [{}]}', "feature 1 is no STAC item"),
        ("i.json", '{"type": "FeatureCollection", "features": [[]]}', "is no list of scenes"),
        ("t.gti.geojson", '{"type": "FeatureCollection", "features": [{}]}', "row 1 names no file"),
        ("t.gti.gpkg", "text", "is no GPKG file"),
        ("t.gti.gpkg", "SQLite format 3\0", "cannot be read"),
        ("t.gti.fgb", "SQLite format 3\0", "is no FlatGeobuf file"),
        ("t.gti", "<GDALTileIndexDataset/>", "is a description of a tile index"),
    ],
)
def test_what_is_no_index(tmp_path: Path, name: str, content: str, says: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(SceneError, match=says) as refusal:
        named_in(tmp_path / name)
    assert name in refusal.value.message and refusal.value.hint


def test_tile_indexes_that_do_not_say_which(folder: Path) -> None:
    for path, says in (
        (tiles(folder / "a.gti.gpkg", "b.tif", field="path"), "has 0 layers with a field location"),
        (tiles(tiles(folder / "b.gti.gpkg", "b.tif"), "c.tif", layer="more"), "has 2 layers"),
        (tiles(folder / "c.gti.fgb", "b.tif", None), "row 2 names no file"),
        (tiles(folder / "d.gti.gpkg", "https://x.org/b.tif"), "no plain file"),
    ):
        with pytest.raises(SceneError, match=says):
            named_in(path)


def test_an_index_is_bounded(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = items(folder / "i.json", "b.tif", "c.tif")
    monkeypatch.setattr(index, "MAX_SOURCES", 1)
    with pytest.raises(SceneError, match="more than 1 scenes"):
        named_in(path)
    monkeypatch.setattr(index, "MAX_BYTES", path.stat().st_size - 1)
    with pytest.raises(SceneError, match="too large for a list"):
        named_in(path)


def test_scenes_and_indexes_side_by_side(folder: Path) -> None:
    listed = items(folder / "i.json", "c.tif", "b.tif")
    more = folder / "more/a b.tif"
    assert [f.name for f in scene_files((more, listed))] == ["a b.tif", "c.tif", "b.tif"]
    assert scene_files((Path("https://x.org/i.json"),)) == (Path("https://x.org/i.json"),)
    scene = open_scenes((more, listed), SceneParams(gsd="native"))
    assert isinstance(scene, Mosaic) and [m.path.name for m in scene.members] == ["a b.tif", "c.tif", "b.tif"]
    with pytest.raises(SceneError, match=r"b\.tif is given twice"):
        open_scenes((folder / "b.tif", listed), SceneParams())
    with pytest.raises(SceneError, match=r"i\.json is not a raster"):
        open_scenes((items(folder / "j.json", "i.json"),), SceneParams())


def test_an_index_gives_the_roads_of_its_scenes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("georoads.walk.prepared.open_runtime", lambda *_: LocalRuntime())
    listed = items(folder / "i.json", "b.tif", "c.tif")
    values = {}
    for name, scenes in (("one", [listed]), ("two", [folder / "b.tif", folder / "c.tif"])):
        out = folder.parent / f"{name}.tif"
        ended = typed("predict", *scenes, "-o", out, "-q")
        assert ended.code == 0, ended.err
        values[name] = out.read_bytes()
    assert values["one"] == values["two"]
    ended = typed("extract", listed, "-o", folder.parent / "r.gpkg", "-q")
    assert ended.code == 0, ended.err
    with closing(sqlite3.connect(folder.parent / "r.gpkg")) as db:
        (text,) = db.execute("SELECT metadata FROM gpkg_metadata").fetchone()
    assert json.loads(text)["scene"] == "i.json"
    youngest = max((folder / name).stat().st_mtime for name in ("b.tif", "c.tif"))
    assert datetime.fromisoformat(json.loads(text)["date"]).timestamp() == int(youngest)


def test_info_lists_the_scenes(folder: Path) -> None:
    ended = typed("info", items(folder / "i.json", "more/a%20b.tif", "b.tif"), "--set", "scene.gsd=native")
    assert ended.code == 0, ended.err
    lines = [line.strip() for line in ended.out.splitlines()]
    assert lines[0] == "index: i.json, 2 scenes"
    assert lines[1] == "scene: more/a b.tif, 32 x 32 px of 0.500 m, uint8, WGS 84 / UTM zone 32N"
    assert "working grid: 64 x 32 px of 0.500 m" in lines
    ended = typed("info", items(folder / "i.json", "c.tif"))
    assert ended.out.splitlines()[0].strip() == "scene: c.tif"


def test_an_output_must_not_be_the_index_nor_a_scene_of_it(folder: Path) -> None:
    listed = items(folder / "i.json", "b.tif", "c.tif")
    with unchanged(folder):
        for command, output in (("extract", listed), ("predict", folder / "c.tif")):
            refused(command, listed, "-o", output, "--overwrite", says="is an input and the output")
