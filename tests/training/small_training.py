"""A network of seconds, its recipe, and what tests change of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from georoads.data.chip import ChipParams
from georoads.model.config import ModelConfig
from georoads.training.recipe import DataSource, Recipe, TileParams, TrainParams

SMALL = ModelConfig(
    "Unet", "timm-mobilenetv3_small_minimal_100", options={"decoder_channels": [16, 8, 8, 8, 8]}
)


@pytest.fixture(scope="module", autouse=True)
def one_thread() -> Iterator[None]:
    """On chips this small, threads wait for each other longer than they compute."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def small_recipe(*data: DataSource, **train: object) -> Recipe:
    """Chips of 64 px at 0.5 m from pairs of 96 px."""
    recipe = Recipe(
        "small",
        SMALL,
        encoder_weights="none",
        chip=ChipParams(64, 0.5, scale=1.1, road_centred=0.5),
        train=TrainParams(
            batch=4, lr=3e-3, ema=0.8, augmentation="flips", precision="fp32", workers=0, samples=0
        ),
        tile=TileParams(96, 32),
        data=data,
    )
    return with_train(recipe, **train)


def with_train(recipe: Recipe, **values: object) -> Recipe:
    return dataclasses.replace(recipe, train=dataclasses.replace(recipe.train, **values))  # type: ignore[arg-type]


def same_weights(one: Path, other: Path) -> bool:
    """Whether two run folders hold the same bytes of the last and of the best model."""
    names = ("last.safetensors", "best.safetensors")
    return all((one / name).read_bytes() == (other / name).read_bytes() for name in names)
