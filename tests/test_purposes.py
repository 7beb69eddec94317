"""Purposes: several parameters set at once, all of them to be seen."""

from __future__ import annotations

import json
import re
from dataclasses import asdict
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pyogrio
import pytest
import shapely
from click.testing import CliRunner, Result
from documented import ROOT
from drawn_rasters import write_raster

import georoads
from georoads.cli.main import cli
from georoads.errors import GeoroadsError
from georoads.network.params import VectorizeParams
from georoads.output.format_params import FormatParams
from georoads.purposes.purpose import find_purpose, shipped_purposes

SECTIONS: dict[str, Any] = {"network": VectorizeParams(), "write": FormatParams()}

DRAWING = """
    ..................................................
    .################################################.
    .#.............................................#..
    ...............................................#..
    ...##########..................................#..
    ..................................................
"""
"""A bent road and an island of 50 m, less at its ends: a sign is a square of 5 m, # is road."""


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    drawn = np.array([[sign == "#" for sign in row] for row in DRAWING.split()], dtype=np.uint8)
    return write_raster(tmp_path / "mask.tif", np.kron(drawn, np.full((10, 10), 255, dtype=np.uint8))[None])


def typed(mask: Path, output: str, *settings: str) -> Result:
    command = ["vectorize", str(mask), "-o", str(mask.parent / output)]
    return CliRunner().invoke(cli, [*command, *(f"--set={setting}" for setting in settings)])


def vectorized(mask: Path, output: str, *settings: str) -> Path:
    done = typed(mask, output, *settings)
    assert done.exit_code == 0, done.output + repr(done.exception)
    return mask.parent / output


def parameters_of(path: Path) -> dict[str, object]:
    """Those of the provenance."""
    if path.suffix == ".osm":
        said = re.search("<!-- (.*?) -->", path.read_text("ascii"))
        assert said is not None
        return dict(json.loads(said[1])["parameters"])
    return dict(json.loads(pyogrio.read_info(path)["layer_metadata"]["DESCRIPTION"])["parameters"])


@pytest.mark.parametrize("name", shipped_purposes())
def test_a_purpose_sets_what_there_is(name: str) -> None:
    purpose = find_purpose(name)
    assert purpose.about
    assert purpose.values.keys() == SECTIONS.keys()
    for section, params in SECTIONS.items():
        changed = asdict(purpose.on(section, params))
        assert changed == asdict(params) | dict(purpose.values[section])


def test_the_page_shows_every_value() -> None:
    page = (ROOT / "docs" / "purposes.md").read_text(encoding="utf-8")
    rows = [
        [cell.strip("` ") for cell in line.split("|")[1:-1]]
        for line in page.splitlines()
        if line.startswith("| `")
    ]
    names = [name.removeprefix("for=") for name in re.findall(r"`(for=\w+)` \|", page)]
    shown = {
        (name, parameter): value
        for parameter, _, *values in rows
        for name, value in zip(names, values, strict=True)
        if value
    }
    usual = {f"{section}.{n}": v for section, p in SECTIONS.items() for n, v in asdict(p).items()}
    assert {row[0]: row[1] for row in rows} == {row[0]: str(usual[row[0]]) for row in rows}
    assert shown == {
        (purpose.name, f"{section}.{name}"): str(value)
        for purpose in shipped_purposes().values()
        for section, values in purpose.values.items()
        for name, value in values.items()
    }


def test_for_an_editor_there_are_fewer_points_and_no_crumbs(mask: Path) -> None:
    plain, calm = (
        georoads.read_roads(vectorized(mask, f"{n}.osm", *s)) for n, s in (("a", ()), ("b", ("for=osm",)))
    )
    assert len(plain.lines) > len(calm.lines) == 1
    assert shapely.count_coordinates(calm.lines) < shapely.count_coordinates(plain.lines[:1])
    metres = shapely.transform(calm.lines, lambda xy: xy * np.array([78_000, 111_000]))
    steps = np.hypot(*np.diff(shapely.get_coordinates(metres), axis=0).T)
    assert steps.min() >= 1
    root = ElementTree.parse(mask.parent / "b.osm").getroot()
    assert {way.attrib["id"] for way in root.iter("way")} == {"-1"}


