"""Reading a picture and its mask from disk, and checking that they fit."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

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
        DatasetError: when the file cannot be decoded, or its values are not bytes.
    """
    image = read_pixels(sample.image, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH)
    # Of grey floats OpenCV makes no colours, but it reads them.
    stored = image if image is not None else read_pixels(sample.image, cv2.IMREAD_UNCHANGED)
    if stored is not None and stored.dtype != np.uint8:
        raise DatasetError(
            f"{sample.image} holds {stored.dtype} values, {stored.min():g} to {stored.max():g}, not bytes",
            "stretch all pictures alike, as gdal_translate -ot Byte -scale LOW HIGH 1 255 IN OUT does; "
            "georoads tiles does so with pictures that it cuts from a scene",
        )
    if image is None:
        raise DatasetError(f"{sample.image} cannot be decoded as a picture", _REPLACE)
    return np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2RGB), dtype=np.uint8)


def read_mask(sample: Sample) -> NDArray[np.bool_]:
    """(H, W) bool, True on road.

    Raises:
        DatasetError: as ``read_levels``.
    """
    return np.asarray(read_levels(sample.mask) >= ROAD_LEVEL)


def read_levels(path: Path) -> NDArray[np.uint8]:
    """(H, W) uint8: the grey levels of a mask.

    Raises:
        DatasetError: when the file cannot be decoded, shows colours that are neither background nor road,
            holds values that are no grey levels, or an alpha that contradicts its colours.
    """
    mask = read_pixels(path, cv2.IMREAD_UNCHANGED)
    if mask is None:
        raise DatasetError(f"{path} cannot be decoded as a mask", _REPLACE)
    mask = _as_bytes(mask, path)
    if mask.ndim == 2:
        return mask
    most, least = (f(f(mask[..., 0], mask[..., 1]), mask[..., 2]) for f in (cv2.max, cv2.min))
    coloured = most - least > MAX_TINT
    if coloured.any():
        blue, green, red = mask[tuple(np.argwhere(coloured)[0])][:3].tolist()
        raise DatasetError(
            f"{path}: the colour ({red}, {green}, {blue}) is neither background nor road",
            "masks are grey: road from level 128; --skip-bad leaves this picture out",
        )
    grey = np.asarray(cv2.cvtColor(mask[..., :3], cv2.COLOR_BGR2GRAY), dtype=np.uint8)
    if mask.shape[2] == 4:
        _check_alpha(grey, mask[..., 3], path)
    return grey


def _as_bytes(mask: NDArray[Any], path: Path) -> NDArray[np.uint8]:
    """Levels 0..255 of a mask of any type: small whole numbers as they are, 16 bits by their upper half."""
    if mask.dtype == np.uint8:
        return mask
    if mask.min() >= 0 and mask.max() <= 255 and (mask == np.floor(mask)).all():
        return mask.astype(np.uint8)
    if mask.dtype == np.uint16:
        return (mask >> 8).astype(np.uint8)
    raise DatasetError(
        f"{path} holds {mask.dtype} values, {mask.min():g} to {mask.max():g}, which are no grey levels",
        "masks are bytes: 0 is background, 255 road; --skip-bad leaves this picture out",
    )


def _check_alpha(grey: NDArray[np.uint8], alpha: NDArray[np.uint8], path: Path) -> None:
    """Refuse a mask whose alpha says another thing than its colours: either may have been meant."""
    hidden = alpha < ROAD_LEVEL
    road = grey >= ROAD_LEVEL
    if hidden.any() and ((road & hidden).any() or not road.any()):
        raise DatasetError(
            f"{path}: its alpha hides {hidden.mean():.0%} of the pixels; by its colours {road.mean():.0%} "
            "are road",
            "write masks without alpha: 0 is background, 255 road; --skip-bad leaves this picture out",
        )


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
        DatasetError: as ``read_levels``, or when the file has another size.
    """
    valid = valid_pixels(image, white_is_nodata)
    if sample.valid is None:
        return valid
    stated = read_levels(sample.valid)
    if stated.shape != valid.shape:
        raise DatasetError(
            f"{sample.image} is {_describe_size(image)} but {sample.valid} is {_describe_size(stated)}",
            "give both the same size; --skip-bad leaves this picture out",
        )
    return np.asarray(valid & (stated >= ROAD_LEVEL))


def find_broken(samples: Sequence[Sample]) -> dict[str, DatasetError]:
    """Read every pair; what is wrong with each that cannot be used, by name."""
    with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:  # OpenCV decodes without Python's lock
        faults = pool.map(_find_fault, samples)
        return {sample.name: fault for sample, fault in zip(samples, faults, strict=True) if fault}


def _find_fault(sample: Sample) -> DatasetError | None:
    try:
        image, _ = read_pair(sample)
        read_valid(sample, image)
    except DatasetError as e:
        return e
    return None


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
