"""georoads score, as a user types it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import geopandas
import pyogrio
import pytest
from click.testing import CliRunner, Result
from drawn_layers import moved, random_town

from georoads.cli.main import cli
from georoads.errors import GeoroadsError
from georoads.output.read import RoadLines
from georoads.scoring.params import ScoreParams
from georoads.scoring.protocols import PROTOCOLS
from georoads.scoring.score import Score, score
from georoads.scoring.table import table


def save(layer: RoadLines, path: Path) -> Path:
    geopandas.GeoSeries(moved(layer, "EPSG:4326").lines, crs="EPSG:4326").to_file(path)
    return path


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    proposal, reference = random_town(71), random_town(70)
    return save(proposal, tmp_path / "roads.geojson"), save(reference, tmp_path / "truth.geojson")


def typed(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli, ["score", *map(str, arguments)])


def test_table_and_figures(files: tuple[Path, Path], tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    done = typed(*files, "--json", figures)
    assert done.exit_code == 0, done.output
    stated = json.loads(figures.read_text())
    assert {"apls", "topo_f1", "completeness", "correctness", "f1", "parameters"} <= stated.keys()
    for name, key in (("APLS", "apls"), ("TOPO F1", "topo_f1"), ("completeness", "completeness")):
        (line,) = (row for row in done.stdout.splitlines() if row.startswith(f"  {name} "))
        assert f" {stated[key]:.4f}  " in line
    assert "roads.geojson" in done.stdout and "truth.geojson" in done.stdout


def test_columns_are_aligned_and_fit_a_terminal() -> None:
    few = ScoreParams(apls_all_pairs=10, apls_sources=5, topo_seeds=5)
    result = score(random_town(71), random_town(70), few)
    rows = [line for line in table(result) if line.startswith("  ")]
    assert len({line.index(line.split("  ")[-1]) for line in rows}) == 1
    assert len({len(line[: line.index(line.split("  ")[-1])].rstrip()) for line in rows}) == 1
    assert max(map(len, rows)) <= 110
    text = "\n".join(rows)
    assert "from 5 of them, drawn" in text and f"drawn from {result.topo.possible_seeds}" in text


def test_figures_on_standard_output_are_json_alone(files: tuple[Path, Path]) -> None:
    done = typed(*files, "--json", "-")
    found = json.loads(done.stdout)
    assert found["tidiness"]["dangles_per_km"] > 0
    assert found["feel"] == found["tidiness"]  # its name in earlier releases
    assert "APLS" in done.stderr
    assert typed(*files, "-q").output == ""


def test_parameters(files: tuple[Path, Path]) -> None:
    def found(*flags: str) -> Any:
        return json.loads(typed(*files, "--json", "-", "-q", *flags).stdout)

    usual = found()
    assert usual["parameters"] == ScoreParams().__dict__
    wide = found("--buffer", "9")
    assert wide["parameters"]["buffer_m"] == 9.0
    assert wide["completeness"] > usual["completeness"] and wide["apls"] == usual["apls"]
    assert found("--set", "score.buffer_m=9") == wide
    other = found("--set", "score.apls_spacing_m=20", "--set", "score.topo_match_m=2")
    assert other["apls"] != usual["apls"] and other["topo_f1"] < usual["topo_f1"]
    listed = typed("--set", "help", *files)
    assert (listed.exit_code, "score.apls_snap_m=4.0" in listed.stdout) == (0, True)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("score.nothing=1", "no parameter 'nothing'"),
        ("score.apls_sources=2.5", "apls_sources"),
        ("score.apls_sources=0", "score.apls_sources must be 1 to 1,000,000, not 0"),
        ("score.topo_step_m=0", "score.topo_step_m must be 0.1 to 1,000,000, not 0"),
        ("score.bound_m=-1", "score.bound_m must be 0 to 1,000,000, not -1"),
        ("score.bend_deg=200", "score.bend_deg must be 0.01 to 180"),
        ("network.spur_m=1", "no section 'network'"),
    ],
)
def test_parameters_that_are_refused(files: tuple[Path, Path], setting: str, message: str) -> None:
    done = typed(*files, "--set", setting)
    assert isinstance(done.exception, GeoroadsError)
    assert message in done.exception.message


def test_explain(files: tuple[Path, Path], tmp_path: Path) -> None:
    errors = tmp_path / "errors.gpkg"
    done = typed(*files, "--explain", errors)
    assert done.exit_code == 0, done.output
    assert set(pyogrio.read_dataframe(errors, layer="errors")["kind"]) == {"right", "missing", "false"}
    assert f"{errors} shows where" in done.stderr
    again = typed(*files, "--explain", errors)
    assert isinstance(again.exception, GeoroadsError) and "exists" in again.exception.message
    assert typed(*files, "--explain", errors, "--overwrite").exit_code == 0
    own = typed(*files, "--explain", files[0], "--overwrite")
    assert isinstance(own.exception, GeoroadsError)


def test_the_numbers_of_the_docs_are_the_defaults() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "scoring.md").read_text(encoding="utf-8")
    for name, value in ScoreParams().__dict__.items():
        shown = "null" if value is None else f"{value:g}"
        assert f"| `{name}` | {shown} |" in text, name


def test_a_protocol_and_what_is_set_beside_it(files: tuple[Path, Path], tmp_path: Path) -> None:
    figures = tmp_path / "figures.json"
    done = typed(*files, "--protocol", "cityscale", "--set", "score.apls_margin_m=0", "--json", figures)
    assert done.exit_code == 0, done.output
    stated = json.loads(figures.read_text())
    assert stated["protocol"] == "cityscale" and "routes (APLS by cityscale)" in done.stdout
    assert (stated["parameters"]["apls_margin_m"], stated["parameters"]["apls_snap_m"]) == (0.0, 10.0)
    assert "score.tile" in done.stderr
    refused = typed(*files, "--protocol", "cityscale", "--set", "score.tile=[3,0,1,2]")
    assert refused.exit_code and "west, south, east, north" in str(refused.exception)


def test_the_docs_say_what_each_protocol_sets() -> None:
    text = (Path(__file__).resolve().parents[2] / "docs" / "scoring.md").read_text(encoding="utf-8")
    for name, values in PROTOCOLS.items():
        for parameter, value in values.items():
            (row,) = (
                line
                for line in text.splitlines()
                if line.startswith(f"| `{parameter}` |") and line.count("|") == 5
            )
            column = {"georoads": 2, "spacenet": 3, "cityscale": 4}[name]
            assert row.split("|")[column].strip() == f"{value:g}", parameter


def test_the_score_is_frozen() -> None:
    result = score(random_town(71), random_town(70))
    assert isinstance(result, Score)
    with pytest.raises(AttributeError):
        result.f1 = 1.0  # type: ignore[misc]
