from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from drawn_evaluation import BrightIsRoad
from drawn_pairs import draw_pairs

from georoads.cli.main import cli
from georoads.errors import GeoroadsError
from georoads.evaluation.report import FILES


@pytest.fixture(autouse=True)
def stub_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("georoads.inference.select.open_runtime", lambda checkpoint, params: BrightIsRoad())


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    root = draw_pairs(tmp_path / "roads", ["a", "b", "c", "d"])
    (root / "split.json").write_text('{"train": ["a"], "val": ["b", "c"], "test": ["d"]}')
    return root


def evaluate(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["evaluate", *map(str, arguments)])


def test_figures_on_standard_output_are_json_alone(pairs: Path) -> None:
    done = evaluate(pairs, "--gsd-m", "0.5", "--json", "-")
    assert done.exit_code == 0, done.output
    figures = json.loads(done.stdout)
    assert (figures["subset"], figures["tiles"]) == ("val", 2)
    assert figures["road_iou"] > 0.99
    assert figures["white_is_nodata"] is False
    assert "road IoU" in done.stderr and f"clDice {figures['cldice']:.4f}" in done.stderr


def test_report_and_flags(pairs: Path, tmp_path: Path) -> None:
    flags = ("--gsd-m", "1", "--subset", "test", "--white-nodata", "--set", "evaluate.slack_px=2")
    report, figures = tmp_path / "report", tmp_path / "figures.json"
    done = evaluate(pairs, *flags, "--report", report, "--json", figures, "-q")
    assert done.exit_code == 0, done.output
    assert done.output == ""
    assert {p.name for p in report.iterdir()} == set(FILES)
    content = json.loads(figures.read_text(encoding="utf-8"))
    assert content == json.loads((report / "metrics.json").read_text(encoding="utf-8"))
    assert (content["subset"], content["tiles"], content["slack_px"]) == ("test", 1, 2.0)
    assert content["white_is_nodata"] is True and content["best"] is None
    again = evaluate(pairs, *flags, "--report", report)
    assert isinstance(again.exception, GeoroadsError) and "exists" in again.exception.message
    assert evaluate(pairs, *flags, "--report", report, "--overwrite").exit_code == 0


def test_an_unknown_pixel_size_is_asked_for(pairs: Path) -> None:
    done = evaluate(pairs)
    assert isinstance(done.exception, GeoroadsError)
    assert "--gsd-m" in done.exception.hint


@pytest.mark.parametrize("wrong", [("--gsd-m", "0"), ("--gsd-m", "wide")])
def test_usage(pairs: Path, wrong: tuple[str, str]) -> None:
    assert evaluate(pairs, *wrong).exit_code == 2


def test_parameters_are_listed_and_checked(pairs: Path) -> None:
    assert "evaluate.slack_px=3.0" in evaluate(pairs, "--set", "help").output
    done = evaluate(pairs, "--gsd-m", "0.5", "--set", "evaluate.slack_px=-1")
    assert isinstance(done.exception, GeoroadsError) and "slack_px" in done.exception.message
