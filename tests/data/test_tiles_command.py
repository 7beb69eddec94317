"""georoads tiles, as a user types it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from georoads.cli.main import cli
from georoads.data.dataset import open_dataset
from georoads.data.pictures import read_mask
from georoads.errors import GeoroadsError

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


def tiles(*arguments: str | Path) -> Result:
    scene, roads = EXAMPLES / "scene.tif", EXAMPLES / "roads_truth.geojson"
    texts = [str(a) for a in ("tiles", scene, "--roads", roads, *arguments)]
    return CliRunner().invoke(cli, texts, catch_exceptions=True)


def test_a_data_set_of_the_example_scene(tmp_path: Path) -> None:
    out, report = tmp_path / "own", tmp_path / "report.json"
    done = tiles("-o", out, "--width", "6", "--size", "512", "--val-side", "south", "--json", report)
    assert done.exit_code == 0, done.output
    stated = json.loads(report.read_text())
    data = open_dataset(out)
    assert stated["train"] + stated["val"] == len(data.samples)
    assert stated["gsd_m"] == pytest.approx(0.5, abs=0.05)
    assert 0.01 < stated["val_road_share"] < 0.4
    assert any(read_mask(s).any() for s in data.samples)
    assert f"{stated['train']} train and {stated['val']} val chips" in done.output
    again = tiles("-o", out, "--width", "6", "-q")
    assert isinstance(again.exception, GeoroadsError)
    assert "exists" in again.exception.message
    assert tiles("-o", out, "--width", "6", "-q", "--overwrite").output == ""


def test_a_parameter_out_of_range_is_a_usage_error(tmp_path: Path) -> None:
    done = tiles("-o", tmp_path / "own", "--val-share", "1.2")
    assert done.exit_code == 2
    assert "val-share must lie between 0 and 1" in done.output
    assert not list(tmp_path.iterdir())


def test_how_the_scene_is_read_can_be_set(tmp_path: Path) -> None:
    done = tiles("-o", tmp_path / "own", "--set", "scene.max_megapixels=1")
    assert isinstance(done.exception, GeoroadsError)
    assert "--set scene.max_megapixels=5" in done.exception.hint
    assert not list(tmp_path.iterdir())
