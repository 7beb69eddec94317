"""What georoads says of itself to programs: ``describe``, and ``--progress json``."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from click.testing import CliRunner
from drawn_rasters import north_up, write_raster

from georoads.cli.main import cli
from georoads.progress import json_lines


def described(*names: str) -> Any:
    done = CliRunner().invoke(cli, ["describe", *names])
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)["commands"]


@pytest.fixture(scope="module")
def everything() -> Any:
    return described()


def test_every_command_is_described_with_all_that_its_help_shows(everything: Any) -> None:
    assert everything.keys() == cli.commands.keys()
    for name, command in cli.commands.items():
        shown = [p for p in command.params if not getattr(p, "hidden", False)]
        told = everything[name]["parameters"]
        assert [each["name"] for each in told] == [p.name for p in shown]
        assert [each["flags"] for each in told] == [
            p.opts if isinstance(p, click.Option) else [] for p in shown
        ]
        assert all(each["help"] for each in told if each["flags"])


def test_settings_are_those_of_set_help(everything: Any) -> None:
    listed = CliRunner().invoke(cli, ["vectorize", "x.tif", "-o", "x.gpkg", "--set", "help"]).stdout
    names = [line.partition("=")[0] for line in listed.splitlines() if not line.startswith((" ", "for="))]
    assert [each["name"] for each in everything["vectorize"]["settings"]] == names
    assert everything["vectorize"]["purposes"].keys() == {"osm", "routing"}
    assert everything["score"]["purposes"] == {}
    assert everything["models"]["settings"] == []


def test_types_defaults_and_choices_are_plain(everything: Any) -> None:
    score = {each["name"]: each for each in everything["score"]["parameters"]}
    assert (score["buffer_m"]["type"], score["buffer_m"]["default"]) == ("number", 4.0)
    assert (score["roads"]["type"], score["roads"]["required"]) == ("path", True)
    extract = {each["name"]: each for each in everything["extract"]["parameters"]}
    assert extract["scenes"]["multiple"] and extract["settings"]["multiple"]
    assert (extract["resume"]["flags"], extract["resume"]["off_flags"]) == (["--resume"], ["--restart"])
    diff = {each["name"]: each for each in everything["diff"]["parameters"]}
    assert diff["align"]["choices"] == ["auto", "no"]


def test_some_commands_may_be_asked_for_and_unknown_ones_are_named() -> None:
    assert described("score", "view").keys() == {"score", "view"}
    done = CliRunner().invoke(cli, ["describe", "scroe"])
    assert done.exit_code == 2
    assert "scroe" in done.stderr and "score" in done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("before", [True, False])
def test_progress_comes_as_json_lines_wherever_the_option_stands(tmp_path: Path, before: bool) -> None:
    values = np.random.default_rng(5).integers(0, 255, (3, 64, 64)).astype("uint8")
    scene = write_raster(tmp_path / "scene.tif", values, north_up(0.5), "EPSG:32633")
    option, rest = ["--progress", "json"], ["predict", str(scene), "-o", str(tmp_path / "p.tif")]
    words = [*option, *rest] if before else [*rest, *option]
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 0, done.output
    told = [json.loads(line) for line in done.stderr.splitlines() if line.startswith("{")]
    assert [each["done"] for each in told] == [0, 1]
    assert told[-1] == {"stage": "predict", "done": 1, "total": 1, "unit": "tiles", "note": ""}


def test_lines_of_progress_are_seldom_and_the_last_one_always_comes(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with json_lines("predict", 1000, "tiles") as tell:
        for done in range(1, 1001):
            tell(done, "note")
    told = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [each["done"] for each in told][0 :: len(told) - 1] == [0, 1000]
    assert len(told) < 10
