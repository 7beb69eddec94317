"""Augmentation of training chips, behind one function so that the library can be replaced."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any

from georoads.data.chip import Chip

os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # it asks the network at import otherwise


def augment(chip: Chip, recipe: str, seed: int) -> Chip:
    """A randomly changed chip; the change is a function of the seed alone.

    Args:
        chip: stays as it is.
        recipe: ``none``, ``flips`` (horizontal and vertical, as the DeepGlobe notebook had it) or
            ``full``: the eight symmetries of the square, and changes of light, colour, sharpness and
            compression wide enough for other sensors (dark scenes, panchromatic ones).
        seed: of the change.
    """
    if recipe == "none":
        return chip
    pipeline = _make_pipeline(recipe)
    pipeline.set_random_seed(seed)
    # All masks change as one, and as the picture does.
    masks = [chip.labels] if chip.taught is None else [chip.labels, chip.taught]
    out = pipeline(image=chip.image, masks=masks)
    labels, *taught = out["masks"]
    return Chip(out["image"], labels == 1, labels != 2, *taught)


@lru_cache(maxsize=4)
def _make_pipeline(recipe: str) -> Any:
    import albumentations as A

    if recipe == "flips":
        return A.Compose([A.HorizontalFlip(p=0.5), A.VerticalFlip(p=0.5)])
    if recipe != "full":
        raise ValueError(f"unknown augmentation {recipe!r}: none, flips or full")
    return A.Compose(
        [
            A.D4(p=1.0),
            # Exposure: the scene's own stretch is left alone, so the network has to know dark scenes.
            A.OneOf(
                [
                    A.MultiplicativeNoise(
                        multiplier=(0.25, 0.7), per_channel=False, elementwise=False, p=0.6
                    ),
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
    )
