"""Which blocks of a TIFF are in the file at all, told by its index alone: none is decoded."""

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
        block_shape: (height, width) of a block, pixels.
        marked: (rows, columns) of blocks, bool.
        window: the whole raster.
    """

    block_shape: tuple[int, int]
    marked: NDArray[np.bool_]
    window: Window

    def any(self, window: Window) -> bool:
        """Whether there is a yes in a window."""
        return bool(self._marked_under(window).any())

    def all(self, window: Window) -> bool:
        """Whether there is nothing but yes in a window."""
        return bool(self._marked_under(window).all())

    def per_pixel(self, window: Window) -> NDArray[np.bool_]:
        """(height, width) bool of a window inside the raster, per pixel."""
        rows = np.arange(window.row, window.row + window.height) // self.block_shape[0]
        cols = np.arange(window.col, window.col + window.width) // self.block_shape[1]
        return self.marked[np.ix_(rows, cols)]

    def split(self, window: Window) -> Iterator[Window]:
        """The parts of a window, inside the raster, that lie in one block each."""
        height, width = self.block_shape
        for row in range(window.row // height, -(-(window.row + window.height) // height)):
            for col in range(window.col // width, -(-(window.col + window.width) // width)):
                yield self.block(row, col).intersect(window)

    def block(self, row: int, col: int) -> Window:
        """The pixels of a block."""
        height, width = self.block_shape
        return Window(row * height, col * width, height, width).intersect(self.window)

    def positions(self) -> NDArray[np.int64]:
        """(N, 2) int64 row and column of the blocks with a yes, in reading order."""
        return np.argwhere(self.marked)

    def _marked_under(self, window: Window) -> NDArray[np.bool_]:
        """(rows, columns) bool of the blocks that a window meets."""
        inside = window.intersect(self.window)
        height, width = self.block_shape
        rows = slice(inside.row // height, -(-(inside.row + inside.height) // height))
        cols = slice(inside.col // width, -(-(inside.col + inside.width) // width))
        return self.marked[rows, cols] if inside.size else self.marked[:0]


def written_blocks(path: Path, source: Any, bands: Iterable[int], size: int | None) -> BlockMap:
    """The blocks that the file holds for any of the bands; other formats than TIFF hold all of them.

    Args:
        path: of the raster, for messages.
        source: the opened rasterio dataset.
        bands: band numbers, from 1.
        size: of the file in bytes, where a block that ends beyond it is to be refused; else None.

    Raises:
        SceneError: a block ends beyond the file's end; there are too many blocks, or too large ones.
    """
    blocks = _all_blocks(path, source)
    if source.driver != "GTiff":
        return blocks
    marked = np.zeros_like(blocks.marked)
    # Where the bands are interleaved by pixel, a block holds all of them.
    for band in [1] if _is_by_pixel(source) else sorted(set(bands)):
        last = -1, 0, 0
        for row, col in np.ndindex(marked.shape):
            begin = block_offset(source, row, col, band)
            if begin is not None:
                marked[row, col] = True
                last = max(last, (begin, row, col))
        # Blocks do not overlap: when the last one is whole, so are the others.
        begin, row, col = last
        if size is not None and begin >= 0:
            end = begin + int(source.get_tag_item(f"BLOCK_SIZE_{col}_{row}", "TIFF", bidx=band) or 0)
            if end > size:
                block = blocks.block(row, col)
                raise SceneError(
                    f"{path} was cut off: it has {size} bytes, but its block at row {block.row}, "
                    f"column {block.col} (byte {begin}) would end at byte {end}",
                    "copy it again; or --set scene.skip_bad=true takes what is missing for nodata",
                )
    if len(marked) > 1 and blocks.block_shape[0] == 1 and marked.sum() == 1 and marked[0, 0]:
        return blocks  # one strip that GDAL hands out line by line
    return BlockMap(blocks.block_shape, marked, blocks.window)


def _all_blocks(path: Path, source: Any) -> BlockMap:
    """The blocks of an opened raster, a yes for each."""
    height, width = source.block_shapes[0]
    rows, cols = -(-source.height // height), -(-source.width // width)
    if rows * cols > MAX_BLOCKS:
        raise SceneError(f"{path} has {rows * cols} blocks of {width} x {height} pixels", REWRITE)
    pixel_bytes = sum(np.dtype(d).itemsize for d in source.dtypes) if _is_by_pixel(source) else 8
    if height * width * pixel_bytes > MAX_BLOCK_BYTES:
        raise SceneError(f"{path} has blocks of {width} x {height} pixels, too large to be decoded", REWRITE)
    window = Window(0, 0, source.height, source.width)
    return BlockMap((height, width), np.ones((rows, cols), dtype=bool), window)


def block_offset(source: Any, row: int, col: int, band: int) -> int | None:
    """Where a block of a TIFF begins in the file.

    Args:
        source: the opened rasterio dataset.
        row, col: of the block, among blocks.
        band: band number, from 1.

    Returns:
        The byte; None where the block is not in the file.
    """
    offset = source.get_tag_item(f"BLOCK_OFFSET_{col}_{row}", "TIFF", bidx=band)
    return None if offset is None else int(offset)


def _is_by_pixel(source: Any) -> bool:
    return bool(source.tags(ns="IMAGE_STRUCTURE").get("INTERLEAVE") == "PIXEL")
