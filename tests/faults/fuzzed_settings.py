"""Random ``--set`` values of every section, given to the commands that take them, and what must hold.

A value is obeyed or refused in two lines; no road at all is said. Run by test_settings_faults.py, and at
length by benchmarks/fuzz.py.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, fields, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine
from broken_twins import adding, constant, write_model
from command_line import typed
from drawn_pairs import SMALL_RECIPE, draw_pairs
from hypothesis import strategies as st

from georoads.cli.unexpected import DEBUG_HINT
from georoads.data.chip import ChipParams
from georoads.evaluation.evaluate import EvaluateParams
from georoads.inference.select import PredictParams
from georoads.model.config import ModelConfig
from georoads.network.params import VectorizeParams
from georoads.output.read import read_roads
from georoads.scene.scene import SceneParams
from georoads.scoring.params import ScoreParams
from georoads.training.recipe import TileParams, TrainParams
from georoads.workers.engine import EngineParams

SIDE = 128
TRANSFORM = Affine(0.5, 0, 500_000, 0, -0.5, 5_000_000)
PREDICTS = {"scene": SceneParams, "predict": PredictParams, "engine": EngineParams}
SECTIONS: dict[str, dict[str, type]] = {
    "vectorize": {"network": VectorizeParams},
    "predict": PREDICTS,
    "extract": PREDICTS | {"network": VectorizeParams},
    "score": {"score": ScoreParams},
    "info": {"scene": SceneParams},
    "evaluate": {"predict": PredictParams, "evaluate": EvaluateParams},
    "train": {"model": ModelConfig, "chip": ChipParams, "train": TrainParams, "tile": TileParams},
}
"""The commands that are fed, and the sections that each takes."""
NEVER = {"engine.address", "model.init", "model.encoder_weights", "train.cache"}
"""They would start a cluster, ask the network or write elsewhere."""

odd_numbers = st.sampled_from(
    [0, -0.0, -1, 1, 2, 254, 255, 1e-300, 1e-9, 1e9, 1e30, 1e299, -1e299, 2**31, 2**63, 10**400, -(10**400)]
)
numbers = odd_numbers | st.integers(-3, 400) | st.floats(-1, 400) | st.floats()
words = st.sampled_from(["null", "true", "false", "auto", "local", "native", "", "-", "Infinity", "-nan"])
plain = numbers.map(json.dumps) | words
lists = st.lists(numbers, max_size=5).map(json.dumps)
texts = plain | plain | lists | st.text(max_size=6) | st.sampled_from(['{"a": 1}', "[[]]"])


@dataclass(frozen=True)
class Settings:
    """A command and what is given to it by ``--set``."""

    command: str
    assignments: tuple[str, ...]


@st.composite
def drawn_settings(draw: st.DrawFn, *commands: str) -> Settings:
    """One to three parameters of a command with random values, some of them near their defaults."""
    command = draw(st.sampled_from(commands or [*SECTIONS]))
    known = {
        f"{section}.{field.name}": getattr(kind(), field.name)
        for section, kind in SECTIONS[command].items()
        for field in fields(kind)
        if f"{section}.{field.name}" not in NEVER and not is_dataclass(getattr(kind(), field.name))
    }
    names = draw(st.lists(st.sampled_from(sorted(known)), min_size=1, max_size=3, unique=True))
    values = [draw(_near(known[name]) if draw(st.booleans()) else texts) for name in names]
    return Settings(command, tuple(f"{name}={value}" for name, value in zip(names, values, strict=True)))


def _near(default: Any) -> st.SearchStrategy[str]:
    """Values of a parameter's type, most of them of its size."""
    if isinstance(default, bool):
        return st.sampled_from(["true", "false"])
    if isinstance(default, str):
        return st.sampled_from([default, "auto", "native", "fp32", "bf16", "torch", "openvino", "cpu"])
    if not isinstance(default, int | float):
        return lists | numbers.map(json.dumps)
    grown = st.floats(0, 5).map(lambda times: default * times) | st.floats(0, 1e5)
    return grown.map(lambda value: json.dumps(type(default)(value)))


def draw_inputs(folder: Path) -> None:
    """A scene with two roads that cross, their mask, a model, pairs and a recipe."""
    rng = np.random.default_rng(1)
    picture = rng.normal(100, 4, (3, SIDE, SIDE))
    picture[:, 60:70] = picture[:, :, 30:40] = 220
    road = np.where(picture[0] > 160, 255, 0)
    profile = {"driver": "GTiff", "width": SIDE, "height": SIDE, "dtype": "uint8", "crs": "EPSG:32632"}
    for name, bands in (("scene.tif", picture), ("mask.tif", road[np.newaxis])):
        with rasterio.open(folder / name, "w", count=len(bands), transform=TRANSFORM, **profile) as out:
            out.write(bands.astype(np.uint8))
    write_model(folder, adding(constant("w", [-0.8])), "model")
    draw_pairs(folder / "pairs", ["a", "b", "c", "d"])
    (folder / "small.toml").write_text(SMALL_RECIPE.format(path=folder / "pairs"), encoding="utf-8")
    assert typed("vectorize", folder / "mask.tif", "-o", folder / "roads.gpkg").code == 0


def check_settings(given: Settings, inputs: Path, outputs: Path) -> str:
    """Run a command with some settings, and clear the folder of its outputs.

    Returns:
        "read" where the settings were obeyed, else "refused".

    Raises:
        AssertionError: it ended in another way, or without a road and without a word.
    """
    arguments = ARGUMENTS[given.command](inputs, outputs)
    said = [part for text in given.assignments for part in ("--set", text)]
    try:
        ended = typed(given.command, *arguments, *said)
        if ended.code == 1:
            error, hint = ended.err.splitlines()[-2:]
            assert error.startswith("error: ") and hint.startswith("hint: "), ended.err
            assert DEBUG_HINT not in hint, ended.err  # nobody has foreseen it
            return "refused"
        assert ended.code == 0, ended
        layer = outputs / "out.gpkg"
        assert not layer.exists() or len(read_roads(layer).lines) or "note: " in ended.err, ended.err
        return "read"
    finally:
        for left in outputs.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()


ARGUMENTS: dict[str, Callable[[Path, Path], tuple[str | Path, ...]]] = {
    "vectorize": lambda i, o: (i / "mask.tif", "-o", o / "out.gpkg"),
    "predict": lambda i, o: (i / "scene.tif", "-o", o / "out.tif", "--model", i / "model.json"),
    "extract": lambda i, o: (i / "scene.tif", "-o", o / "out.gpkg", "--model", i / "model.json"),
    "score": lambda i, _: (i / "roads.gpkg", i / "roads.gpkg"),
    "info": lambda i, _: (i / "scene.tif", "--model", i / "model.json"),
    "evaluate": lambda i, _: (i / "pairs", "--gsd-m", "0.5", "--model", i / "model.json"),
    "train": lambda i, _: (i / "pairs", "--recipe", i / "small.toml", "--dry-run"),
}
