"""The package as a user types it: names, files by name, results as tables, examples of its docstrings."""

from __future__ import annotations

import doctest
import sys
from pathlib import Path

import pytest
import rasterio
from rasterio.windows import Window

import georoads
from georoads import api
from georoads.model.checkpoint import SHIPPED_DEFAULT

ROOT = Path(__file__).resolve().parent.parent
EXAMPLES = ROOT / "examples"
FUNCTIONS = "open_scene load_model extract predict vectorize score diff train"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one tile of the example scene."""
    place = tmp_path_factory.mktemp("user")
    with rasterio.open(EXAMPLES / "scene.tif") as whole:
        window = Window(980, 520, 448, 448)
        profile = whole.profile | {"transform": whole.window_transform(window), "width": 448, "height": 448}
        with rasterio.open(place / "scene.tif", "w", **profile) as scene:
            scene.write(whole.read(window=window))
    return place


def test_the_names_are_there_when_asked_for_and_no_others_show() -> None:
    assert dir(georoads) == sorted(georoads.__all__)
    for name in georoads.__all__:
        assert getattr(georoads, name) is not None
    with pytest.raises(AttributeError, match="nothing_such"):
        _ = georoads.nothing_such


def test_the_examples_of_the_docstrings_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    runner, finder = doctest.DocTestRunner(), doctest.DocTestFinder(recurse=False)
    for name in FUNCTIONS.split():
        (examples,) = finder.find(getattr(api, name), name, globs=vars(api).copy())
        runner.run(examples, out=sys.stderr.write)
    assert runner.summarize(verbose=False).failed == 0


def test_files_are_named_by_text_path_or_list(folder: Path) -> None:
    scene = folder / "scene.tif"
    for named in (scene, str(scene), [scene], (str(scene),)):
        assert georoads.open_scene(named).grid.width == 448
    assert georoads.load_model(SHIPPED_DEFAULT) == georoads.load_model()
    assert georoads.load_model(ROOT / "models" / f"{SHIPPED_DEFAULT}.json") == georoads.load_model()


def test_a_result_is_scored_as_it_is(folder: Path) -> None:
    result = georoads.extract([folder / "scene.tif"])
    assert repr(result) == f"<{len(result.roads)} roads, {result.summary.length_km:.2f} km>"
    assert result.roads.crs == georoads.open_scene(folder / "scene.tif").grid.crs
    assert set(result.roads["from_node"]) <= set(result.nodes["node_id"])
    assert georoads.score(result, result).f1 == 1.0
    truth = EXAMPLES / "roads_truth.geojson"
    assert georoads.score(result, str(truth)).correctness > 0.6
    assert georoads.diff(result, result).changes.empty
    new = georoads.diff(result, truth).changes.query("kind == 'new'")
    assert set(new["road_id"]) <= set(result.roads["road_id"])
    assert georoads.score(str(truth), georoads.read_roads(truth)).f1 == 1.0


def test_an_error_says_what_to_do() -> None:
    with pytest.raises(georoads.GeoroadsError) as told:
        georoads.extract("none.tif")
    assert str(told.value) == "none.tif does not exist\nhint: check the path"
    assert str(georoads.GeoroadsError("no hint")) == "no hint"
