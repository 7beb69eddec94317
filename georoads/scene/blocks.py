"""Which blocks of a TIFF are in the file at all, from its index alone: none is decoded."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georoads.errors import SceneError
from georoads.grid import Window

MAX_BLOCKS = 2**23
"""100,000 megapixels in blocks of 128 are six million, whose index is looked through in seconds."""
MAX_BLOCK_BYTES = 2**30
REWRITE = "rewrite it: gdal_translate -of COG -co BLOCKSIZE=512 -co BIGTIFF=IF_SAFER"


@dataclass(frozen=True, eq=False)
class BlockMap:
    """A yes or no for every block of a raster.

    Attributes:
        shape: (height, width) of a block, pixels.
        at: (rows, columns) of blocks, bool.
        window: the whole raster.
    """

    shape: tuple[int, int]
    at: NDArray[np.bool_]
    window: Window

    def any(self, window: Window) -> bool:
        """Whether there is a yes in a window."""
        return bool(self._part(window).any())

    def all(self, window: Window) -> bool:
        """Whether there is nothing but yes in a window."""
        return bool(self._part(window).all())

    def dense(self, window: Window) -> NDArray[np.bool_]:
        """(height, width) bool of a window inside the raster, per pixel."""
        rows = np.arange(window.row, window.row + window.height) // self.shape[0]
        cols = np.arange(window.col, window.col + window.width) // self.shape[1]
        return self.at[np.ix_(rows, cols)]

    def touched(self, window: Window) -> Iterator[Window]:
        """The parts of a window, inside the raster, that lie in one block each."""
        height, width = self.shape
        for row in range(window.row // height, -(-(window.row + window.height) // height)):
            for col in range(window.col // width, -(-(window.col + window.width) // width)):
                yield self.block(row, col).intersect(window)

    def block(self, row: int, col: int) -> Window:
        """The pixels of a block."""
        height, width = self.shape
        return Window(row * height, col * width, height, width).intersect(self.window)

    def places(self) -> NDArray[np.int64]:
        """(N, 2) row and column of the blocks with a yes, in reading order."""
        return np.argwhere(self.at)

    def _part(self, window: Window) -> NDArray[np.bool_]:
        inside = window.intersect(self.window)
        height, width = self.shape
        rows = slice(inside.row // height, -(-(inside.row + inside.height) // height))
        cols = slice(inside.col // width, -(-(inside.col + inside.width) // width))
        return self.at[rows, cols] if inside.size else self.at[:0]


def block_index(path: Path, source: Any) -> BlockMap:
    """The blocks of an opened raster, a yes for each.

    Raises:
        SceneError: there are too many of them, or they are too large to be decoded one by one.
    """
    height, width = source.block_shapes[0]
    rows, cols = -(-source.height // height), -(-source.width // width)
    if rows * cols > MAX_BLOCKS:
        raise SceneError(f"{path} has {rows * cols} blocks of {width} x {height} pixels", REWRITE)
    together = sum(np.dtype(d).itemsize for d in source.dtypes) if _is_by_pixel(source) else 8
    if height * width * together > MAX_BLOCK_BYTES:
        raise SceneError(f"{path} has blocks of {width} x {height} pixels, too large to be decoded", REWRITE)
    window = Window(0, 0, source.height, source.width)
    return BlockMap((height, width), np.ones((rows, cols), dtype=bool), window)


def written_blocks(path: Path, source: Any, bands: Iterable[int], size: int | None) -> BlockMap:
    """The blocks that the file holds for any of the bands; other formats than TIFF hold all of them.

    Args:
        size: of the file in bytes, where a block that ends beyond it is to be refused; else None.

    Raises:
        SceneError: a block ends beyond the file's end, or as ``block_index``.
    """
    blocks = block_index(path, source)
    if source.driver != "GTiff":
        return blocks
    at = np.zeros_like(blocks.at)
    for band in [1] if _is_by_pixel(source) else sorted(set(bands)):
        last = -1, 0, 0
        for row, col in np.ndindex(at.shape):
            offset = block_offset(source, row, col, band)
            if offset is not None:
                at[row, col] = True
                last = max(last, (offset, row, col))
        if size is not None and last[0] >= 0:
            _check_end(path, source, band, last, size)
    if at.shape[0] > 1 and blocks.shape[0] == 1 and at.sum() == 1 and at[0, 0]:
        return blocks  # one strip that GDAL hands out line by line
    return BlockMap(blocks.shape, at, blocks.window)


def block_offset(source: Any, row: int, col: int, band: int) -> int | None:
    """Where a block of a TIFF begins, in bytes; None when it is not in the file."""
    offset = source.get_tag_item(f"BLOCK_OFFSET_{col}_{row}", "TIFF", bidx=band)
    return None if offset is None else int(offset)


def _check_end(path: Path, source: Any, band: int, last: tuple[int, int, int], size: int) -> None:
    """Blocks do not overlap: when the last one is whole, so are the others."""
    offset, row, col = last
    end = offset + int(source.get_tag_item(f"BLOCK_SIZE_{col}_{row}", "TIFF", bidx=band) or 0)
    if end > size:
        height, width = source.block_shapes[band - 1]
        raise SceneError(
            f"{path} was cut off: it has {size} bytes, but its block at row {row * height}, "
            f"column {col * width} (byte {offset}) would end at byte {end}",
            "copy it again; or --set scene.skip_bad=true takes what is missing for nodata",
        )


def _is_by_pixel(source: Any) -> bool:
    return bool(source.tags(ns="IMAGE_STRUCTURE").get("INTERLEAVE") == "PIXEL")
