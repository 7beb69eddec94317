"""Predicting a picture that is in memory, by the same tiles and blending as a scene; filling gaps."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from georoads.grid import Window
from georoads.inference.runtime import Runtime, tile_levels
from georoads.inference.tiles import TilePlan, blend
from georoads.model.card import ModelCard
from georoads.model.pixels import fill_invalid

Picked = TypeVar("Picked", np.uint8, np.bool_)


def predict_picture(
    rgb: NDArray[np.uint8], valid: NDArray[np.bool_], card: ModelCard, runtime: Runtime
) -> NDArray[np.uint8]:
    """Levels round(254 p) of a picture at the model's GSD.

    Args:
        rgb: (bands, H, W) uint8.
        valid: (H, W) bool.
        card: of the model.
        runtime: the network.

    Returns:
        (H, W) uint8 in 0..254; where a pixel is invalid the level is still the network's.
    """
    plan = TilePlan(valid.shape[0], valid.shape[1], card.tile_px, card.overlap_px)
    levels: dict[int, NDArray[np.uint8]] = {}
    for first in range(0, len(plan), runtime.batch):
        indices = range(first, min(first + runtime.batch, len(plan)))
        cuts = [cut_reflected(rgb, valid, plan.window(i)) for i in indices]
        tiles = [fill_invalid(*cut) for cut in cuts]
        levels |= dict(zip(indices, tile_levels(runtime, tiles), strict=True))
    return blend(plan, Window(0, 0, valid.shape[0], valid.shape[1]), levels)


def cut_reflected(
    rgb: NDArray[np.uint8], valid: NDArray[np.bool_], window: Window
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """A window of a picture; what lies beyond the picture's border is filled by reflection.

    Args:
        rgb: (bands, H, W) uint8.
        valid: (H, W) bool.
        window: it must start inside the picture.

    Returns:
        Pixels (bands, height, width) and validity (height, width) of the window.
    """
    rows = reflect_index(np.arange(window.row, window.row + window.height), valid.shape[0])
    cols = reflect_index(np.arange(window.col, window.col + window.width), valid.shape[1])
    return _pick(rgb, rows, cols), _pick(valid, rows, cols)


def _pick(values: NDArray[Picked], rows: NDArray[np.int64], cols: NDArray[np.int64]) -> NDArray[Picked]:
    """Rows and columns of (…, H, W), of which the first columns lie beside each other."""
    west = int(cols.min())
    picked = values[..., west : int(cols.max()) + 1].take(rows, axis=-2)
    # Columns are copied as they lie as far as they do: picking one by one takes twenty times as long.
    beside = int(np.argmax(np.diff(cols, append=cols[-1]) != 1)) + 1
    if beside == len(cols):
        return picked
    first = int(cols[0]) - west
    return np.concatenate(
        (picked[..., first : first + beside], picked.take(cols[beside:] - west, axis=-1)), axis=-1
    )


def reflect_index(index: NDArray[np.int64], size: int) -> NDArray[np.int64]:
    """Indices folded back into 0..size-1 by reflection about the border pixels' centres, repeatedly."""
    if size == 1:
        return np.zeros_like(index)
    period = 2 * (size - 1)
    folded = np.mod(index, period)
    return np.asarray(np.minimum(folded, period - folded), dtype=np.int64)
