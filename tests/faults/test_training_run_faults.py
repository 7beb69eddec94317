"""Trainings that are stopped, or cannot begin or go on. The numbers are those of docs/faults.md."""

from __future__ import annotations

import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
from command_line import contents, refused, typed, unchanged
from drawn_pairs import SMALL_RECIPE, draw_pairs
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from small_training import (
    one_thread,  # noqa: F401 (a fixture)
    same_weights,
    with_train,
)

import georoads.training.loop as loop
from georoads.errors import GeoroadsError
from georoads.files.lock import only_run
from georoads.model.checkpoint import save_checkpoint
from georoads.training.loop import train
from georoads.training.prepare import prepare
from georoads.training.recipe import Recipe, load_recipe
from georoads.training.run_folder import read_history
from georoads.training.state import STATE, TrainingState, save_state, saved_step

POSIX = pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
SIX_STEPS = ("--set=train.steps=6", "--set=train.validate_every=3")


@pytest.fixture(autouse=True)
def pythons_own_handlers() -> Iterator[None]:
    """Signals mean what they mean to Python, whatever a command of an earlier test has set."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="module")
def toml(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    path = folder / "tiny.toml"
    path.write_text(SMALL_RECIPE.format(path=draw_pairs(folder / "d", [f"t{i:02d}" for i in range(12)])))
    return path


@pytest.fixture(scope="module")
def recipe(toml: Path) -> Recipe:
    return with_train(load_recipe(str(toml)), steps=6, validate_every=3)


@pytest.fixture(scope="module")
def whole(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run folder of an undisturbed training of two epochs of three steps."""
    folder = tmp_path_factory.mktemp("runs") / "whole"
    train(recipe, folder)
    return folder


# 85: what is found before the first step


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("train = 5", "train is 5"),
        ("model = [1]", "model is [1]"),
        ("data = 5", "data is 5"),
        ("[data]\npath = 'd'", "data is {'path': 'd'}"),
        ("data = []", "data is []"),
        ("[[train]]\nsteps = 1", "train is [{'steps': 1}]"),
        ("x = " + "[" * 5000, "is not TOML"),
        ("[model]\ninit = 5", "no model '5'"),
        ("[tile]\ntile_px = 100", "tile_px must be a multiple of 32"),
        ("[tile]\noverlap_px = 4000", "tile.overlap_px must be"),
        ("[chip]\nsize_px = -1", "chip.size_px must be 8 to 8,192"),
        ("[train]\nema = 5.0", "train.ema must be"),
        ("[train]\nminutes = 0.0", "train.minutes must be"),
        ("[train]\nclip = nan", "clip"),
        ("[[data]]\nshare = -1.0", "share and share_end must be 0 or more"),
    ],
)
def test_85_a_recipe_that_cannot_be_meant_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "r.toml").write_text(text)
    refused("train", "--recipe", tmp_path / "r.toml", "--dry-run", says=said)


def test_85_a_recipe_that_is_no_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_bytes(b"\xff\xfe[train]")
    refused("train", "--recipe", tmp_path / "r.toml", says="cannot be read", hint="UTF-8")


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("model.encoder=resnet5", "with encoder 'resnet5' cannot be built"),
        ("model.architecture=Unett", "unknown architecture 'Unett'"),
        ("model.encoder_weights=nowhere.safetensors", "encoder weights nowhere.safetensors do not exist"),
    ],
)
def test_85_what_would_fail_later_is_found_by_a_dry_run_and_before_the_first_step(
    toml: Path, tmp_path: Path, setting: str, said: str
) -> None:
    refused("train", "--recipe", toml, "--dry-run", "--set", setting, says=said)
    refused("train", "--recipe", toml, "-o", tmp_path / "run", "--set", setting, says=said)
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
@pytest.mark.parametrize("architecture", ["FPN", "Linknet", "DeepLabV3Plus"])
def test_85_chips_that_the_network_cannot_take_are_refused_and_the_hint_works(
    toml: Path, architecture: str
) -> None:
    network = ("--set", f"model.architecture={architecture}", "--set", "model.options={}")
    said = f"chip.size_px=100 does not fit {architecture}"
    command = ("train", "--recipe", toml, "--dry-run", *network)
    ended = refused(*command, "--set", "chip.size_px=100", says=said)
    way_out = ended.err.splitlines()[-1].removeprefix("hint: ").split()
    assert typed(*command, *way_out).code == 0


