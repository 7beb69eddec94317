"""What a teacher sees stands beside the masks: where they lie, how they mix, and what is refused."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from small_training import SMALL, small_recipe

from georoads.data.chip import Chip
from georoads.data.dataset import Sample
from georoads.data.split import Split
from georoads.errors import GeoroadsError
from georoads.model.card import ModelCard
from georoads.model.checkpoint import Checkpoint
from georoads.training.card import training_card
from georoads.training.chip_loader import ChipDataset, ChipRequest, ChipSource
from georoads.training.recipe import DataSource
from georoads.training.teacher import Teacher, read_teacher, write_levels, write_teacher

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


def teacher(folder: Path) -> Teacher:
    half, files = (0.5,) * 3, {"m.safetensors": "ab"}
    card = ModelCard("master", SMALL, half, half, 0.5, 96, 32, 0.5, files, "cite; share alike")
    write_teacher(folder, Checkpoint(card, folder / "m.json"))
    return read_teacher(folder)


def chips(taught: Teacher | None, augmentation: str, share: float = 0.5) -> ChipDataset:
    sources = tuple(
        ChipSource(DataSource(path), (Sample("one", Path("a.png"), Path("m.png"), 0.5),)) for path in ("a",)
    )
    params = dataclasses.replace(small_recipe(DataSource("a")).chip, size_px=64, scale=1.3)
    return ChipDataset(
        sources, params, augmentation, (0.5,) * 3, (0.5,) * 3, seed=1, teacher=taught, teacher_share=share
    )


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    road = signs("#m")
    image = np.repeat(np.where(road, 200, 50).astype(np.uint8)[..., None], 3, axis=2)
    picture = Chip(image, road, np.ones(road.shape, bool))
    monkeypatch.setattr("georoads.training.chip_loader.read_picture", lambda *_: picture)


@pytest.mark.parametrize("augmentation", ["none", "flips", "full"])
def test_the_teacher_turns_and_stretches_with_the_mask(
    drawn: None, augmentation: str, tmp_path: Path
) -> None:
    master = teacher(tmp_path / "t")
    write_levels(tmp_path / "t", "a", "one", np.where(signs("#m"), 254, 0).astype(np.uint8))
    alone, both = chips(None, augmentation), chips(master, augmentation)
    for number in range(20):
        image, mask, weight = alone[ChipRequest(number, 0.0)]
        same, mixed, _ = both[ChipRequest(number, 0.0)]
        assert np.array_equal(image, same)
        # Masks are rounded and p is not, so that they differ along the edges, and nowhere else.
        off = np.abs(np.asarray(mask - mixed)) * np.asarray(weight)
        assert off.max() <= 0.26 and np.mean(off > 0.01) < 0.15


def test_the_truth_is_the_mean_by_the_share(drawn: None, tmp_path: Path) -> None:
    master = teacher(tmp_path / "t")
    write_levels(tmp_path / "t", "a", "one", np.where(signs("#t"), 254, 0).astype(np.uint8))
    seen = {
        round(float(value), 2)
        for number in range(40)
        for value in np.unique(chips(master, "none", share=0.25)[ChipRequest(number, 0.0)][1])
    }
    assert {0.0, 0.25, 0.75, 1.0} <= seen and min(seen) == 0 and max(seen) == 1
    unseen = chips(dataclasses.replace(master, folder=tmp_path / "other"), "none")
    assert set(np.unique(unseen[ChipRequest(0, 0.0)][1])) <= {0.0, 1.0}


def test_levels_lie_in_the_folder_wherever_the_data_do(tmp_path: Path) -> None:
    master, levels = teacher(tmp_path / "t"), np.arange(12, dtype=np.uint8).reshape(3, 4)
    for data in ("../a", "/b/a", "a"):
        write_levels(tmp_path / "t", data, "one", levels)
        assert np.array_equal(master.levels(data, "one", (3, 4)), levels)  # type: ignore[arg-type]
    assert len(list((tmp_path / "t").rglob("one.npy"))) == 3 and not list(tmp_path.glob("*.npy"))
    assert master.levels("a", "two", (3, 4)) is None


def test_what_is_no_teacher_is_refused(tmp_path: Path) -> None:
    for content in ("", "[]", '{"name": "m"}'):
        (tmp_path / "teacher.json").write_text(content)
        with pytest.raises(GeoroadsError, match=r"train\.teacher: .* holds no teacher"):
            read_teacher(tmp_path)
    master = teacher(tmp_path / "t")
    write_levels(tmp_path / "t", "a", "one", np.zeros((3, 4), np.uint8))
    with pytest.raises(GeoroadsError, match=r"uint8 of \(3, 4\), the picture is \(6, 8\)"):
        master.levels("a", "one", (6, 8))
    next((tmp_path / "t").rglob("one.npy")).write_bytes(b"\x93NUMPY")
    with pytest.raises(GeoroadsError, match="cannot be read"):
        master.levels("a", "one", (3, 4))


def test_the_teachers_terms_bind_the_student(tmp_path: Path) -> None:
    teacher(tmp_path / "t")
    recipe = small_recipe(DataSource("a", terms="free"), teacher=str(tmp_path / "t"))
    sample = Sample("one", Path("a.png"), Path("m.png"), 0.5)
    card = training_card(recipe, Split((sample,), (), (), "all"), 0.5)
    assert card.terms == "cite; share alike; free"
    assert json.loads(card.to_json())["taught_by"] == {"name": "master", "sha256": "ab"}
