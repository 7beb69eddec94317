"""What a teacher sees stands beside the masks: where it lies, how it mixes, and what is refused."""

from __future__ import annotations

import dataclasses
import json
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from drawn_pairs import draw_pairs
from numpy.typing import NDArray
from small_training import same_weights, small_recipe

from georoads.data.chip import Chip
from georoads.data.dataset import Sample
from georoads.errors import GeoroadsError
from georoads.training.chip_loader import ChipDataset, ChipRequest, ChipSource
from georoads.training.epoch_meter import EpochMeter
from georoads.training.hard_places import HardPlaces
from georoads.training.loop import train
from georoads.training.prepare import prepare
from georoads.training.recipe import DataSource
from georoads.training.run_folder import Epoch
from georoads.training.teacher import ABOUT, TaughtPictures, Teacher, begin_teacher, read_teacher

MASTER = Teacher("master", "ab", "cite; share alike")
# # mask and teacher agree on road, m the mask alone, t the teacher alone.
DRAWN = """
    ................
    ####mmmm####....
    .........t......
    .........t......
    .........tttttt.
    ................
"""


def signs(wanted: str) -> NDArray[np.bool_]:
    """(96, 256) bool: where one of the signs is drawn."""
    rows = [[sign in wanted for sign in line.strip()] for line in DRAWN.split()]
    return np.kron(np.array(rows), np.ones((16, 16))).astype(bool)


def levels(road: NDArray[np.bool_]) -> NDArray[np.uint8]:
    return np.where(road, 254, 0).astype(np.uint8)


def chips(
    taught: TaughtPictures | None, augmentation: str = "none", share: float = 0.5, strip: float = 1.0
) -> ChipDataset:
    source = ChipSource(DataSource("a"), (Sample("one", Path("a.png"), Path("m.png"), 0.5),))
    params = dataclasses.replace(small_recipe(DataSource("a")).chip, size_px=64, scale=1.3)
    return ChipDataset(
        (source,), params, augmentation, (0.5,) * 3, (0.5,) * 3, seed=1, teacher=taught, teacher_share=share,
        strip_weight=strip,
    )  # fmt: skip


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """The picture of the sample, light where the mask is road."""
    road = signs("#m")
    image = np.repeat(np.where(road, 200, 50).astype(np.uint8)[..., None], 3, axis=2)
    picture = Chip(image, road, np.ones(road.shape, bool))
    monkeypatch.setattr("georoads.training.chip_loader.read_picture", lambda *_: picture)


@pytest.mark.parametrize("augmentation", ["none", "flips", "full", "turned"])
def test_the_teacher_turns_and_stretches_with_the_mask(
    drawn: None, augmentation: str, tmp_path: Path
) -> None:
    taught = begin_teacher(tmp_path / "t", MASTER)
    taught.write("a", "one", levels(~signs("#m")))
    alone, other = chips(None, augmentation), chips(taught, augmentation, share=1.0)
    for number in range(20):
        image, mask, weight = alone[ChipRequest(number, 0.0)]
        same, opposite, _ = other[ChipRequest(number, 0.0)]
        assert torch.equal(image, same)
        # Masks are rounded and p is not, so that they differ along the edges, and nowhere else.
        off = (opposite - (1.0 - mask)).abs() * weight
        assert float((off > 0.01).float().mean()) < 0.15 and float(off.max()) < 0.6


def test_the_truth_is_the_mean_by_the_share(drawn: None, tmp_path: Path) -> None:
    taught = begin_teacher(tmp_path / "t", MASTER)
    taught.write("a", "one", levels(signs("#t")))
    alone, both = chips(None), chips(taught, share=0.25)
    seen = set()
    for number in range(40):
        mask, mixed = alone[ChipRequest(number, 0.0)][1], both[ChipRequest(number, 0.0)][1]
        assert all(float(value) >= 0.7499 for value in mixed[mask == 1])
        assert all(float(value) <= 0.2501 for value in mixed[mask == 0])
        seen |= {round(float(value), 2) for value in mixed.unique()}
    assert {0.0, 0.25, 0.75, 1.0} <= seen
    unseen = chips(dataclasses.replace(taught, folder=tmp_path / "other"))
    assert set(unseen[ChipRequest(0, 0.0)][1].unique().tolist()) <= {0.0, 1.0}


def test_between_two_roads_and_at_hard_places_the_mask_alone_counts(drawn: None, tmp_path: Path) -> None:
    taught = begin_teacher(tmp_path / "t", MASTER)
    taught.write("a", "one", np.full((96, 256), 254, np.uint8))
    within = np.asarray(chips(taught, strip=3.0)[ChipRequest(3, 0.0)][1])
    weight = np.asarray(chips(taught, strip=3.0)[ChipRequest(3, 0.0)][2])
    assert (within[weight == 3] == 0).all() and (within[weight == 1] >= 0.5).all()
    hard = chips(taught)
    source = dataclasses.replace(hard.sources[0], hard=HardPlaces(((0, 24.0, 100.0),), (1.0,)))
    hard = dataclasses.replace(hard, sources=(source,), hard_share=1.0)
    assert set(hard[ChipRequest(0, 0.0)][1].unique().tolist()) == {0.0, 1.0}


