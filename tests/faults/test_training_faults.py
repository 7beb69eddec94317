"""Data sets and trainings that go wrong. The numbers are those of docs/faults.md."""

from __future__ import annotations

import dataclasses
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from drawn_pairs import KAGGLE_HEAD, SMALL_RECIPE, draw_kaggle, draw_pairs, write_index
from small_training import (
    one_thread,  # noqa: F401 (a fixture)
    same_weights,
    with_train,
)

import georoads.training.loop as loop
from georoads.cli.main import cli
from georoads.data.dataset import open_dataset
from georoads.data.pictures import read_mask
from georoads.errors import GeoroadsError
from georoads.model.checkpoint import find_checkpoint
from georoads.training.chip_loader import ChipSampler
from georoads.training.loop import train
from georoads.training.loss import road_loss
from georoads.training.prepare import prepare
from georoads.training.recipe import Recipe, load_recipe
from georoads.training.run_folder import Epoch, read_history

pytestmark = pytest.mark.slow


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return draw_pairs(tmp_path / "d", [f"t{i:02d}" for i in range(12)])


@pytest.fixture
def toml(data: Path) -> Path:
    path = data.parent / "tiny.toml"
    path.write_text(SMALL_RECIPE.format(path=data))
    return path


@pytest.fixture
def recipe(toml: Path) -> Recipe:
    return load_recipe(str(toml))


def command(toml: Path, *more: str) -> Result:
    run = toml.parent / "run"
    return CliRunner().invoke(cli, ["train", "--recipe", str(toml), "-o", str(run), "-q", *more])


def refusal(done: Result) -> GeoroadsError:
    assert isinstance(done.exception, GeoroadsError)
    return done.exception


# 25: metadata.csv


@pytest.mark.parametrize(
    ("rows", "head", "said"),
    [
        (["a,train,train/a_sat.jpg"], "image_id,split,sat_image_path", "lacks the column 'mask_path'"),
        (["a,train,../secret_sat.jpg,train/a_mask.png"], KAGGLE_HEAD, "leaves the folder"),
        ([], KAGGLE_HEAD, "holds no labelled picture"),
    ],
)
def test_25_a_bad_index_is_refused(tmp_path: Path, rows: list[str], head: str, said: str) -> None:
    with pytest.raises(GeoroadsError, match=said):
        open_dataset(draw_kaggle(tmp_path / "k", rows, head, names=("a", "b")))


def test_25_odd_but_readable_rows_are_read(tmp_path: Path) -> None:
    root = draw_kaggle(tmp_path / "k", [], names=("a", "b"))
    text = (
        "\ufeffimage_id,split,sat_image_path,mask_path\r\n"
        '"a","train","train/a_sat.jpg","train/a_mask.png"\r\nb,train,/kaggle/input/train/b_sat.jpg,train\\b_mask.png\r\n'
    )
    (root / "metadata.csv").write_bytes(text.encode("utf-8"))
    assert open_dataset(root).names == ("a", "b")


# 26, 27, 28: pairs that cannot be used


def test_26_a_missing_mask_is_named_or_left_out(toml: Path, data: Path) -> None:
    (data / "masks" / "t03.png").unlink()
    (data / "images" / "t05.png").unlink()
    refused = refusal(command(toml))
    assert "2 pictures or masks without their counterpart: t03, t05" in refused.message
    assert "--skip-bad" in refused.hint
    done = command(toml, "--skip-bad")
    assert done.exit_code == 0
    assert "2 pictures left out: t03, t05" in done.stderr


def test_26_in_the_kaggle_layout(tmp_path: Path) -> None:
    rows = [f"{n},train,train/{n}_sat.jpg,train/{n}_mask.png" for n in "ab"]
    root = draw_kaggle(tmp_path / "k", rows, names=("a", "b"))
    (root / "train" / "b_mask.png").unlink()
    with pytest.raises(GeoroadsError, match=r"missing: train/b_mask\.png"):
        open_dataset(root)
    data = open_dataset(root, skip_bad=True)
    assert (data.names, data.skipped) == (("a",), ("b",))


