"""The worst and the best pictures of an evaluation, as thumbnails."""

from __future__ import annotations

import bisect
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from georoads.data.chip import Chip
from georoads.evaluation.evaluate import Prediction, TileScore
from georoads.picture_files import encode_jpeg

SIDE_PX = 320
QUALITY = 80
RIGHT, FALSE, MISSED = (240, 240, 240), (255, 130, 0), (0, 170, 255)
"""Colours (RGB) of the error map: both say road; only the prediction does; only the truth does. Orange and
blue can be told apart by colour-blind eyes."""
INVALID = (110, 110, 110)


@dataclass(frozen=True)
class Thumbnails:
    """A picture of the gallery, drawn small.

    Attributes:
        tile: its name and metrics.
        picture, truth, prediction, errors: JPEG files of at most SIDE_PX a side.
    """

    tile: TileScore
    picture: bytes
    truth: bytes
    prediction: bytes
    errors: bytes


class Gallery:
    """Keeps the pictures with the lowest and the highest road IoU while an evaluation goes on.

    Memory holds thumbnails of twice ``size`` pictures, however many pass. Pictures without true road are left
    out: their IoU is 0 or 1 and says little.
    """

    def __init__(self, size: int) -> None:
        self.size = size
        self.seen = 0
        self._kept: list[Thumbnails] = []  # by road IoU: the worst, then the best

    def consider(self, prediction: Prediction, tile: TileScore) -> None:
        """Keep the picture if it is among the worst or the best so far."""
        if not tile.road_share or not self.size:
            return
        self.seen += 1
        place = bisect.bisect(self._kept, _sort_key(tile), key=lambda each: _sort_key(each.tile))
        full = len(self._kept) == 2 * self.size
        if full and place == self.size:
            return  # between the worst and the best
        self._kept.insert(place, draw_thumbnails(prediction, tile))
        if full:
            del self._kept[self.size]

    @property
    def worst(self) -> tuple[Thumbnails, ...]:
        """Lowest road IoU first; of few pictures the lower half, so that none is shown twice."""
        return tuple(self._kept[: min(self.size, self.seen - self.seen // 2)])

    @property
    def best(self) -> tuple[Thumbnails, ...]:
        """Highest road IoU first; of few pictures the upper half."""
        return tuple(self._kept[::-1][: min(self.size, self.seen // 2)])


def draw_thumbnails(prediction: Prediction, tile: TileScore) -> Thumbnails:
    """The four thumbnails of a picture."""
    picture = prediction.picture
    found = prediction.levels >= tile.score.level
    return Thumbnails(
        tile,
        picture=_encode_thumbnail(picture.image),
        truth=_encode_thumbnail(_grey_picture(picture.road.astype(np.uint8) * np.uint8(255), picture.valid)),
        prediction=_encode_thumbnail(_grey_picture(prediction.levels, picture.valid)),
        errors=_encode_thumbnail(error_map(picture, found)),
    )


def error_map(picture: Chip, found: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """(H, W, 3) uint8: what is right, false and missed, over the darkened picture.

    Args:
        picture: (H, W) pixels, truth and validity.
        found: (H, W) bool, the predicted road.
    """
    dark = cv2.cvtColor(picture.image, cv2.COLOR_RGB2GRAY) // 3
    shown = np.repeat(np.asarray(dark, dtype=np.uint8)[:, :, None], 3, axis=2)
    shown[picture.road & found] = RIGHT
    shown[~picture.road & found] = FALSE
    shown[picture.road & ~found] = MISSED
    shown[~picture.valid] = INVALID
    return shown


def _sort_key(tile: TileScore) -> tuple[float, str]:
    return tile.score.iou, tile.name


def _grey_picture(values: NDArray[np.uint8], valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
    shown = np.repeat(values[:, :, None], 3, axis=2)
    shown[~valid] = INVALID
    return shown


def _encode_thumbnail(rgb: NDArray[np.uint8]) -> bytes:
    """A JPEG file of the picture, its longer side at most SIDE_PX."""
    height, width = rgb.shape[:2]
    shrink = min(1.0, SIDE_PX / max(height, width))
    size = max(1, round(width * shrink)), max(1, round(height * shrink))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    # Thin coloured lines are what the error map is about.
    return encode_jpeg(np.asarray(small, dtype=np.uint8), QUALITY, sharp_colours=True)
