"""Cutting chips from training pictures at the model's GSD."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from georoads.grid import is_same_gsd
from georoads.settings import check_ranges


@dataclass(frozen=True)
class Chip:
    """A crop of a training picture.

    Attributes:
        image: (H, W, 3) uint8, RGB.
        road: (H, W) bool.
        valid: (H, W) bool; pixels that are not valid do not count in the loss.
        taught: (H, W) uint8, round(254 p) as a teacher sees it (training/teacher.py), or None.
    """

    image: NDArray[np.uint8]
    road: NDArray[np.bool_]
    valid: NDArray[np.bool_]
    taught: NDArray[np.uint8] | None = None

    @property
    def labels(self) -> NDArray[np.uint8]:
        """(H, W) uint8: 0 background, 1 road, 2 invalid, so that one picture carries both masks."""
        return np.where(self.valid, self.road.astype(np.uint8), np.uint8(2))


@dataclass(frozen=True)
class ChipParams:
    """How chips are cut.

    Attributes:
        size_px: side of the chip.
        gsd_m: metres per pixel of the chip.
        scale: chips show between 1/scale and scale times the ground that size_px * gsd_m says.
        road_centred: share of the chips whose centre is a road pixel (roads are a few percent of the
            ground, and most random crops teach little).
    """

    size_px: int = 448
    gsd_m: float = 0.5
    scale: float = 1.25
    road_centred: float = 0.3

    def __post_init__(self) -> None:
        ranges = {"size_px": (8, 8192), "gsd_m": (0.01, 100), "scale": (1, 10), "road_centred": (0, 1)}
        check_ranges(self, ranges)


def cut_chip(
    picture: Chip,
    picture_gsd_m: float,
    params: ChipParams,
    rng: np.random.Generator,
    place: tuple[float, float] | None = None,
) -> Chip:
    """A random square of the picture, resampled to size_px pixels of about gsd_m metres.

    A picture smaller than the square is filled with invalid pixels (black in the picture).

    Args:
        picture: pixels, truth, validity, and what a teacher sees.
        picture_gsd_m: its metres per pixel.
        params: how chips are cut.
        rng: decides the scale and the place, in this order.
        place: row and column in the picture that lie in the middle half of the square, somewhere; None:
            anywhere.
    """
    stretch = params.scale ** rng.uniform(-1, 1)
    side = max(8, round(params.size_px * params.gsd_m * stretch / picture_gsd_m))
    height, width = picture.road.shape
    row, col = (
        _corner(picture.road, side, params.road_centred, rng)
        if place is None
        else _corner_around(place, side, (height, width), rng)
    )
    # What of the square lies in the picture, in rows and columns of the picture and of the square.
    top, left = max(0, row), max(0, col)
    bottom, right = min(height, row + side), min(width, col + side)
    image = np.zeros((side, side, 3), dtype=np.uint8)
    labels = np.full((side, side), 2, dtype=np.uint8)
    inside = slice(top - row, bottom - row), slice(left - col, right - col)
    cut = slice(top, bottom), slice(left, right)
    part = Chip(picture.image[cut], picture.road[cut], picture.valid[cut])
    image[inside] = part.image
    labels[inside] = part.labels
    taught = None
    if picture.taught is not None:
        taught = np.zeros((side, side), dtype=np.uint8)
        taught[inside] = picture.taught[cut]
    return resize(image, labels, params.size_px, params.size_px, taught)


def resample_picture(picture: Chip, gsd_m: float, wanted_gsd_m: float) -> Chip:
    """A whole picture at the wanted GSD; left as it is where its own is much the same (``SAME_GSD``).

    Args:
        picture: pixels, truth and validity.
        gsd_m: its metres per pixel.
        wanted_gsd_m: metres per pixel of the result.
    """
    if is_same_gsd(gsd_m, wanted_gsd_m):
        return picture
    height, width = (max(1, round(n * gsd_m / wanted_gsd_m)) for n in picture.road.shape)
    return resize(picture.image, picture.labels, height, width, picture.taught)


def resize(
    image: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    height: int,
    width: int,
    taught: NDArray[np.uint8] | None = None,
) -> Chip:
    """A chip of another size, averaging where it shrinks and interpolating where it grows.

    Args:
        image: (H, W, 3) uint8, RGB.
        labels: (H, W) uint8, as of ``Chip.labels``.
        height, width: of the result, in pixels.
        taught: (H, W) uint8, as of ``Chip.taught``, or None.
    """
    if labels.shape == (height, width):
        return Chip(image, labels == 1, labels != 2, taught)
    shrinks = labels.shape[0] > height
    method = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    picture = cv2.resize(image, (width, height), interpolation=method)
    # Masks become shares of a pixel's ground: road from a half on, valid only where all of it is.
    road = cv2.resize((labels == 1).astype(np.float32), (width, height), interpolation=method)
    valid = cv2.resize((labels != 2).astype(np.float32), (width, height), interpolation=method)
    if taught is not None:
        taught = np.asarray(cv2.resize(taught, (width, height), interpolation=method), dtype=np.uint8)
    return Chip(
        np.asarray(picture, dtype=np.uint8), np.asarray(road >= 0.5), np.asarray(valid > 0.99), taught
    )


def _corner(
    road: NDArray[np.bool_], side: int, road_centred: float, rng: np.random.Generator
) -> tuple[int, int]:
    """Upper left corner of the square; along an axis where it is larger than the picture, random too."""
    height, width = road.shape
    if rng.random() < road_centred:
        rows, cols = np.nonzero(road)
        if len(rows):
            i = int(rng.integers(len(rows)))
            row, col = int(rows[i]) - side // 2, int(cols[i]) - side // 2
            return _clamp_start(row, height - side), _clamp_start(col, width - side)
    return _draw_start(height - side, rng), _draw_start(width - side, rng)


def _corner_around(
    place: tuple[float, float], side: int, shape: tuple[int, int], rng: np.random.Generator
) -> tuple[int, int]:
    """Upper left corner of a square that shows a place, not always in its middle."""
    row, col = (int(at - side * rng.uniform(0.25, 0.75)) for at in place)
    return _clamp_start(row, shape[0] - side), _clamp_start(col, shape[1] - side)


def _clamp_start(start: int, last: int) -> int:
    """The nearest start, 0 to last (or last to 0), at which the square stays within or around the picture."""
    return min(max(start, min(0, last)), max(0, last))


def _draw_start(last: int, rng: np.random.Generator) -> int:
    return int(rng.integers(min(0, last), max(0, last) + 1))
