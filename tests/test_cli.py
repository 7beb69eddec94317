"""The command line: exit codes, one-line errors, light imports."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def georoads(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "georoads", *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def loaded_by(code: str, modules: tuple[str, ...]) -> list[str]:
    check = f"\nimport sys\nprint([m for m in {modules!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", code + check], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return list(eval(done.stdout.strip().splitlines()[-1]))


def test_an_expected_failure_is_two_lines_and_exit_code_1(tmp_path: Path) -> None:
    done = georoads("extract", tmp_path / "none.tif", "-o", tmp_path / "roads.gpkg")
    assert done.returncode == 1
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == ["error", "hint"]
    assert "none.tif" in done.stderr
    assert not list(tmp_path.iterdir())


def test_usage_is_exit_code_2() -> None:
    assert georoads("extract").returncode == 2


@pytest.mark.parametrize(
    "command",
    [
        "",
        "download",
        "tiles",
        "extract",
        "predict",
        "vectorize",
        "train",
        "evaluate",
        "score",
        "view",
        "info",
        "models",
    ],
)
def test_help_of_every_command(command: str) -> None:
    done = georoads(*([command] if command else []), "--help")
    assert done.returncode == 0
    assert "Usage:" in done.stdout


def test_help_imports_nothing_heavy() -> None:
    code = "from georoads.cli.main import cli\ncli(['--help'], standalone_mode=False)"
    assert loaded_by(code, ("torch", "rasterio", "geopandas", "skimage", "matplotlib", "numba")) == []


def test_extract_through_openvino_does_not_import_torch(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    arguments = ["extract", str(ROOT / "examples/scene.tif"), "-o", str(tmp_path / "r.gpkg"), "-q"]
    arguments += ["--runtime", "openvino"]
    code = f"from georoads.cli.main import cli\ncli({arguments!r}, standalone_mode=False)"
    assert loaded_by(code, ("torch", "matplotlib", "albumentations")) == []


def test_the_example_scene_is_extracted(tmp_path: Path) -> None:
    roads, scores = tmp_path / "roads.gpkg", tmp_path / "scores.json"
    done = georoads("extract", "examples/scene.tif", "-o", roads, "--json", tmp_path / "run.json")
    assert done.returncode == 0, done.stderr
    done = georoads("score", roads, "examples/roads_truth.geojson", "--json", scores)
    assert done.returncode == 0, done.stderr
    import json

    assert json.loads(scores.read_text())["f1"] >= 0.80
    run = json.loads((tmp_path / "run.json").read_text())
    assert run["roads"] > 50
    assert {"open", "predict", "vectorize"} <= run["seconds"].keys()
