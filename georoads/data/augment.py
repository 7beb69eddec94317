"""Augmentation of training chips, behind one function so that the library can be replaced."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any

import numpy as np

from georoads.data.chip import Chip

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it asks the network at import otherwise


def augment(chip: Chip, recipe: str, seed: int) -> Chip:
    """A randomly changed chip; the change is a function of the seed alone.

    Args:
        chip: stays as it is.
        recipe: ``none``, ``flips`` (horizontal and vertical, as the DeepGlobe notebook had it) or
            ``full``: the eight symmetries of the square, and changes of light, colour, sharpness and
            compression wide enough for other sensors (dark scenes, panchromatic ones); or ``turned``: as
            ``full``, and turned by any angle, with patches hidden (T. DeVries and G. Taylor, "Improved
            regularization of convolutional neural networks with cutout", 2017), as trees hide roads.
        seed: of the change.
    """
    if recipe == "none":
        return chip
    pipeline = _make_pipeline(recipe)
    _seed_apart(pipeline, np.random.default_rng(seed))
    # All masks change as one, and as the picture does.
    masks = [chip.labels] if chip.taught is None else [chip.labels, chip.taught]
    out = pipeline(image=chip.image, masks=masks)
    labels, *taught = out["masks"]
    return Chip(out["image"], labels == 1, labels != 2, *taught)


def _seed_apart(transform: Any, seeds: np.random.Generator) -> None:
    """Give each of the transforms a seed of its own.

    Albumentations gives all the same one: then they draw the same numbers, and whether a chip goes through
    one change tells much of whether it goes through the others.
    """
    transform.set_random_seed(int(seeds.integers(2**32)))
    for inner in getattr(transform, "transforms", ()):
        _seed_apart(inner, seeds)


@lru_cache(maxsize=4)
def _make_pipeline(recipe: str) -> Any:
    import albumentations as A

    if recipe == "flips":
        return A.Compose([A.HorizontalFlip(p=0.5), A.VerticalFlip(p=0.5)])
    if recipe == "full":
        return A.Compose([A.D4(p=1.0), *_other_light()])
    if recipe == "turned":
        return A.Compose([A.D4(p=1.0), *_turned_and_hidden(), *_other_light()])
    raise ValueError(f"unknown augmentation {recipe!r}: none, flips, full or turned")


def _turned_and_hidden() -> list[Any]:
    import albumentations as A
    import cv2

    return [
        # What lies beyond the chip is its mirror image, in the masks as in the picture.
        A.Affine(rotate=(-45, 45), border_mode=cv2.BORDER_REFLECT_101, p=0.6),
        A.CoarseDropout(
            num_holes_range=(1, 8),
            hole_height_range=(12, 56),
            hole_width_range=(12, 56),
            fill="random_uniform",
            p=0.3,
        ),
    ]


def _other_light() -> list[Any]:
    import albumentations as A

    return [
        # Exposure: the scene's own stretch is left alone, so the network has to know dark scenes.
        A.OneOf(
            [
                A.MultiplicativeNoise(multiplier=(0.25, 0.7), per_channel=False, elementwise=False, p=0.6),
                A.MultiplicativeNoise(multiplier=(1.3, 2.2), per_channel=False, elementwise=False, p=0.4),
            ],
            p=0.2,
        ),
        A.RandomGamma(gamma_limit=(60, 170), p=0.4),
        A.RandomBrightnessContrast(brightness_limit=0.25, contrast_limit=0.3, p=0.6),
        A.HueSaturationValue(hue_shift_limit=10, sat_shift_limit=35, val_shift_limit=0, p=0.4),
        A.RGBShift(r_shift_limit=12, g_shift_limit=12, b_shift_limit=12, p=0.3),
        A.ToGray(p=0.06),
        A.OneOf(
            [
                A.GaussianBlur(blur_limit=(3, 5), p=1.0),
                A.Sharpen(alpha=(0.1, 0.4), lightness=(0.9, 1.1), p=1.0),
                A.GaussNoise(std_range=(0.01, 0.04), p=1.0),
                A.ImageCompression(quality_range=(60, 95), p=1.0),
            ],
            p=0.3,
        ),
    ]
