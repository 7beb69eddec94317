"""What a map lacks as tasks of MapRoulette, read as MapRoulette documents its line-by-line GeoJSON."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import geopandas
import numpy as np
import pytest
import shapely
from test_compare import TOWN, without
from test_diff_command import figures, save, typed

import georoads
from georoads.errors import GeoroadsError, LayerError
from georoads.output.maproulette import TaskParams
from georoads.output.places import place_ids

DEFAULT_TEXT = (
    "About 50 m of road seem to be missing here (confidence 0.70, from 0 to 1). Look at the imagery. If "
    "there is a road, draw it, join its ends to the roads of the map and give it its class. If there is "
    "none, mark this as not an issue."
)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    """A town with widths and confidence, and a map of it without b and e that lies 3 m to the east."""
    columns = {
        "road_id": np.arange(1, 8), "confidence": np.linspace(0.4, 1, 7),
        "width_m": [4.0, np.nan, *[5.25] * 5], "source": ["a.tif"] * 7,
    }  # fmt: skip
    return (
        save(tmp_path / "roads.gpkg", TOWN, columns=columns),
        save(tmp_path / "map.geojson", without(TOWN, "b", "e"), crs="EPSG:4326", shift=(3, -2)),
    )


def tasks_of(path: Path) -> list[dict[str, Any]]:
    """The tasks as MapRoulette's server finds them: lines that each begin with RS and are one JSON text."""
    text = path.read_text(encoding="utf-8")
    assert text.endswith("\n") or not text
    lines = text.split("\n")[:-1]
    assert all(line[0] == "\x1e" and line.count("\x1e") == 1 for line in lines)
    return [json.loads(line[1:]) for line in lines]


def name_of(task: dict[str, Any]) -> str:
    """The name that the server gives a task: it looks for these in the feature, then in its properties."""
    (feature,) = task["features"]
    for place in (feature, feature["properties"]):
        for key in ("id", "@id", "osmid", "osm_id", "name"):
            if place.get(key):
                return str(place[key])
    raise AssertionError("the server would draw a name by lot")


def test_each_new_stretch_is_a_task(files: tuple[Path, Path], tmp_path: Path) -> None:
    output = tmp_path / "new.maproulette.geojson"
    done = typed(*files, "-o", output, "--same")
    assert done.exit_code == 0, done.output
    assert "new.maproulette.geojson: 2 tasks" in done.stderr
    tasks = tasks_of(output)
    assert [task["type"] for task in tasks] == ["FeatureCollection"] * 2
    features = [feature for task in tasks for feature in task["features"]]
    assert len(features) == 2
    typed(*files, "-o", tmp_path / "changes.gpkg")
    new = geopandas.read_file(tmp_path / "changes.gpkg", layer="changes").query("kind == 'new'").to_crs(4326)
    for feature, row in zip(features, new.itertuples(), strict=True):
        assert feature["type"] == "Feature"
        line = shapely.geometry.shape(feature["geometry"])
        assert shapely.equals_exact(line, row.geometry, tolerance=1e-7)
        told = feature["properties"]
        assert (told["road_id"], told["length_m"]) == (row.road_id, row.length_m)
        assert told["confidence"] == pytest.approx(row.confidence)
        assert told["source"] == "a.tif"
    b, e = (feature["properties"] for feature in features)
    assert (b["name"], e["name"]) == ("b", "e")
    assert "width_m" not in b and e["width_m"] == 5.25  # what is not known is left out
    assert not {key for told in (b, e) for key in told if key.startswith("ref_") or key in ("kind", "p")}


def test_coordinates_have_seven_decimals(files: tuple[Path, Path], tmp_path: Path) -> None:
    output = tmp_path / "a.maproulette.geojson"
    typed(*files, "-o", output)
    written = re.findall(r"\d+\.(\d+)[,\]]", output.read_text(encoding="utf-8").split('"coordinates":')[1])
    assert written and max(map(len, written)) <= 7


