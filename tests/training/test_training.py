"""A whole training on drawn roads: it learns, and a resumed one equals an undisturbed one."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from drawn_pairs import draw_pairs
from safetensors.torch import load_file
from small_training import (
    one_thread,  # noqa: F401 (a fixture)
    same_weights,
    small_recipe,
    with_train,
)

from georoads.data.chip import Chip, ChipParams
from georoads.data.dataset import Sample
from georoads.data.picture_cache import read_picture
from georoads.errors import GeoroadsError
from georoads.training import chip_loader, loop
from georoads.training.chip_loader import ChipRequest
from georoads.training.loop import train
from georoads.training.loss import road_loss
from georoads.training.prepare import prepare
from georoads.training.recipe import (
    DataSource,
    Recipe,
    TileParams,
    compose_recipe,
    load_recipe,
    shipped_recipes,
)
from georoads.training.run_folder import Epoch, read_history
from georoads.training.schedule import lr_factor
from georoads.training.state import TrainingState, save_state

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def recipe(tmp_path_factory: pytest.TempPathFactory) -> Recipe:
    folder = tmp_path_factory.mktemp("data")
    draw_pairs(folder / "a", [f"a{i}" for i in range(8)])
    draw_pairs(folder / "b", [f"b{i}" for i in range(4)])
    a = DataSource(str(folder / "a"), 0.7, 0.9, gsd_m=0.5)
    b = DataSource(str(folder / "b"), 0.3, 0.1, gsd_m=0.6)
    return small_recipe(a, b, epochs=4)


@pytest.fixture(scope="module")
def undisturbed(recipe: Recipe, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "whole"
    train(recipe, folder)
    return folder


def test_it_learns_and_leaves_a_whole_run_folder(undisturbed: Path) -> None:
    history = read_history(undisturbed)
    assert [e.epoch for e in history] == [1, 2, 3, 4]
    assert history[-1].train_loss < 0.7 * history[0].train_loss
    assert max(e.val_iou for e in history) > 0.5
    names = {p.name for p in undisturbed.iterdir()}
    assert {"best.safetensors", "best.json", "iou_score_plot.png", "dice_loss_plot.png"} <= names


def test_a_resumed_training_equals_an_undisturbed_one(
    recipe: Recipe, undisturbed: Path, tmp_path: Path
) -> None:
    def stop(epoch: Epoch) -> None:
        if epoch.epoch == 2:
            raise KeyboardInterrupt

    folder = tmp_path / "cut"
    with pytest.raises(KeyboardInterrupt):
        train(recipe, folder, on_epoch=stop)
    train(recipe, folder, resume=True)
    assert same_weights(folder, undisturbed)
    whole, cut = (
        [dataclasses.replace(e, minutes=0.0, waited=0.0) for e in read_history(f)]
        for f in (undisturbed, folder)
    )
    assert cut == whole


@pytest.mark.parametrize("epoch", [1, 2])
def test_cut_off_between_the_history_and_the_state(
    recipe: Recipe, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, epoch: int
) -> None:
    def save(folder: Path, state: TrainingState) -> None:
        if state.position.epoch == epoch:
            raise KeyboardInterrupt
        save_state(folder, state)

    folder = tmp_path / "cut"
    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr(loop, "save_state", save)
        train(recipe, folder)
    assert len(read_history(folder)) == epoch
    train(recipe, folder, resume=True)
    assert [e.epoch for e in read_history(folder)] == [e.epoch for e in read_history(undisturbed)]
    assert same_weights(folder, undisturbed)


def test_a_changed_recipe_is_refused_on_resume(recipe: Recipe, undisturbed: Path) -> None:
    other = with_train(recipe, lr=1e-4)
    with pytest.raises(GeoroadsError, match=r"recipe\.train\.lr"):
        train(other, undisturbed, resume=True)
    with pytest.raises(GeoroadsError, match="already holds"):
        train(recipe, undisturbed)


def test_a_sample_is_a_function_of_its_number(recipe: Recipe) -> None:
    chips, request = prepare(recipe).chips, ChipRequest(17, 0.3)
    for a, b in zip(chips[request], chips[request], strict=True):
        assert torch.equal(a, b)
    assert not torch.equal(chips[request][0], chips[ChipRequest(18, 0.3)][0])


def test_shares_change_along_the_training(recipe: Recipe) -> None:
    # Pictures of the second data set are resampled, so their chips are not exact crops; count by shares.
    sources = [each.source for each in prepare(recipe).chips.sources]
    assert [[s.share_at(p) for s in sources] for p in (0.0, 1.0)] == [[0.7, 0.3], [0.9, 0.1]]


def test_loss_that_is_no_number_stops_after_three_steps(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loop, "road_loss", lambda *of: road_loss(*of) * float("nan"))
    with pytest.raises(GeoroadsError, match="3 times in a row"):
        train(recipe, tmp_path / "bad")


def test_loss_counts_valid_pixels_only() -> None:
    logits = torch.tensor([[[[8.0, -8.0], [8.0, 8.0]]]])
    road = torch.tensor([[[1.0, 0.0], [0.0, 0.0]]])
    valid = torch.tensor([[[1.0, 1.0], [0.0, 0.0]]])
    assert float(road_loss(logits, road, valid, 0.5)) < 0.01
    assert float(road_loss(logits, road, torch.ones_like(valid), 0.5)) > 1.0


def test_two_channels_count_background_and_road_together() -> None:
    road = torch.tensor([[[1.0, 0.0], [0.0, 0.0]]])
    out = torch.tensor([[[[-2.0, 1.0], [3.0, 0.5]], [[0.7, -1.0], [-4.0, 0.2]]]])
    p, t = torch.sigmoid(out), torch.stack([1 - road, road], dim=1)
    by_hand = 1 - (2 * (p * t).sum() + 1) / (p.sum() + t.sum() + 1)
    assert float(road_loss(out, road, torch.ones_like(road), 1.0)) == pytest.approx(float(by_hand), rel=1e-6)


def test_the_seed_recipe_trains_two_channels_on_whole_tiles(recipe: Recipe, tmp_path: Path) -> None:
    seed = load_recipe("seed")
    small = dataclasses.replace(
        seed,
        model=dataclasses.replace(recipe.model, classes=2),
        encoder_weights="none",
        chip=dataclasses.replace(seed.chip, size_px=96),
        train=with_train(seed, epochs=2, lr=3e-3, workers=0, batch=2, samples=2, precision="fp32").train,
        tile=TileParams(96, 32),
        data=(dataclasses.replace(recipe.data[0], split="random"),),
    )
    card = train(small, tmp_path / "seed")
    history = read_history(tmp_path / "seed")
    assert card.threshold == 0.5
    assert card.model.classes == 2
    assert card.seen.brightness, "what a model has learned from is known without a step of its own"
    best = max(history, key=lambda e: e.val_pooled_iou)
    assert card.metrics["val"]["epoch"] == best.epoch
    assert best.val_pooled_iou > best.val_iou  # background flatters the pooled figure
    drawn = sorted(p.name for p in (tmp_path / "seed" / "sample_predictions").iterdir())
    assert drawn == ["sample_pred_0.png"]  # one val picture of eight


def test_of_a_single_data_set_each_picture_comes_once_an_epoch(
    recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[str] = []

    def read_and_note(sample: Sample, *more: Any) -> Chip:
        read.append(sample.name)
        return read_picture(sample, *more)

    monkeypatch.setattr(chip_loader, "read_picture", read_and_note)
    chips = prepare(dataclasses.replace(recipe, data=recipe.data[:1])).chips
    names = [s.name for s in chips.sources[0].samples]
    count = len(names)
    for number in range(2 * count):
        chips[ChipRequest(number, 0.0)]
    assert sorted(read[:count]) == sorted(read[count:]) == sorted(names)
    assert read[:count] != read[count:]


def test_schedule_warms_up_and_falls() -> None:
    values = [lr_factor(p, 0.1, 0.01) for p in np.linspace(0, 1, 101)]
    assert max(values) == pytest.approx(1.0)
    assert int(np.argmax(values)) == 10
    assert values[-1] == pytest.approx(0.01)


def test_recipes_that_ship_can_be_read_and_changed() -> None:
    for name in shipped_recipes():
        assert load_recipe(name).name == name
    changed = load_recipe("lite2-mix", {"train": {"lr": 5e-4}, "model": {"encoder_weights": "none"}})
    assert changed.train.lr == 5e-4
    assert changed.encoder_weights == "none"
    with pytest.raises(GeoroadsError, match="learning_rate"):
        load_recipe("lite2-mix", {"train": {"learning_rate": 1.0}})
    with pytest.raises(GeoroadsError, match=r"train\.batch"):
        load_recipe("lite2-mix", {"train": {"batch": "many"}})


def test_a_recipe_is_composed_from_what_a_user_says(recipe: Recipe) -> None:
    composed = compose_recipe("own", recipe="finetune", split="random", minutes=10, lr=None)
    assert composed.train == dataclasses.replace(load_recipe("finetune").train, minutes=10.0)
    assert (composed.data[0].path, composed.data[0].split) == ("own", "random")
    assert (
        load_recipe("finetune").train.steps
        and compose_recipe(recipe="finetune", epochs=3).train.steps is None
    )
    kept = compose_recipe(recipe="finetune", overrides={"train": {"steps": 7}}, epochs=3)
    assert kept.train.steps == 7
    assert compose_recipe().name == "deepglobe" and compose_recipe(init="default").name == "finetune"
    assert compose_recipe(recipe=recipe, epochs=9) == with_train(recipe, epochs=9)


def test_a_training_starts_from_a_checkpoint(recipe: Recipe, undisturbed: Path, tmp_path: Path) -> None:
    tuned = with_train(
        dataclasses.replace(recipe, init=str(undisturbed / "best.json")), epochs=1, lr=1e-5, ema=0.0
    )
    card = train(tuned, tmp_path / "tuned")
    before = max(e.val_iou for e in read_history(undisturbed))
    assert card.metrics["val"]["road_iou"] == pytest.approx(before, abs=0.1)
    other = dataclasses.replace(tuned, model=dataclasses.replace(recipe.model, encoder="resnet18"))
    with pytest.raises(GeoroadsError, match=r"is not|missing"):
        train(other, tmp_path / "other")


def test_frozen_modules_stay_as_they_are(recipe: Recipe, undisturbed: Path, tmp_path: Path) -> None:
    start = undisturbed / "best.json"
    frozen = with_train(
        dataclasses.replace(recipe, init=str(start)), epochs=1, ema=0.0, frozen="encoder, decoder.blocks.0"
    )
    train(frozen, tmp_path / "run")
    before, after = load_file(start.with_suffix(".safetensors")), load_file(tmp_path / "run/last.safetensors")
    kept = {name for name in before if name.startswith(("encoder.", "decoder.blocks.0."))}
    assert {name for name in before if torch.equal(before[name], after[name])} == kept


@pytest.mark.parametrize(
    ("names", "message"),
    [("encoder.block", "no module 'encoder.block'"), ("encoder,decoder,segmentation_head", "nothing")],
)
def test_what_cannot_be_frozen_is_refused(recipe: Recipe, names: str, message: str) -> None:
    with pytest.raises(GeoroadsError, match=message):
        prepare(with_train(recipe, frozen=names))


def test_ground_beyond_a_picture_looks_like_its_border(recipe: Recipe) -> None:
    """As where a scene is predicted: a constant would draw an edge, which networks take for a road."""
    wide = dataclasses.replace(recipe, chip=ChipParams(256, 0.5, scale=1.0, road_centred=0.0))
    image, _, valid = prepare(with_train(wide, augmentation="none")).chips[ChipRequest(0, 0.0)]
    rows, cols = np.nonzero(valid.numpy())
    seen = np.s_[:, rows.min() : rows.max() + 1, cols.min() : cols.max() + 1]
    assert 0 < valid.mean() < 1
    assert image[seen].min() == image.min() and image[seen].max() == image.max()
    assert torch.equal(image[:, 0, cols.min()], image[:, rows.min(), cols.min()])


def test_the_run_folder_grows_with_each_epoch(recipe: Recipe, tmp_path: Path) -> None:
    seen: list[set[str]] = []
    folder = tmp_path / "run"
    watched = with_train(
        recipe, steps=2, validate_every=1, samples=1, samples_every=2, tensorboard=True, cldice=0.2
    )
    train(watched, folder, on_epoch=lambda epoch: seen.append({p.name for p in folder.iterdir()}))
    assert {"iou_score_plot.png", "environment.json", "tensorboard"} <= seen[0]
    assert "sample_predictions" not in seen[0]
    assert (folder / "sample_predictions" / "epoch_002" / "sample_pred_0.png").is_file()
    train(watched, folder, resume=True)
    starts = json.loads((folder / "environment.json").read_text())
    assert len(starts) == 2
    assert {"torch", "device", "precision", "threads"} <= starts[0].keys()
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    drawn = [(e.step, e.value) for e in events.Scalars("val/val_iou")]
    assert drawn == [(e.epoch, pytest.approx(e.val_iou, rel=1e-5)) for e in read_history(folder)]