def test_85_a_check_of_the_network_draws_no_weights(recipe: Recipe) -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    prepare(recipe)
    assert torch.equal(torch.rand(3), expected)


@pytest.mark.slow
def test_85_a_missing_tensorboard_is_found_first_and_the_run_goes_on_without(
    recipe: Recipe, whole: Path, toml: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"
    with_it = ("--set", "train.tensorboard=true")

    def stop(done: float, note: str = "") -> None:
        if done == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(with_train(recipe, tensorboard=True), run, on_progress=stop)

    def find_all_but_one(name: str) -> object:
        return None if name == "tensorboard" else find_spec(name)

    monkeypatch.setattr("georoads.extras.find_spec", find_all_but_one)
    said, hint = "train.tensorboard needs tensorboard", "--set train.tensorboard=false"
    refused("train", "--recipe", toml, "--dry-run", *with_it, says=said, hint=hint)
    refused("train", "--recipe", toml, "-o", run, *SIX_STEPS, *with_it, "--resume", says=said, hint=hint)
    done = typed("train", "--recipe", toml, "-o", run, *SIX_STEPS, "--resume", "-q")
    assert done.code == 0, done.err
    assert same_weights(run, whole)
    assert json.loads((run / "recipe.json").read_text())["recipe"]["train"]["tensorboard"] is False


def test_85_shares_that_add_up_to_nothing_are_refused(recipe: Recipe, toml: Path) -> None:
    text = toml.read_text().replace("gsd_m = 0.5", "gsd_m = 0.5\nshare_end = 0.0")
    toml.with_name("none.toml").write_text(text)
    refused("train", "--recipe", toml.with_name("none.toml"), "--dry-run", says="shares", hint="a share")


# 86: stopping


def stopped_at(step: int, number: signal.Signals, recipe: Recipe, folder: Path) -> None:
    """Train until a signal after a step ends it."""

    def send(done: float, note: str = "") -> None:
        if done == step:
            os.kill(os.getpid(), number)

    train(recipe, folder, on_progress=send)


@POSIX
@pytest.mark.slow
@pytest.mark.parametrize("step", [1, 3, 4, 6])
def test_86_an_interrupted_training_is_saved_after_its_step_and_goes_on_there(
    recipe: Recipe, whole: Path, tmp_path: Path, step: int
) -> None:
    folder = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        stopped_at(step, signal.SIGINT, recipe, folder)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    assert saved_step(folder) == step
    steps: list[float] = []

    def count(done: float, note: str = "") -> None:
        steps.append(done)

    train(recipe, folder, resume=True, on_progress=count)
    assert steps == list(range(step + 1, 7))
    assert same_weights(folder, whole)
    lines = [
        [{k: v for k, v in row.items() if k not in ("minutes", "waited")} for row in csv.DictReader(f)]
        for f in ((run / "history.csv").read_text().splitlines() for run in (folder, whole))
    ]
    assert lines[0] == lines[1]


@pytest.mark.slow
@POSIX
def test_86_a_stop_in_the_first_validation_finds_the_state_saved(
    recipe: Recipe, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "run"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(loop, "_validate", lambda *of: os.kill(os.getpid(), signal.SIGINT))
        train(recipe, folder)
    assert (saved_step(folder), read_history(folder)) == (3, [])
    train(recipe, folder, resume=True)
    assert same_weights(folder, whole)


COMMAND = """
import os, signal, sys
import torch
from contextlib import contextmanager
from georoads.cli import programs
from georoads.cli.main import main

@contextmanager
def kill_the_group(*what, **how):
    def step(done, text):
        if done == {step}:
            os.killpg(0, signal.{name})
    yield step

torch.set_num_threads(1)
programs.progress = kill_the_group
sys.argv = ["georoads", "train", *sys.argv[1:]]
main()
"""


@POSIX
@pytest.mark.slow
@pytest.mark.parametrize(("name", "code"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_86_a_signal_to_the_whole_group_ends_in_one_line(
    toml: Path, whole: Path, tmp_path: Path, name: str, code: int
) -> None:
    run = tmp_path / "run"
    arguments = ["--recipe", str(toml), "-o", str(run), "-q", *SIX_STEPS]
    script = COMMAND.format(step=2, name=name)
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments, "--set=train.workers=2"],
        start_new_session=True, capture_output=True, text=True, timeout=100, check=False,
    )  # fmt: skip
    assert done.returncode == code, done.stderr
    assert done.stderr.splitlines() == ["stopped; --resume goes on from step 2"]
    assert typed("train", *arguments, "--resume").code == 0  # without workers: no weight depends on them
    assert same_weights(run, whole)


def test_86_a_stop_before_anything_is_saved_says_so(
    toml: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*of: Any, **how: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(loop, "build_networks", stop)
    ended = typed("train", "--recipe", toml, "-o", tmp_path / "run", "-q")
    assert ended.code == 130
    assert ended.err.splitlines() == ["stopped; nothing was saved yet"]
    assert not (tmp_path / "run").exists()


@POSIX
def test_86_a_second_signal_is_not_postponed(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def twice(*of: Any) -> None:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        raise AssertionError("the second signal was kept")

    monkeypatch.setattr(loop, "road_loss", twice)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path / "run")


def test_86_two_trainings_do_not_share_a_run_folder(recipe: Recipe, whole: Path, tmp_path: Path) -> None:
    run = shutil.copytree(whole, tmp_path / "run")
    with only_run(run / ".lock", "the run"), pytest.raises(GeoroadsError, match="is being worked on by"):
        train(recipe, run, resume=True)


# 87: damaged run folders


Change = Callable[[Path], object]


def changed_state(tensors: Callable[[dict[str, torch.Tensor]], object] = len, **position: object) -> Change:
    """A change of the tensors of the state, or of its position."""

    def change(run: Path) -> None:
        path = run / STATE
        found = load_file(path)
        with safe_open(path, "pt") as f:
            metadata = f.metadata()
        tensors(found)
        metadata["position"] = json.dumps(json.loads(metadata["position"]) | position)
        save_file(found, path, metadata=metadata)

    return change


def first(tensors: dict[str, torch.Tensor], start: str) -> str:
    return next(k for k in sorted(tensors) if k.startswith(start))


def lines(change: Callable[[list[str]], list[str]]) -> Change:
    """A change of the lines of the history."""

    def write(run: Path) -> None:
        path = run / "history.csv"
        path.write_text("\n".join(change(path.read_text().splitlines())) + "\n")

    return write


def text(name: str, content: str) -> Change:
    return lambda run: (run / name).write_text(content)


def gone(name: str) -> Change:
    return lambda run: (run / name).unlink()


def without_metadata(run: Path) -> None:
    save_file(load_file(run / STATE), run / STATE, {"x": "y"})


def not_numbers(tensors: dict[str, torch.Tensor]) -> None:
    tensors.update({k: v * float("nan") for k, v in tensors.items() if v.ndim > 1})


BEST = "the best model of the run is damaged"
DAMAGES: dict[str, tuple[Change, str]] = {
    "a weight is missing": (changed_state(lambda t: t.pop(first(t, "network."))), "lacks 'network."),
    "a weight of another shape": (
        changed_state(lambda t: t.update({first(t, "average."): torch.zeros(3, 3, 3)})),
        "is (3, 3, 3), not",
    ),
    "weights that are no numbers": (changed_state(not_numbers), "no numbers"),
    "moments of another shape": (
        changed_state(lambda t: t.update({first(t, "optimizer.0."): torch.zeros(7)})),
        "optimizer.0 is not of",
    ),
    "moments of no weight": (
        changed_state(lambda t: t.update({"optimizer.99999.exp_avg": torch.zeros(3)})),
        "optimizer.99999",
    ),
    "moments of no number": (
        changed_state(lambda t: t.update({"optimizer.abc.exp_avg": torch.zeros(3)})),
        "'abc'",
    ),
    "step 10¹⁸": (changed_state(step=10**18), "it is at step 1000000000000000000"),
    "step -5": (changed_state(step=-5), "it is at step -5"),
    "step abc": (changed_state(step="abc"), "it is at step 'abc'"),
    "epoch 9": (changed_state(epoch=9), "history.csv holds 2 of its 9 epochs"),
    "another best": (changed_state(best_iou=0.0), "its best IoU is 0.0"),
    "endless seconds": (changed_state(seconds=float("inf")), "for inf seconds"),
    "no position": (without_metadata, "lacks 'position'"),
    "half a state": (lambda run: os.truncate(run / STATE, 5000), "cannot be gone on from"),
    "no state": (gone(STATE), "is missing"),
    "other columns": (text("history.csv", "a,b\n1,2\n"), "line 2 is not that of epoch 1"),
    "a damaged line": (lines(lambda rows: [*rows[:-1], "x" + rows[-1]]), "line 3 is not that of epoch 2"),
    "a line cut off": (lines(lambda rows: [*rows[:-1], rows[-1][:-40]]), "line 3 is not that of epoch 2"),
    "a line too few": (lines(lambda rows: [rows[0], rows[2]]), "line 2 is not that of epoch 1"),
    "an empty history": (text("history.csv", ""), "history.csv holds 0 of its 2"),
    "no history": (gone("history.csv"), "history.csv holds 0 of its 2"),
    "half a recipe": (text("recipe.json", "{"), "recipe.json is damaged"),
    "a recipe that is a list": (text("recipe.json", "[1]"), "recipe.json is damaged"),
    "a recipe of nothing": (text("recipe.json", "{}"), "started with another recipe"),
    "no recipe": (gone("recipe.json"), "but not its recipe.json"),
    "half an environment": (text("environment.json", "{"), "environment.json is damaged"),
    "another environment": (text("environment.json", '{"a": 1}'), "environment.json is damaged"),
    "an empty card": (text("best.json", "{}"), BEST),
    "no best weights": (gone("best.safetensors"), BEST),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", DAMAGES)
def test_87_a_damaged_run_folder_is_refused_and_stays_as_it_is(
    toml: Path, whole: Path, tmp_path: Path, name: str
) -> None:
    run = shutil.copytree(whole, tmp_path / "run")
    damage, said = DAMAGES[name]
    damage(run)
    with unchanged(run):
        refused("train", "--recipe", toml, "-o", run, *SIX_STEPS, "--resume", "-q", says=said)


@pytest.mark.slow
def test_87_the_way_out_goes_on_from_the_last_model(toml: Path, whole: Path, tmp_path: Path) -> None:
    run = shutil.copytree(whole, tmp_path / "run")
    (run / STATE).unlink()
    ended = refused("train", "--recipe", toml, "-o", run, *SIX_STEPS, "--resume", "-q", says="is missing")
    way_out = next(part for part in ended.err.split("; ") if part.startswith("--init ")).split()[:2]
    done = typed("train", "--recipe", toml, "-o", tmp_path / "new", *SIX_STEPS, *way_out, "-q")
    assert done.code == 0, done.err


def test_87_a_model_without_its_run_is_not_replaced(toml: Path, whole: Path, tmp_path: Path) -> None:
    run = tmp_path / "models"
    run.mkdir()
    for name in ("best.json", "best.safetensors"):
        shutil.copy(whole / name, run / name)
    before = contents(run)
    for more in ((), ("--resume",)):
        refused("train", "--recipe", toml, "-o", run, *SIX_STEPS, *more, says="best.json of a training")
    assert contents(run) == before


@pytest.mark.slow
def test_87_a_kill_between_the_two_files_of_the_best_model_loses_nothing(
    recipe: Recipe, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"

    def cut_off(folder: Path, name: str, *more: Any) -> object:
        card = (folder / "best.json").read_text() if (folder / "best.json").exists() else None
        saved = save_checkpoint(folder, name, *more)
        if name == "best" and card is not None:  # the weights are new, the card is old
            (folder / "best.json").write_text(card)
            raise KeyboardInterrupt
        return saved

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("georoads.training.loop.save_checkpoint", cut_off)
        train(recipe, run)
    train(recipe, run, resume=True)
    assert same_weights(run, whole)
    assert (run / "best.json").read_text() == (whole / "best.json").read_text()


@pytest.mark.slow
def test_87_a_full_disk_leaves_the_old_state(
    recipe: Recipe, whole: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tmp_path / "run"

    def full(folder: Path, state: TrainingState) -> None:
        if state.position.epoch == 1:
            raise OSError(28, "No space left on device")
        save_state(folder, state)

    with monkeypatch.context() as patch, pytest.raises(GeoroadsError, match="cannot be written to: No space"):
        patch.setattr("georoads.training.loop.save_state", full)
        train(recipe, run)
    train(recipe, run, resume=True)
    assert same_weights(run, whole)


def test_87_an_output_that_is_a_file_is_refused(toml: Path, tmp_path: Path) -> None:
    (tmp_path / "run").write_text("mine")
    refused("train", "--recipe", toml, "-o", tmp_path / "run", says="cannot be made", hint="--output")
    assert (tmp_path / "run").read_text() == "mine"
