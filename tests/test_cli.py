"""The command line: exit codes, one-line errors, light imports."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from georoads.cli.main import cli

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


@pytest.mark.parametrize("command", ["", *cli.commands])
def test_help_of_every_command(command: str) -> None:
    done = CliRunner().invoke(cli, [*([command] if command else []), "--help"])
    assert done.exit_code == 0
    assert "Usage:" in done.stdout


@pytest.mark.parametrize("command", cli.commands.values(), ids=str)
def test_a_command_has_at_most_20_flags(command: click.Command) -> None:
    shown = [p for p in command.params if isinstance(p, click.Option) and not p.hidden]
    assert len(shown) <= 20


@pytest.mark.parametrize(
    ("flag", "setting"),
    [
        (("--tta",), "predict.tta=true"),
        (("--runtime", "torch"), 'predict.runtime="torch"'),
        (("--skip-bad",), "scene.skip_bad=true"),
        (("--allow-vrt",), "scene.allow_vrt=true"),
        (("--bounds", "1 2 3 4"), "scene.bounds=[1.0, 2.0, 3.0, 4.0]"),
    ],
)
def test_a_flag_that_has_moved_still_works_and_says_where_to(flag: tuple[str, ...], setting: str) -> None:
    arguments = ["predict", "none.tif", "-o", "p.tif"]
    moved = CliRunner().invoke(cli, [*arguments, *flag, "--set", "help"])
    assert moved.stderr.count("\n") == 1
    assert f"use --set {setting.split('=')[0]}=" in moved.stderr
    assert setting in moved.stdout.splitlines()
    done = CliRunner().invoke(cli, [*arguments, "--set", setting])
    assert "none.tif does not exist" in str(done.exception)


SECTIONS = {
    "extract": "scene network write predict engine remote for=osm for=routing",
    "predict": "scene predict engine remote",
    "fetch": "remote",
    "vectorize": "mask network write for=osm for=routing",
    "tiles": "scene",
    "view": "scene",
    "info": "scene",
    "score": "score",
    "diff": "diff task",
    "evaluate": "predict evaluate",
    "train": "model chip train tile",
}


@pytest.mark.parametrize("command", SECTIONS)
def test_set_help_says_what_each_parameter_means(command: str) -> None:
    known = cli.commands[command]
    needed = ["-o", "out"] if any(p.required and "-o" in p.opts for p in known.params) else []
    needed += ["--roads", "r.gpkg"] if command == "tiles" else []
    arguments = ["a" for p in known.params if isinstance(p, click.Argument)]
    done = CliRunner().invoke(cli, [command, *arguments, *needed, "--set", "help"])
    assert done.exit_code == 0, done.output
    lines = done.stdout.splitlines()
    named = [n for n, line in enumerate(lines) if not line.startswith(" ")]
    assert {lines[n].partition(".")[0] for n in named} == set(SECTIONS[command].split())
    for n in named:
        assert "=" in lines[n]
        assert lines[n + 1].startswith("    "), lines[n]


def test_help_imports_nothing_heavy() -> None:
    code = "from georoads.cli.main import cli\ncli(['--help'], standalone_mode=False)"
    assert loaded_by(code, ("torch", "rasterio", "geopandas", "skimage", "matplotlib", "numba")) == []


@pytest.mark.slow
def test_extract_through_openvino_does_not_import_torch(tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    arguments = ["extract", str(ROOT / "examples/scene.tif"), "-o", str(tmp_path / "r.gpkg"), "-q"]
    arguments += ["--set", "predict.runtime=openvino"]
    code = f"from georoads.cli.main import cli\ncli({arguments!r}, standalone_mode=False)"
    assert loaded_by(code, ("torch", "matplotlib", "albumentations")) == []


@pytest.mark.slow
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