def test_for_routes_ids_are_above_0_and_the_class_is_open(mask: Path) -> None:
    root = ElementTree.parse(vectorized(mask, "a.osm", "for=routing")).getroot()
    (way,) = root.iter("way")
    assert (way.attrib["id"], way.attrib["version"]) == ("1", "1")
    assert {"highway": "unclassified"}.items() <= {
        t.attrib["k"]: t.attrib["v"] for t in way.iter("tag")
    }.items()


def test_the_values_stand_in_the_provenance(mask: Path) -> None:
    found = parameters_of(vectorized(mask, "a.osm", "for=routing"))
    assert (found["join_p"], found["faint_p"], found["min_length_m"]) == (0.2, 0.05, 200.0)
    assert (found["write.osm_first_id"], found["write.osm_tags"]) == (1, "highway=unclassified")
    by_hand = [f"network.{k}={v}" for k, v in find_purpose("routing").values["network"].items()]
    assert parameters_of(vectorized(mask, "b.fgb", *by_hand)).items() <= found.items()


@pytest.mark.parametrize("order", [1, -1])
def test_what_is_set_besides_holds_wherever_it_stands(mask: Path, order: int) -> None:
    found = parameters_of(vectorized(mask, "a.osm", *("for=osm", "network.simplify_m=0.5")[::order]))
    assert (found["simplify_m"], found["min_length_m"]) == (0.5, 50.0)


def test_one_of_ones_own(mask: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(mask.parent)
    page = (ROOT / "docs" / "purposes.md").read_text(encoding="utf-8")
    (text,) = re.findall(r"^```toml\n(.*?)^```$", page, re.M | re.S)
    Path("tracks.toml").write_text(text, encoding="utf-8")
    found = parameters_of(vectorized(mask, "a.osm", "for=tracks.toml"))
    assert (found["spur_m"], found["low_share"]) == (30.0, 0.6)
    assert found["write.osm_tags"] == "highway=track,surface=unpaved"


def test_help_shows_what_a_purpose_sets_and_what_comes_of_it(mask: Path) -> None:
    plain, applied = (typed(mask, "a.osm", *settings, "help").stdout for settings in ((), ("for=osm",)))
    for text in (plain, applied):
        shown = text.partition("\nfor=osm\n")[2].partition("\nfor=")[0]
        assert re.findall(r"^    (\w+\.\w+=.*)$", shown, re.M) == [
            "network.simplify_m=1.0", "network.min_length_m=50.0", "write.osm_tags=highway=road",
            "write.osm_first_id=-1",
        ]  # fmt: skip
    assert "\nnetwork.simplify_m=0.25\n" in plain and "\nnetwork.simplify_m=1.0\n" in applied
    assert not (mask.parent / "a.osm").exists()


@pytest.mark.parametrize(
    ("text", "said", "hint"),
    [
        (None, "no purpose 'omg'", "known: osm, routing"),
        ("about = 3", "about is neither", "[network]"),
        ("network = 3", "network is neither", "[network]"),
        ("[network", "not TOML", "docs/purposes.md"),
        ("[network]\nspurs_m = 3", "no parameter 'spurs_m'", "spur_m"),
        ("[network]\nspur_m = 'x'", "network.spur_m", "a finite number"),
        ("[scene]\nnodata = 3", "sets scene", "known: network, write, mask"),
    ],
)
def test_what_is_refused(mask: Path, text: str | None, said: str, hint: str) -> None:
    name = "omg"
    if text is not None:
        name = str(mask.parent / "own.toml")
        Path(name).write_text(text)
    error = typed(mask, "a.osm", f"for={name}").exception
    assert isinstance(error, GeoroadsError)
    assert said in error.message and hint in error.hint
    assert not (mask.parent / "a.osm").exists()


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_bytes(b"\xff")
    for name in ("a.toml", "none.toml"):
        with pytest.raises(GeoroadsError, match="cannot be read"):
            find_purpose(tmp_path / name)


def test_other_commands_know_none_that_ships() -> None:
    done = CliRunner().invoke(cli, ["predict", "a.tif", "-o", "p.tif", "--set", "for=osm"])
    assert "sets network, which is no section here" in str(done.exception)
    told = CliRunner().invoke(cli, ["predict", "a.tif", "-o", "p.tif", "--set", "help"]).stdout
    assert "for=" not in told
