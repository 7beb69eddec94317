"""Pictures kept decoded on disk."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import cv2
import numpy as np
import pytest
from drawn_pairs import draw_pairs, hide_columns

from georoads.data.chip import ChipParams
from georoads.data.dataset import open_dataset
from georoads.data.picture_cache import read_picture
from georoads.training.chip_loader import ChipDataset, ChipRequest, ChipSource
from georoads.training.recipe import DataSource


def test_a_cached_picture_is_the_picture_until_its_files_change(tmp_path: Path) -> None:
    root = draw_pairs(tmp_path / "d", ["a", "b"])
    hide_columns(root, "a", 70)
    samples = open_dataset(root, 0.5).samples
    cache = tmp_path / "cache"
    for sample in samples:
        plain = read_picture(sample, False)
        for _ in range(2):  # made, then found
            kept = read_picture(sample, False, cache)
            for name in ("image", "valid"):
                np.testing.assert_array_equal(getattr(kept, name), getattr(plain, name))
            np.testing.assert_array_equal(kept.road & kept.valid, plain.road & plain.valid)
    assert len(list(cache.iterdir())) == 2
    assert {p.suffix for p in cache.iterdir()} == {".npy"}
    cv2.imwrite(str(samples[0].image), np.zeros((96, 96, 3), np.uint8))
    os.utime(samples[0].image, ns=(1, 1))
    assert not read_picture(samples[0], False, cache).image.any()


@pytest.mark.parametrize("number", range(6))
def test_chips_are_the_same_with_and_without_the_cache(number: int, tmp_path: Path) -> None:
    samples = open_dataset(draw_pairs(tmp_path / "d", ["a", "b", "c"]), 0.5).samples
    plain = ChipDataset(
        sources=(ChipSource(DataSource(), samples),),
        chip=ChipParams(64, 0.5),
        augmentation="flips",
        mean=(0.0,) * 3,
        std=(1.0,) * 3,
        seed=7,
    )
    cached = dataclasses.replace(plain, cache=tmp_path / "cache")
    request = ChipRequest(number, 0.0)
    for one, other in zip(plain[request], cached[request], strict=True):
        assert bool((one == other).all())