def test_27_a_truncated_picture_is_found_by_info_and_at_its_first_use(toml: Path, data: Path) -> None:
    picture = data / "images" / "t04.png"
    picture.write_bytes(picture.read_bytes()[:60])
    found = refusal(CliRunner().invoke(cli, ["info", str(data)]))
    write_index(data)
    found = refusal(CliRunner().invoke(cli, ["info", str(data)]))
    assert f"{picture} cannot be decoded" in found.message
    for workers in ("0", "1"):
        used = refusal(command(toml, f"--set=train.workers={workers}", "--set=train.seed=3"))
        assert used.message == f"{picture} cannot be decoded as a picture"
        assert "--skip-bad" in used.hint
        (toml.parent / "run" / "recipe.json").unlink()
    done = command(toml, "--skip-bad")
    assert done.exit_code == 0
    assert "1 pictures left out: t04" in done.stderr


def test_28_sizes_that_differ_are_named(data: Path) -> None:
    cv2.imwrite(str(data / "masks" / "t02.png"), np.zeros((50, 96), np.uint8))
    found = refusal(CliRunner().invoke(cli, ["info", str(data)]))
    write_index(data)
    found = refusal(CliRunner().invoke(cli, ["info", str(data)]))
    assert "t02.png is 96 x 96 but its mask is 96 x 50" in found.message


def test_28_a_colour_that_is_no_class_is_named(data: Path) -> None:
    mask = np.zeros((96, 96, 3), np.uint8)
    mask[40:50] = 127, 128, 129  # a JPEG's tint is fine
    cv2.imwrite(str(data / "masks" / "t01.png"), mask)
    sample = open_dataset(data, 0.5).samples[1]
    assert read_mask(sample).sum() == 10 * 96  # its grey level is 128
    mask[60] = 20, 60, 200
    cv2.imwrite(str(data / "masks" / "t01.png"), mask)
    with pytest.raises(GeoroadsError, match=r"t01\.png: the colour \(200, 60, 20\)"):
        read_mask(sample)


# 29: too few pictures


