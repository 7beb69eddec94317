"""The worst and the best pictures of an evaluation, as thumbnails."""

from __future__ import annotations

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
class Exhibit:
    """A picture of the gallery.

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
        self._worst: list[Exhibit] = []
        self._best: list[Exhibit] = []

    def consider(self, prediction: Prediction, tile: TileScore) -> None:
        """Keep the picture if it is among the worst or the best so far."""
        if not tile.road_share or not self.size:
            return
        self.seen += 1
        enters_worst = len(self._worst) < self.size or _rank(tile) < _rank(self._worst[-1].tile)
        enters_best = len(self._best) < self.size or _rank(tile) > _rank(self._best[-1].tile)
        if not enters_worst and not enters_best:
            return
        shown = exhibit(prediction, tile)
        if enters_worst:
            self._worst = sorted([*self._worst, shown], key=lambda e: _rank(e.tile))[: self.size]
        if enters_best:
            ranked = sorted([*self._best, shown], key=lambda e: _rank(e.tile), reverse=True)
            self._best = ranked[: self.size]

    @property
    def worst(self) -> tuple[Exhibit, ...]:
        """Lowest road IoU first; of few pictures the lower half, so that none is shown twice."""
        return tuple(self._worst[: min(self.size, self.seen - self.seen // 2)])

    @property
    def best(self) -> tuple[Exhibit, ...]:
        """Highest road IoU first; of few pictures the upper half."""
        return tuple(self._best[: min(self.size, self.seen // 2)])


def exhibit(prediction: Prediction, tile: TileScore) -> Exhibit:
    """The four thumbnails of a picture."""
    picture = prediction.picture
    found = prediction.levels >= tile.score.level
    return Exhibit(
        tile,
        picture=_thumbnail(picture.image),
        truth=_thumbnail(_grey(picture.road.astype(np.uint8) * np.uint8(255), picture.valid)),
        prediction=_thumbnail(_grey(prediction.levels, picture.valid)),
        errors=_thumbnail(error_map(picture, found)),
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


def _rank(tile: TileScore) -> tuple[float, str]:
    return tile.score.iou, tile.name


def _grey(values: NDArray[np.uint8], valid: NDArray[np.bool_]) -> NDArray[np.uint8]:
    shown = np.repeat(values[:, :, None], 3, axis=2)
    shown[~valid] = INVALID
    return shown


def _thumbnail(rgb: NDArray[np.uint8]) -> bytes:
    """A JPEG file of the picture, its longer side at most SIDE_PX."""
    height, width = rgb.shape[:2]
    shrink = min(1.0, SIDE_PX / max(height, width))
    size = max(1, round(width * shrink)), max(1, round(height * shrink))
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA)
    # Thin coloured lines are what the error map is about.
    return encode_jpeg(np.asarray(small, dtype=np.uint8), QUALITY, sharp_colours=True)
