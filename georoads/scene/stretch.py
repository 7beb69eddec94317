"""The stretch of a scene: how its values become the bytes that a network sees, by samples of its blocks."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georoads.grid import Window
from georoads.scene.blocks import BlockMap
from georoads.scene.colours import INVERTED
from georoads.scene.fill import describe_fills, find_fills
from georoads.scene.native import read_native
from georoads.scene.scene import Scene, SceneParams

SAMPLES = 64
"""The stretch is taken from so many blocks."""


def with_stretch(scene: Scene, source: Any, params: SceneParams, *, is_inverted: bool) -> Scene:
    """The scene with the stretch that all its tiles share, and the fill values that would spoil it.

    Args:
        scene: without a palette.
        source: the opened rasterio dataset of the scene.
        params: how it is to be read.
        is_inverted: its smallest value is white.
    """
    if params.rescale is not None:
        low, high = params.rescale
        return dataclasses.replace(scene, stretch=(((high, low) if is_inverted else (low, high)),) * 3)
    scene, sample = _without_fills(scene, source)
    if sample.shape[1] == 0:  # no pixel is valid
        return scene
    is_byte, top = scene.dtype == "uint8", 255.0 if scene.dtype == "uint8" else 0.0
    if is_inverted:
        sample = top - sample
    with np.errstate(over="ignore", invalid="ignore"):  # differences of the largest numbers there are
        lows, highs = np.nan_to_num(np.percentile(sample, (2, 98), axis=1))
    if is_byte and float(highs.max()) > 110:  # bytes that are not dark are taken as they are
        return dataclasses.replace(scene, stretch=INVERTED) if is_inverted else scene
    if len(set(scene.bands)) == 1:  # grey: the percentiles of one band are those of all
        lows, highs = np.full(3, lows[0]), np.full(3, highs[0])
    # A scene of one value still needs a range.
    stretch = tuple(
        (float(a), float(max(b, a + max(1e-6, 1e-3 * abs(a))))) for a, b in zip(lows, highs, strict=True)
    )
    if is_inverted:
        stretch = tuple((top - a, top - b) for a, b in stretch)
    said = f"values stretched from {stretch[0][0]:g}..{stretch[0][1]:g}, the same for the whole scene"
    return dataclasses.replace(scene, stretch=stretch, messages=(*scene.messages, said))


def _without_fills(scene: Scene, source: Any) -> tuple[Scene, NDArray[np.float64]]:
    """The scene with its fill values, and (3, N) samples of what is none. Bytes have none."""
    sample = _sample_values(scene, source)
    fills = () if scene.dtype == "uint8" else find_fills(sample)
    if not fills:
        return scene, sample
    messages = (*scene.messages, *describe_fills(fills, sample))
    scene = dataclasses.replace(scene, fills=fills, messages=messages)
    sample = sample[:, ~np.isin(sample, fills).any(axis=0)]
    return scene, sample if sample.size else _sample_values(scene, source)


def sample_windows(written: BlockMap) -> list[Window]:
    """The middles of up to SAMPLES blocks of a raster, spread evenly."""
    positions = written.positions()
    return [_middle_of(written, positions[i]) for i in _spread_evenly(len(positions))]


def _spread_evenly(count: int) -> NDArray[np.int64]:
    """Numbers of up to SAMPLES of so many blocks."""
    if count <= SAMPLES:
        return np.arange(count)
    # Multiples of the golden ratio spread evenly, along the rows of blocks and across them.
    shares = np.arange(SAMPLES) * ((math.sqrt(5) - 1) / 2) % 1.0
    return np.unique((shares * count).astype(np.int64))


def _sample_values(scene: Scene, source: Any) -> NDArray[np.float64]:
    """(3, N) valid values of up to SAMPLES blocks, spread evenly; of more only while none is valid."""
    positions = scene.written.positions()
    chosen = _spread_evenly(len(positions))
    parts = [_sample_block(scene, source, positions[i]) for i in chosen]
    # Where no block has a valid pixel, the others are tried one by one until one has.
    rest = iter(np.setdiff1d(np.arange(len(positions)), chosen))
    while not any(p.size for p in parts) and (i := next(rest, None)) is not None:
        parts = [_sample_block(scene, source, positions[i])]
    return np.concatenate([np.empty((3, 0)), *parts], axis=1)


def _sample_block(scene: Scene, source: Any, position: NDArray[np.int64]) -> NDArray[np.float64]:
    """(3, N) valid values of a block, of its middle where it is large; about 10,000 of them."""
    middle = _middle_of(scene.written, position)
    values, valid = read_native(source, scene, middle)
    return values[:, valid][:, :: max(1, middle.size // 9000)].astype(np.float64)


def _middle_of(written: BlockMap, position: NDArray[np.int64]) -> Window:
    """The rows in the middle of a block, all of them where it is not large."""
    block = written.block(*position.tolist())
    height = min(block.height, max(1, 2**18 // block.width))
    return Window(block.row + (block.height - height) // 2, block.col, height, block.width)