def test_29_an_empty_set_is_refused_and_one_picture_is_no_result(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    (empty / "images").mkdir(parents=True)
    (empty / "masks").mkdir()
    toml = tmp_path / "one.toml"
    toml.write_text(SMALL_RECIPE.format(path=empty))
    refused = refusal(command(toml))
    assert "holds no labelled picture" in refused.message
    one = draw_pairs(tmp_path / "one", ["t0"])
    toml.write_text(SMALL_RECIPE.format(path=one))
    done = command(toml)
    assert done.exit_code == 0
    assert "its figures are no result" in done.stderr


# 30: no number


def test_30_a_loss_that_is_no_number_is_skipped_thrice_and_the_best_model_kept(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = with_train(recipe, steps=6, validate_every=3)
    calls = iter(range(1000))

    def bad_from_the_second_epoch_on(*args: torch.Tensor) -> torch.Tensor:
        value = road_loss(*args)  # type: ignore[arg-type]
        return value if next(calls) < 3 else value * float("nan")

    monkeypatch.setattr(loop, "road_loss", bad_from_the_second_epoch_on)
    with pytest.raises(GeoroadsError, match="3 times in a row"):
        train(recipe, tmp_path / "run")
    assert [e.epoch for e in read_history(tmp_path / "run")] == [1]
    assert find_checkpoint(str(tmp_path / "run" / "best.json")).card.metrics["val"]["epoch"] == 1
    monkeypatch.setattr(loop, "road_loss", road_loss)
    train(recipe, tmp_path / "run", resume=True)  # goes on from the end of epoch 1
    assert [e.epoch for e in read_history(tmp_path / "run")] == [1, 2]


def test_30_one_bad_step_leaves_no_trace_in_the_weights(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = with_train(recipe, steps=4, validate_every=2)
    calls = iter(range(1000))
    monkeypatch.setattr(
        loop, "road_loss", lambda *a: road_loss(*a) * (float("inf") if next(calls) == 1 else 1.0)
    )
    train(recipe, tmp_path / "run")
    history = read_history(tmp_path / "run")
    assert [e.step for e in history] == [2, 4]
    assert all(np.isfinite(e.train_loss) for e in history)


# 31: batch norm and a batch of one


def test_31_batches_are_always_full(recipe: Recipe) -> None:
    # 11 pictures in batches of 4: the fourth place of the third batch is the first of the next round.
    drawn = iter(ChipSampler(first=0, batch=4, stride=4, progress=lambda number: 0.0))
    assert [len(next(drawn)) for _ in range(30)] == [4] * 30


def test_31_a_batch_of_one_is_refused_where_it_cannot_be_normalised(recipe: Recipe) -> None:
    deeplab = dataclasses.replace(
        recipe, model=dataclasses.replace(recipe.model, architecture="DeepLabV3Plus")
    )
    with pytest.raises(GeoroadsError, match="batch norm needs two"):
        prepare(with_train(deeplab, batch=1))


def test_31_a_batch_of_one_trains_where_it_can(recipe: Recipe, tmp_path: Path) -> None:
    train(with_train(recipe, batch=1, steps=1), tmp_path / "run")
    assert len(read_history(tmp_path / "run")) == 1


# 32: what changed


def test_32_a_changed_split_is_refused_on_resume(recipe: Recipe, data: Path, tmp_path: Path) -> None:
    recipe = with_train(recipe, steps=1)
    train(recipe, tmp_path / "run")
    for folder in ("images", "masks"):
        (data / folder / "t00.png").unlink()
    with pytest.raises(GeoroadsError, match="another split_sha256"):
        train(recipe, tmp_path / "run", resume=True)
    with pytest.raises(GeoroadsError, match=r"another recipe\.train\.lr"):
        train(with_train(recipe, lr=0.5), tmp_path / "run", resume=True)


# 33: a worker dies


def test_33_a_worker_that_dies_is_said_within_30_seconds(recipe: Recipe, tmp_path: Path) -> None:
    def kill_one() -> None:
        while not multiprocessing.active_children():
            time.sleep(0.05)
        os.kill(multiprocessing.active_children()[0].pid or 0, signal.SIGKILL)

    threading.Thread(target=kill_one, daemon=True).start()
    start = time.monotonic()
    with pytest.raises(GeoroadsError, match="a process that cuts chips died"):
        train(with_train(recipe, workers=1, epochs=1000, validate_every=1000), tmp_path / "run")
    assert time.monotonic() - start < 30


# kill -9 in the middle of an epoch


def test_a_training_killed_in_mid_epoch_and_resumed_has_the_weights_of_an_undisturbed_one(
    recipe: Recipe, toml: Path, tmp_path: Path
) -> None:
    params = {"steps": 9, "validate_every": 3}
    longer = with_train(recipe, **params)
    train(longer, tmp_path / "whole")
    script = (
        "import os, signal, torch\nfrom pathlib import Path\n"
        "from georoads.training.loop import train\nfrom georoads.training.recipe import load_recipe\n"
        f"torch.set_num_threads(1)\n"
        f"recipe = load_recipe({str(toml)!r}, {{'train': {params!r}}})\n"
        f"def step(done, text):\n    if done == 5: os.kill(os.getpid(), signal.SIGKILL)\n"
        f"train(recipe, Path({str(tmp_path / 'cut')!r}), on_progress=step)\n"
    )
    killed = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True)
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    assert [e.epoch for e in read_history(tmp_path / "cut")] == [1]
    train(longer, tmp_path / "cut", resume=True)
    assert same_weights(tmp_path / "cut", tmp_path / "whole")


def test_patience_ends_a_training_that_no_longer_gains(recipe: Recipe, tmp_path: Path) -> None:
    still = with_train(recipe, epochs=50, validate_every=1, lr=1e-12, ema=0.0, patience=1)
    seen: list[Epoch] = []
    train(still, tmp_path / "run", on_epoch=seen.append)
    reached = [e.val_iou for e in seen]
    assert len(seen) == reached.index(max(reached)) + 2
    train(still, tmp_path / "run", resume=True, on_epoch=seen.append)
    assert len(seen) == len(reached)  # a run that has ended stays as it is