def test_names_are_those_of_the_place(files: tuple[Path, Path], tmp_path: Path) -> None:
    """A challenge that is built anew from a newer difference must know the tasks that it has."""
    outputs = [tmp_path / f"{name}.maproulette.geojson" for name in ("first", "again", "later")]
    for output in outputs[:2]:
        typed(*files, "-o", output)
    assert outputs[0].read_bytes() == outputs[1].read_bytes()
    solved = save(tmp_path / "later.geojson", without(TOWN, "e"), crs="EPSG:4326", shift=(3, -2))
    typed(files[0], solved, "-o", outputs[2])
    first, later = (list(map(name_of, tasks_of(output))) for output in outputs[::2])
    assert len(set(first)) == 2
    assert later == first[1:]  # e
    assert re.fullmatch(r"[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", later[0])


def test_what_lies_on_the_same_place_has_names_of_its_own() -> None:
    lines = shapely.linestrings([[(9, 45), (9.1, 45)], [(9, 45), (9.1, 45)], [(9, 45), (9.2, 45)]])
    assert len(set(place_ids("task", lines))) == 3
    assert place_ids("task", lines)[1:] != place_ids("task", lines[1:])
    assert place_ids("task", lines[:0]) == []


@pytest.mark.parametrize(
    ("setting", "told"),
    [
        (None, DEFAULT_TEXT),
        ("Is it {width_m} m wide?\nSee **{length_m}**, {confidence}", "Is it 5.2 m wide?\nSee **50**, 0.70"),
        ("", None),
    ],
)
def test_the_instruction(
    files: tuple[Path, Path], tmp_path: Path, setting: str | None, told: str | None
) -> None:
    output = tmp_path / "a.maproulette.geojson"
    words = [] if setting is None else ["--set", f"task.instruction={json.dumps(setting)}"]
    said = figures(*files, "-o", output, *words)["parameters"]["tasks"]["instruction"]
    assert said == (TaskParams().instruction if setting is None else setting)
    assert "tasks" not in figures(*files, "-o", tmp_path / "a.gpkg", *words)["parameters"]
    e = tasks_of(output)[1]["features"][0]["properties"]
    assert e.get("instruction") == told


def test_what_is_not_known_is_said_so(tmp_path: Path) -> None:
    """Lines of another program have no confidence."""
    roads, reference = save(tmp_path / "o.gpkg", TOWN), save(tmp_path / "t.gpkg", without(TOWN, "e"))
    params = georoads.DiffParams(tasks=TaskParams("{confidence} of {width_m}"))
    georoads.diff(roads, reference, tmp_path / "a.maproulette.geojson", params=params)
    (task,) = tasks_of(tmp_path / "a.maproulette.geojson")
    assert task["features"][0]["properties"]["instruction"] == "unknown of unknown"


@pytest.mark.parametrize(
    ("instruction", "said"),
    [("{lenght_m}", "known: {length_m}"), ("a\x1eb", "printed"), ("x" * 5000, "long")],
)
def test_instructions_that_cannot_be_told_are_refused(instruction: str, said: str) -> None:
    with pytest.raises(ValueError, match="instruction") as e:
        TaskParams(instruction)
    assert said in str(e.value)


def test_where_nothing_is_new_there_is_no_task(tmp_path: Path) -> None:
    roads = save(tmp_path / "o.gpkg", TOWN)
    output = tmp_path / "a.maproulette.geojson"
    done = typed(roads, roads, "-o", output)
    assert "0 tasks" in done.stderr
    assert tasks_of(output) == []


def test_only_differences_are_tasks(tmp_path: Path) -> None:
    from georoads.output.write import WriteOptions, check_road_output

    with pytest.raises(LayerError, match=r"cannot be written as '\.maproulette\.geojson'"):
        check_road_output(tmp_path / "roads.maproulette.geojson", WriteOptions())


def test_a_file_that_is_there_stays_whole(
    files: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = tmp_path / "a.maproulette.geojson"
    output.write_text("old")
    assert "exists" in str(typed(*files, "-o", output).exception)
    monkeypatch.setattr("georoads.output.maproulette._RECORD_SEPARATOR", "\x1e\x1e")
    broken = typed(*files, "-o", output, "--overwrite").exception
    assert isinstance(broken, GeoroadsError) and "holds 0 of 2 tasks" in broken.message
    assert output.read_text() == "old"
    monkeypatch.undo()
    assert typed(*files, "-o", output, "--overwrite").exit_code == 0
    assert len(tasks_of(output)) == 2
    assert {path.name for path in tmp_path.glob("*a.maproulette*")} == {output.name}
