"""georoads train: what it prints, and what --dry-run shows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from drawn_pairs import SMALL_RECIPE, draw_pairs
from small_training import one_thread  # noqa: F401 (a fixture)

from georoads.cli.train import train

pytestmark = pytest.mark.slow


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    data = draw_pairs(tmp_path / "d", [f"t{i}" for i in range(12)])
    (tmp_path / "tiny.toml").write_text(SMALL_RECIPE.format(path=data))
    paths = ["--recipe", str(tmp_path / "tiny.toml"), "-o", str(tmp_path / "run")]
    return [str(data), *paths, "--epochs", "1", "--set", "train.samples=1"]


def test_it_prints_the_notebooks_lines_and_what_they_mean(arguments: list[str], tmp_path: Path) -> None:
    done = CliRunner().invoke(train, [*arguments, "-q"], catch_exceptions=False)
    assert done.exit_code == 0
    lines = done.output.splitlines()
    starts = ("Epoch: 1 ", "Model saved!", "Loaded Unet model from this run.", "Evaluation on Test Data:")
    for line, start in zip(lines, starts, strict=False):
        assert line.startswith(start)
    assert "this split has no test" in done.output
    assert "Mean IoU Score: " in done.output
    assert "Mean Dice Loss: " in done.output
    assert (tmp_path / "run" / "sample_predictions" / "sample_pred_0.png").is_file()


def test_a_dry_run_prints_the_whole_recipe_and_writes_nothing(arguments: list[str], tmp_path: Path) -> None:
    done = CliRunner().invoke(
        train, [*arguments, "--dry-run", "--set", "train.lr=0.5"], catch_exceptions=False
    )
    assert json.loads(done.stdout)["train"]["lr"] == 0.5
    assert "11 train, 1 val, 0 test" in done.stderr
    assert not (tmp_path / "run").exists()


def test_set_help_lists_what_the_recipe_has(arguments: list[str]) -> None:
    listed = CliRunner().invoke(train, [*arguments, "--set", "help"])
    assert listed.exit_code == 0
    lines = listed.output.splitlines()
    assert {"chip.size_px=64", "train.batch=4", "tile.tile_px=96"} <= set(lines)
    assert not any(line.startswith("train.help") for line in lines)
