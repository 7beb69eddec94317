"""Predicting one picture that is already in memory, by the same tiles and blending as a scene."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from georoads.grid import Window
from georoads.inference.runtime import Runtime, normalize, to_levels
from georoads.inference.tiles import TilePlan, blend
from georoads.model.card import ModelCard


def predict_picture(
    rgb: NDArray[np.uint8], valid: NDArray[np.bool_], card: ModelCard, runtime: Runtime
) -> NDArray[np.uint8]:
    """Levels round(254 p) of a picture at the model's GSD.

    Args:
        rgb: (bands, H, W) uint8.
        valid: (H, W) bool.

    Returns:
        (H, W) uint8 in 0..254; where a pixel is invalid the level is still the network's.
    """
    plan = TilePlan(valid.shape[0], valid.shape[1], card.tile_px, card.overlap_px)
    levels = {}
    for i in range(len(plan)):
        tile_rgb, tile_valid = cut_reflected(rgb, valid, plan.window(i))
        batch = normalize(tile_rgb, tile_valid, card.mean, card.std)[None]
        levels[i] = to_levels(runtime.logits(batch))[0]
    return blend(plan, Window(0, 0, valid.shape[0], valid.shape[1]), levels)


def cut_reflected(
    rgb: NDArray[np.uint8], valid: NDArray[np.bool_], window: Window
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """A window of a picture; what lies beyond the picture's border is filled by reflection.

    The window must start inside the picture.
    """
    rows = reflect_index(np.arange(window.row, window.row + window.height), valid.shape[0])
    cols = reflect_index(np.arange(window.col, window.col + window.width), valid.shape[1])
    return rgb[:, rows[:, None], cols], valid[rows[:, None], cols]


def reflect_index(index: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Indices folded back into 0..size-1 by reflection about the border pixels' centres, however far."""
    if size == 1:
        return np.zeros_like(index)
    period = 2 * (size - 1)
    folded = np.mod(index, period)
    return np.asarray(np.minimum(folded, period - folded), dtype=np.int64)
