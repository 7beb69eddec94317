"""A skeleton of any size: its pixels and, for each, which neighbours belong to it too."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from georoads.grid import Window
from georoads.network.compiled import compiled
from georoads.network.mask.runs import Pixels, RunMask, by_block
from georoads.network.skeleton.neighbours import Table
from georoads.network.types import Each, ReadProbability


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
        return cls(mask.shape, pixels, _codes(pixels, mask.shape[1]))

    def dense(self) -> NDArray[np.bool_]:
        """(H, W) bool."""
        image = np.zeros(self.shape, np.bool_)
        image.reshape(-1)[self.pixels] = True
        return image


def read_levels(
    read: ReadProbability, skeleton: Skeleton, block_px: int, *, each: Each = map
) -> NDArray[np.uint8]:
    """(S,) uint8: the probability raster at the skeleton's pixels; only blocks that hold some are read, by
    ``each``."""
    height, width = skeleton.shape
    places, parts = [], []
    tops = np.arange(0, height, block_px)
    firsts = np.searchsorted(skeleton.pixels, np.append(tops, height) * width)
    for top, first, last in zip(tops.tolist(), firsts[:-1], firsts[1:], strict=True):
        rows, cols = np.divmod(skeleton.pixels[first:last], width)
        for block, here in by_block(cols // block_px):
            left = block * block_px
            window = Window(top, left, min(block_px, height - top), min(block_px, width - left))
            places.append(first + here)
            parts.append((window, rows[here] - top, cols[here] - left))
    levels = np.empty(len(skeleton.pixels), np.uint8)
    for place, level in zip(places, each(partial(_levels_at, read), parts), strict=True):
        levels[place] = level
    return levels


def _levels_at(read: ReadProbability, part: tuple[Window, Pixels, Pixels]) -> NDArray[np.uint8]:
    window, rows, cols = part
    return read(window)[rows, cols]


@compiled
def _codes(pixels: Pixels, width: int) -> Table:
    """The neighbour code of every pixel: each pair of neighbours is met once and sets a bit in both."""
    codes = np.zeros(len(pixels), np.uint8)
    below = 0
    for i in range(len(pixels)):
        pixel = pixels[i]
        col = pixel % width
        if i + 1 < len(pixels) and pixels[i + 1] == pixel + 1 and col + 1 < width:
            codes[i] |= 1 << 2
            codes[i + 1] |= 1 << 6
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
    """The place of a pixel that is among ``pixels``; ``near`` is the place of a neighbour of it.

    The search gallops away from there: pixels of the same row or the next lie close by.
    """
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
    while low < high:
        middle = (low + high) // 2
        if pixels[middle] < pixel:
            low = middle + 1
        else:
            high = middle
    return low
