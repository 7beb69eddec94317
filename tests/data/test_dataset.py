"""Data sets are found, checked and divided."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from drawn_pairs import KAGGLE_HEAD, draw_kaggle, draw_pairs

from georoads.data.chip import Chip, ChipParams, cut_chip, resample_picture
from georoads.data.dataset import open_dataset
from georoads.data.pictures import find_broken, read_pair, valid_pixels
from georoads.data.split import split_dataset
from georoads.errors import DatasetError

DEEPGLOBE = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "deepglobe"


def test_kaggle_layout_with_bom_crlf_and_rows_without_a_mask(tmp_path: Path) -> None:
    rows = [
        "12,train,train/12_sat.jpg,train/12_mask.png",
        "7,train,/old/place/train/7_sat.jpg,train/7_mask.png",
        "99,valid,valid/99_sat.jpg,",
    ]
    data = open_dataset(draw_kaggle(tmp_path / "d", rows))
    assert data.layout == "kaggle"
    assert data.names == ("12", "7")
    assert [p.name for p in data.unlabelled] == ["99_sat.jpg"]
    assert {s.gsd_m for s in data.samples} == {0.5}


@pytest.mark.parametrize(
    ("row", "head", "said"),
    [
        ("12,train,train/12_sat.jpg", "image_id,split,sat_image_path", "mask_path"),
        ("12,train,../12_sat.jpg,train/12_mask.png", KAGGLE_HEAD, r"\.\."),
        ("5,train,train/5_sat.jpg,train/5_mask.png", KAGGLE_HEAD, "5_sat.jpg"),
    ],
)
def test_a_bad_index_is_refused(tmp_path: Path, row: str, head: str, said: str) -> None:
    with pytest.raises(DatasetError, match=said):
        open_dataset(draw_kaggle(tmp_path / "d", [row], head))


def test_pairs_take_gsd_and_split_from_the_index(tmp_path: Path) -> None:
    index = "name,split,gsd_m\na,train,1.0\nb,val,0.4\n"
    data = open_dataset(draw_pairs(tmp_path / "d", ["a", "b"], index=index))
    assert [s.gsd_m for s in data.samples] == [1.0, 0.4]
    split = split_dataset(data)
    assert [s.name for s in split.train] == ["a"]
    assert [s.name for s in split.val] == ["b"]


def test_pairs_without_a_pixel_size_are_refused(tmp_path: Path) -> None:
    root = draw_pairs(tmp_path / "d", ["a", "b"])
    with pytest.raises(DatasetError, match="pixel size"):
        open_dataset(root)
    assert open_dataset(root, 0.7).samples[0].gsd_m == 0.7


def test_a_lonely_picture_is_named(tmp_path: Path) -> None:
    root = draw_pairs(tmp_path / "d", ["a", "b"])
    (root / "masks" / "b.png").unlink()
    with pytest.raises(DatasetError, match="b"):
        open_dataset(root, 0.5)


def test_broken_and_unequal_pairs_are_found(tmp_path: Path) -> None:
    root = draw_pairs(tmp_path / "d", ["a", "b", "c"])
    (root / "images" / "a.png").write_bytes(b"no picture")
    cv2.imwrite(str(root / "masks" / "b.png"), np.zeros((5, 5), np.uint8))
    broken = find_broken(open_dataset(root, 0.5).samples)
    assert len(broken) == 2
    assert "a.png" in broken["a"].message
    assert "96 x 96 but its mask is 5 x 5" in broken["b"].message


def test_splits_are_disjoint_seeded_and_hashed(tmp_path: Path) -> None:
    data = open_dataset(draw_pairs(tmp_path / "d", [f"t{i}" for i in range(20)], size=40), 0.5)
    one, two, other = (split_dataset(data, "random", seed) for seed in (1, 1, 2))
    assert one.sha256 == two.sha256 != other.sha256
    assert len(one.val) == 2
    assert not set(one.train) & set(one.val)
    file = tmp_path / "s.json"
    file.write_text(json.dumps({"train": ["t1"], "val": ["t1"]}))
    with pytest.raises(DatasetError, match="t1"):
        split_dataset(data, str(file))
    file.write_text(json.dumps({"train": ["t1"], "val": ["nobody"]}))
    with pytest.raises(DatasetError, match="nobody"):
        split_dataset(data, str(file))


def test_chips_show_the_same_ground_at_the_models_gsd() -> None:
    rng = np.random.default_rng(0)
    road = np.zeros((300, 300), dtype=bool)
    road[:, 140:150] = True  # 10 m wide at 1 m pixels
    image = np.where(road[..., None], 200, 50).astype(np.uint8).repeat(3, axis=2)
    picture = Chip(image, road, np.ones_like(road))
    chip = cut_chip(picture, 1.0, ChipParams(128, 0.5, scale=1.0, road_centred=1.0), rng)
    assert chip.image.shape == (128, 128, 3)
    assert chip.road.any(axis=0).sum() == 20  # 10 m at 0.5 m
    assert chip.valid.all()


def test_a_picture_smaller_than_the_chip_is_filled_with_invalid_pixels() -> None:
    small = Chip(np.full((50, 60, 3), 9, np.uint8), np.zeros((50, 60), bool), np.ones((50, 60), bool))
    chip = cut_chip(small, 0.5, ChipParams(100, 0.5, scale=1.0), np.random.default_rng(1))
    assert chip.valid.sum() == 50 * 60
    assert (chip.image[~chip.valid] == 0).all()


def test_white_is_nodata_only_where_that_is_said() -> None:
    image = np.full((4, 4, 3), 120, np.uint8)
    image[0] = 252
    assert valid_pixels(image, False).all()
    assert valid_pixels(image, True).sum() == 12


def test_evaluation_pictures_are_resampled_beyond_a_factor_of_1_25() -> None:
    square = np.zeros((40, 40), bool)
    image = np.zeros((40, 40, 3), np.uint8)
    picture = Chip(image, square, ~square)
    assert resample_picture(picture, 0.6, 0.5).road.shape == (40, 40)
    assert resample_picture(picture, 1.0, 0.5).road.shape == (80, 80)


@pytest.mark.shared
def test_the_real_set() -> None:
    if not DEEPGLOBE.is_dir():
        pytest.skip("the development data set is not beside the checkout")
    data = open_dataset(DEEPGLOBE)
    split = split_dataset(data)
    assert (len(data.samples), len(split.train), len(split.val), len(data.unlabelled)) == (514, 444, 70, 5)
    image, road = read_pair(split.val[0])
    assert image.shape == (1024, 1024, 3)
    assert 0 < road.mean() < 0.4
