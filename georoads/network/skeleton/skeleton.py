"""A skeleton of any size: its pixels and, for each, which neighbours belong to it too."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from georoads.compiled import compiled
from georoads.grid import Window
from georoads.network.mask.runs import Pixels, RunMask, by_block
from georoads.network.skeleton.neighbours import Table
from georoads.network.types import BlockPlan, ReadProbability


@dataclass(frozen=True)
class Skeleton:
    """The pixels of a thin mask, in reading order.

    Attributes:
        shape: (height, width) of the raster.
        pixels: (S,) int64 ids, row * width + col, ascending.
        codes: (S,) uint8 neighbour codes (see ``neighbours``).
    """

    shape: tuple[int, int]
    pixels: Pixels
    codes: Table

    @classmethod
    def of(cls, mask: RunMask) -> Skeleton:
        """The pixels of a mask, which should be thin."""
        pixels = mask.pixels()
        return cls(mask.shape, pixels, _neighbour_codes(pixels, mask.shape[1]))


@dataclass(frozen=True)
class _Places:
    """Rows and columns of pixels within a window."""

    window: Window
    rows: NDArray[np.int64]
    cols: NDArray[np.int64]


def read_levels(read: ReadProbability, skeleton: Skeleton, plan: BlockPlan) -> NDArray[np.uint8]:
    """The probability raster at the skeleton's pixels.

    Args:
        read: gives (height, width) uint8 of a window inside the raster: round(254 p), 255 = nodata.
        skeleton: whose pixels.
        plan: the blocks, of which only those that hold some are read, and by whom.

    Returns:
        (S,) uint8.
    """
    height, width = skeleton.shape
    places, parts = [], []
    # Pixels are in reading order: those of a row of blocks follow each other.
    tops = np.arange(0, height, plan.block_px)
    firsts = np.searchsorted(skeleton.pixels, np.append(tops, height) * width)
    for top, first, last in zip(tops.tolist(), firsts[:-1], firsts[1:], strict=True):
        rows, cols = np.divmod(skeleton.pixels[first:last], width)
        for block, here in by_block(cols // plan.block_px):
            left = block * plan.block_px
            window = Window(top, left, min(plan.block_px, height - top), min(plan.block_px, width - left))
            places.append(first + here)
            parts.append(_Places(window, rows[here] - top, cols[here] - left))
    levels = np.empty(len(skeleton.pixels), np.uint8)
    for place, level in zip(places, plan.parallel_map(partial(_levels_at, read), parts), strict=True):
        levels[place] = level
    return levels


def _levels_at(read: ReadProbability, places: _Places) -> NDArray[np.uint8]:
    """(K,) uint8: the raster at some places of a window, which is read as a whole."""
    return read(places.window)[places.rows, places.cols]


@compiled
def _neighbour_codes(pixels: Pixels, width: int) -> Table:
    """The neighbour code of every pixel: each pair of neighbours is met once and sets a bit in both."""
    codes = np.zeros(len(pixels), np.uint8)
    below = 0
    for i in range(len(pixels)):
        pixel = pixels[i]
        col = pixel % width
        # The next pixel of the list is its eastern neighbour, or none is.
        if i + 1 < len(pixels) and pixels[i + 1] == pixel + 1 and col + 1 < width:
            codes[i] |= 1 << 2
            codes[i + 1] |= 1 << 6
        # South-west, south and south-east follow each other in the list; ``below`` only moves ahead.
        while below < len(pixels) and pixels[below] < pixel + width - 1:
            below += 1
        for j in range(below, min(below + 3, len(pixels))):
            step = pixels[j] - pixel - width
            if step > 1:
                break
            if 0 <= col + step < width:
                codes[i] |= 1 << (4 - step)
                codes[j] |= 1 << ((8 - step) % 8)
    return codes


@compiled
def place_of(pixels: Pixels, pixel: int, near: int) -> int:
    """The place of a pixel in a list, searched from a neighbour: its own row and the next lie close by.

    Args:
        pixels: (S,) int64 ids, ascending.
        pixel: one of them.
        near: the place of a neighbour of it.
    """
    # Gallop: double the step until the pixel lies between low and high.
    low = high = near
    step = 1
    if pixels[near] < pixel:
        while high < len(pixels) and pixels[high] < pixel:
            low = high
            high += step
            step *= 2
        high = min(high, len(pixels) - 1)
    else:
        while low > 0 and pixels[low] > pixel:
            high = low
            low -= step
            step *= 2
        low = max(low, 0)
    # Bisect what is left.
    while low < high:
        middle = (low + high) // 2
        if pixels[middle] < pixel:
            low = middle + 1
        else:
            high = middle
    return low
