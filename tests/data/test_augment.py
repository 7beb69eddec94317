"""Chips change at random, their masks as they do."""

from __future__ import annotations

import numpy as np
import pytest

from georoads.data.augment import augment
from georoads.data.chip import Chip

SIDE = 128


def bar() -> Chip:
    """A bright road of 16 px from west to east over dark ground."""
    road = np.zeros((SIDE, SIDE), np.bool_)
    road[56:72] = True
    image = np.repeat(np.where(road, 220, 40).astype(np.uint8)[..., None], 3, axis=2)
    return Chip(image, road, np.ones_like(road))


def is_along_an_axis(road: np.ndarray) -> bool:
    """Whether the bar fills whole rows or columns alone."""
    return bool((road.all(axis=0) | ~road.any(axis=0)).all() or (road.all(axis=1) | ~road.any(axis=1)).all())


@pytest.mark.parametrize("recipe", ["none", "flips", "full", "turned"])
def test_the_mask_lies_where_the_road_is(recipe: str) -> None:
    for seed in range(20):
        out = augment(bar(), recipe, seed)
        grey = out.image.mean(axis=2)
        assert np.median(grey[out.road]) > np.median(grey[~out.road])
        assert out.road.mean() == pytest.approx(16 / SIDE, abs=0.06)


def test_a_seed_is_a_change() -> None:
    one, same, other = (augment(bar(), "turned", seed) for seed in (3, 3, 4))
    assert (one.image == same.image).all() and (one.road == same.road).all()
    assert (one.image != other.image).any()


def test_turned_by_any_angle_and_with_patches_hidden_from_the_picture_alone() -> None:
    assert all(is_along_an_axis(augment(bar(), "full", seed).road) for seed in range(30))
    turned = [augment(bar(), "turned", seed) for seed in range(60)]
    straight = [chip for chip in turned if is_along_an_axis(chip.road)]
    assert 12 < len(straight) < 36
    # Of ground of one colour, a patch is the only thing that stands out by much.
    hidden = [n_standing_out(chip) > 100 for chip in straight]
    assert 1 < sum(hidden) < len(straight) / 2


def n_standing_out(chip: Chip) -> int:
    """Pixels of the ground whose colour is another one."""
    ground = chip.image[~chip.road].astype(float)
    return int((abs(ground - np.median(ground, axis=0)).max(axis=1) >= 60).sum())


def test_a_change_does_not_hang_on_the_others() -> None:
    """Not all of them or none: albumentations would give each of its transforms the same numbers."""
    chips = [augment(bar(), "turned", seed) for seed in range(300)]
    turned = np.array([not is_along_an_axis(chip.road) for chip in chips])
    grey = np.array([np.ptp(chip.image.astype(int), axis=2).max() < 12 for chip in chips])
    light = np.array([np.median(chip.image[chip.road]) != 220 for chip in chips])
    for one, other in ((turned, grey), (turned, light)):
        assert 0.1 < one.mean() < 0.95 and 0.1 < other.mean() < 0.95
        assert abs(np.corrcoef(one, other)[0, 1]) < 0.2


def test_an_unknown_recipe_names_those_that_there_are() -> None:
    with pytest.raises(ValueError, match="none, flips, full or turned"):
        augment(bar(), "twisted", 1)
