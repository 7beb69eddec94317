"""Reading a picture and its mask from disk, and checking that they fit."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from georoads.data.dataset import RoadDataset, Sample
from georoads.errors import DatasetError
from georoads.picture_files import read_pixels

ROAD_LEVEL = 128
"""Masks are road at and above this grey level (JPEG-compressed masks are not exactly 0 and 255)."""

MAX_TINT = 64
"""Channels of a mask's pixel may differ by this much: JPEG tints grey edges; a class has its own colour."""

_REPLACE = "replace it or remove its row; --skip-bad leaves it out"


def read_image(sample: Sample) -> NDArray[np.uint8]:
    """(H, W, 3) uint8, RGB.

    Raises:
        DatasetError: when the file cannot be decoded.
    """
    image = read_pixels(sample.image, cv2.IMREAD_COLOR)
    if image is None:
        raise DatasetError(f"{sample.image} cannot be decoded as a picture", _REPLACE)
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def read_mask(sample: Sample) -> NDArray[np.bool_]:
    """(H, W) bool, True on road.

    Raises:
        DatasetError: when the file cannot be decoded, or shows colours that are neither background nor road.
    """
    mask = read_pixels(sample.mask, cv2.IMREAD_ANYCOLOR)
    if mask is None:
        raise DatasetError(f"{sample.mask} cannot be decoded as a mask", _REPLACE)
    if mask.ndim == 3:
        most, least = (f(f(mask[..., 0], mask[..., 1]), mask[..., 2]) for f in (cv2.max, cv2.min))
        coloured = most - least > MAX_TINT
        if coloured.any():
            blue, green, red = mask[tuple(np.argwhere(coloured)[0])][:3].tolist()
            raise DatasetError(
                f"{sample.mask}: the colour ({red}, {green}, {blue}) is neither background nor road",
                "masks are grey: road from level 128; --skip-bad leaves this picture out",
            )
        mask = np.asarray(cv2.cvtColor(mask, cv2.COLOR_BGR2GRAY), dtype=np.uint8)
    return np.asarray(mask >= ROAD_LEVEL)


def read_pair(sample: Sample) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Picture (H, W, 3) uint8 and mask (H, W) bool.

    Raises:
        DatasetError: when one cannot be decoded, or their sizes differ.
    """
    image, mask = read_image(sample), read_mask(sample)
    if image.shape[:2] != mask.shape:
        raise DatasetError(
            f"{sample.image} is {_describe_size(image)} but its mask is {_describe_size(mask)}",
            "give both the same size; --skip-bad leaves this picture out",
        )
    return image, mask


def valid_pixels(image: NDArray[np.uint8], white_is_nodata: bool) -> NDArray[np.bool_]:
    """(H, W) bool: False where the picture is white in all channels and white means no data.

    The level is 250, not 255: JPEG compression blurs pure white.
    """
    if not white_is_nodata:
        return np.ones(image.shape[:2], dtype=bool)
    return np.asarray(image.min(axis=2) < 250)


def read_valid(sample: Sample, image: NDArray[np.uint8], white_is_nodata: bool = False) -> NDArray[np.bool_]:
    """(H, W) bool: False where a picture shows no ground, by its file in ``valid/`` or by its white.

    Args:
        sample: which picture.
        image: (H, W, 3) uint8, its pixels.
        white_is_nodata: white pixels are not valid.

    Raises:
        DatasetError: when the file cannot be decoded or has another size.
    """
    valid = valid_pixels(image, white_is_nodata)
    if sample.valid is None:
        return valid
    stated = read_pixels(sample.valid, cv2.IMREAD_GRAYSCALE)
    if stated is None:
        raise DatasetError(f"{sample.valid} cannot be decoded as a mask", "replace it, or remove it")
    if stated.shape != valid.shape:
        raise DatasetError(
            f"{sample.image} is {_describe_size(image)} but {sample.valid} is {_describe_size(stated)}",
            "give both the same size; --skip-bad leaves this picture out",
        )
    return np.asarray(valid & (stated >= ROAD_LEVEL))


def find_broken(samples: Sequence[Sample]) -> dict[str, str]:
    """Read every pair; what is wrong with each that cannot be used, by name."""
    broken = {}
    for sample in samples:
        try:
            image, _ = read_pair(sample)
            read_valid(sample, image)
        except DatasetError as e:
            broken[sample.name] = e.message
    return broken


def without_broken(data: RoadDataset) -> RoadDataset:
    """The data set without the pairs that cannot be used; every file is read."""
    broken = find_broken(data.samples)
    return replace(
        data,
        samples=tuple(s for s in data.samples if s.name not in broken),
        skipped=(*data.skipped, *sorted(broken)),
    )


def _describe_size(array: NDArray[np.generic]) -> str:
    return f"{array.shape[1]} x {array.shape[0]}"