def test_no_two_pictures_share_a_file_and_none_lies_elsewhere(tmp_path: Path) -> None:
    taught = begin_teacher(tmp_path / "t", MASTER)
    data = ("../a", "/a", "a", "x/y", "x_y", "d.1", "d 1", "ö" * 300)
    samples = ("b", "b/c", "b_c", "../b", "/b", "..")
    paths = [taught.path(d, s) for d in data for s in samples]
    assert all(one != other for one, other in combinations(paths, 2))
    assert all(path.resolve().parent.parent == (tmp_path / "t").resolve() for path in paths)
    taught.write(data[-1], samples[3], np.arange(12, dtype=np.uint8).reshape(3, 4))
    assert taught.levels(data[-1], samples[3], (3, 4)) is not None
    assert taught.path("./a/", "b") == taught.path("a", "b")
    assert taught.levels("a", "b", (3, 4)) is None


def test_what_is_no_teacher_is_refused(tmp_path: Path) -> None:
    for content in ("", "[]", '{"name": "m"}'):
        (tmp_path / ABOUT).write_text(content)
        with pytest.raises(GeoroadsError, match=r"train\.teacher: .* holds no teacher"):
            read_teacher(tmp_path)
    taught = begin_teacher(tmp_path / "t", MASTER)
    assert read_teacher(tmp_path / "t") == taught == begin_teacher(tmp_path / "t", MASTER)
    with pytest.raises(GeoroadsError, match="another teacher"):
        begin_teacher(tmp_path / "t", dataclasses.replace(MASTER, looks=1))
    taught.write("a", "one", np.zeros((3, 4), np.uint8))
    with pytest.raises(GeoroadsError, match=r"uint8 of \(3, 4\), the picture is \(6, 8\)"):
        taught.levels("a", "one", (6, 8))
    taught.path("a", "one").write_bytes(b"\x93NUMPY")
    with pytest.raises(GeoroadsError, match="cannot be read"):
        taught.levels("a", "one", (3, 4))


def test_what_is_half_true_counts_as_road_from_a_half_on() -> None:
    meter, ones = EpochMeter(), torch.ones(1, 1, 3)
    meter.add(torch.tensor(1.0), 5 * ones, torch.tensor([[[0.3, 0.5, 0.7]]]), ones)
    assert (meter.true, meter.union) == (2, 3)


@pytest.fixture
def taught_recipe(tmp_path: Path) -> tuple[str, TaughtPictures]:
    """A drawn data set, and a teacher who sees road nowhere and everywhere by half."""
    data = str(draw_pairs(tmp_path / "a", [f"a{i}" for i in range(6)]))
    taught = begin_teacher(tmp_path / "t", MASTER)
    for sample in prepare(small_recipe(DataSource(data, gsd_m=0.5))).chips.sources[0].samples:
        taught.write(data, sample.name, np.full((96, 96), 127, np.uint8))
    return data, taught


def test_a_taught_training_says_by_whom_and_is_resumed_with_that_teacher_alone(
    taught_recipe: tuple[str, TaughtPictures], tmp_path: Path
) -> None:
    data, taught = taught_recipe
    recipe = small_recipe(
        DataSource(data, gsd_m=0.5, terms="free"), teacher=str(taught.folder), epochs=2, workers=1
    )
    ready = prepare(recipe)
    assert any("master teaches" in message for message in ready.messages)
    truth = ready.chips[ChipRequest(0, 0.0)][1]
    assert set(truth.unique().tolist()) <= {0.25, 0.75}
    card = train(recipe, tmp_path / "whole")
    assert card.terms == "cite; share alike; free"
    assert json.loads(card.to_json())["taught_by"] == {"name": "master", "sha256": "ab"}

    def stop(epoch: Epoch) -> None:
        if epoch.epoch == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path / "cut", on_epoch=stop)
    said = taught.folder / ABOUT
    before = said.read_text()
    said.write_text(before.replace('"ab"', '"cd"'))
    with pytest.raises(GeoroadsError, match=r"another learns_from\.teacher \(ab then, cd now\)"):
        train(recipe, tmp_path / "cut", resume=True)
    said.write_text(before)
    train(recipe, tmp_path / "cut", resume=True)
    assert same_weights(tmp_path / "cut", tmp_path / "whole")


def test_a_teacher_of_other_pictures_is_refused(
    taught_recipe: tuple[str, TaughtPictures], tmp_path: Path
) -> None:
    begin_teacher(tmp_path / "empty", MASTER)
    recipe = small_recipe(DataSource(taught_recipe[0], gsd_m=0.5), teacher=str(tmp_path / "empty"))
    with pytest.raises(GeoroadsError, match="holds none of the"):
        prepare(recipe)
