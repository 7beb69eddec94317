"""Commands in README.md and docs/*.md: all are known to the command line, and those on a scene do run."""

from __future__ import annotations

import shutil
from contextlib import suppress
from dataclasses import fields
from pathlib import Path

import click
import pytest
import rasterio
from click.testing import CliRunner
from documented import PAGES, ROOT, Command, commands, example_corner, mentions
from drawn_rasters import write_raster

from georoads.cli.main import cli
from georoads.data.chip import ChipParams
from georoads.difference.params import DiffParams
from georoads.evaluation.evaluate import EvaluateParams
from georoads.inference.mask_params import MaskParams
from georoads.inference.select import PredictParams
from georoads.model.config import ModelConfig
from georoads.network.params import VectorizeParams
from georoads.output.format_params import FormatParams
from georoads.output.maproulette import TaskParams
from georoads.scene.scene import SceneParams
from georoads.scoring.params import ScoreParams
from georoads.settings import parse_assignments
from georoads.training.recipe import TileParams, TrainParams
from georoads.workers.engine import EngineParams

SHOWN = [command for page in PAGES for command in commands(page)]
MENTIONED = [command for page in PAGES for command in mentions(page)]
ROOMS = {
    "chip": ChipParams, "diff": DiffParams, "engine": EngineParams, "evaluate": EvaluateParams,
    "mask": MaskParams, "model": ModelConfig, "network": VectorizeParams, "predict": PredictParams,
    "scene": SceneParams, "score": ScoreParams, "task": TaskParams, "tile": TileParams, "train": TrainParams,
    "write": FormatParams,
}  # fmt: skip

RUN = (
    "georoads info scene.tif",
    "georoads extract scene.tif -o roads.gpkg",
    "georoads predict scene.tif -o probability.tif",
    "georoads vectorize probability.tif -o roads.gpkg",
    "georoads vectorize probability.tif -o roads.gpkg --set help",
    "georoads vectorize probability.tif -o roads.osm",
    "georoads vectorize probability.tif -o roads.osm --overwrite --set for=osm",
    "georoads vectorize probability.tif -o roads.osm --overwrite --set for=routing",
    "georoads vectorize probability.tif -o roads.overture.parquet",
    "georoads vectorize probability.tif -o fewer-spurs.gpkg --set network.spur_m=20 --threshold 0.6",
    "georoads vectorize mask.tif -o roads.gpkg --overwrite --preview roads.png",
    "georoads vectorize mask.tif -o roads.gpkg --overwrite --set network.bridge_m=25 --set network.spur_m=15",
    "georoads score roads.gpkg reference.geojson",
    "georoads score roads.gpkg reference.geojson --json scores.json --explain errors.gpkg",
    "georoads view roads.gpkg -o map.html --scene scene.tif",
    "georoads diff roads.gpkg reference.geojson -o changes.gpkg --probability probability.tif",
    "georoads diff roads.gpkg reference.geojson -o changes.gpkg --probability probability.tif --overwrite",
    "georoads diff roads.gpkg reference.geojson -o new.maproulette.geojson",
    "georoads view changes.gpkg -o changes.html --scene scene.tif",
    "georoads tiles scene.tif --roads roads.gpkg --width 7 -o own",
    "georoads info own",
    "georoads models roads-lite3",
)
"""Need nothing but a scene, its truth and what earlier ones wrote; run in this order."""

SIZE_PX = 448
"""Side of the scene: one tile."""


def parsed(command: Command) -> click.Context:
    """The context that click makes of a command, without running it.

    Raises:
        click.UsageError: the command or an option does not exist, or a value is none of its type.
    """
    name, *arguments = command.words
    known = cli.commands.get(name)
    if known is None:
        raise click.UsageError(f"no command {name}")
    context = known.make_context(name, arguments)
    settings = [
        setting
        for setting in context.params.get("settings", ())
        if setting != "help" and not setting.startswith("for=")
    ]
    for room, values in parse_assignments(settings).items():
        names = {field.name for field in fields(ROOMS[room])} | {"init", "encoder_weights"}
        if strange := values.keys() - names:
            raise click.UsageError(f"no parameter {room}.{strange.pop()}")
    return context


@pytest.mark.parametrize("command", SHOWN, ids=lambda c: f"{c.page}: {c.text}")
def test_a_command_that_is_shown_exists_with_its_options(command: Command) -> None:
    parsed(command)


@pytest.mark.parametrize("command", MENTIONED, ids=lambda c: f"{c.page}: {c.text}")
def test_a_command_that_is_mentioned_exists_with_its_options(command: Command) -> None:
    with suppress(click.MissingParameter):  # running text names a command without its arguments
        parsed(command)


def test_a_drifted_command_is_found() -> None:
    extract = "extract a.tif -o b.gpkg"
    for words in ("extrakt a.tif -o b.gpkg", f"{extract} --smoth", f"{extract} --threshold high"):
        with pytest.raises(click.UsageError):
            parsed(Command("page", words, tuple(words.split())))
    with pytest.raises(click.UsageError, match=r"network\.spurs_m"):
        parsed(Command("page", "", ("vectorize", "a.tif", "-o", "b.gpkg", "--set", "network.spurs_m=1")))


def test_every_page_was_looked_at() -> None:
    assert {"README.md", "index.md", "faq.md", "walk.md"} <= {command.page for command in SHOWN}
    assert MENTIONED


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a corner of the example scene, its truth, and a mask of another tool."""
    folder = tmp_path_factory.mktemp("user")
    shutil.copy(ROOT / "examples" / "roads_truth.geojson", folder / "reference.geojson")
    with rasterio.open(example_corner(folder / "scene.tif", SIZE_PX)) as scene:
        mask = (scene.read([1]) > 140).astype("uint8") * 255
        write_raster(folder / "mask.tif", mask, scene.transform, scene.crs)
    return folder


@pytest.mark.slow
def test_the_commands_on_a_scene_run(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    shown = {command.text: command for command in SHOWN}
    written: set[str] = set()
    for text in RUN:
        words = list(shown[text].words)  # a command that no page shows any more has no place in RUN
        context = parsed(shown[text])
        output = str(context.params.get("output"))
        if output in written and "--overwrite" in [o for p in context.command.params for o in p.opts]:
            words.append("--overwrite")
        written.add(output)
        done = CliRunner().invoke(cli, words)
        assert done.exit_code == 0, f"{text}\n{done.output}\n{done.exception}"
    made = {"roads.gpkg", "probability.tif", "map.html", "errors.gpkg", "scores.json", "own", "roads.png"}
    made |= {"roads.osm", "changes.gpkg", "changes.html", "new.maproulette.geojson"}
    assert made <= {path.name for path in place.iterdir()}
