"""Writing the probability raster: blocks are blended and compressed by threads, and written in order.

GDAL writes the file's header, with place and metadata; compressed blocks are appended behind it as they come,
and where they lie is noted in the header at the end. When GDAL writes blocks itself, it keeps them in a cache
that it shares with all that is read meanwhile, and whichever thread needs room writes them: their order in
the file hangs on chance.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from georoads.grid import Grid, Window
from georoads.inference.raster import BLOCK
from georoads.levels import NODATA, p_of
from georoads.network.types import ParallelMap

LEVEL = 4
"""Of compression: of levels of roads the file is 3 % larger than at 6, which takes half as long again."""
_TABLES = 324, 325
"""TIFF's tags of where the blocks begin, and of the number of their bytes."""

Block = tuple[Window, Callable[[], NDArray[np.uint8]]]
"""A window of BLOCK x BLOCK pixels, at the grid's edge a smaller one, and what gives its levels."""


def write_raster(
    path: Path, grid: Grid, blocks: Iterable[Block], tags: Mapping[str, str], parallel_map: ParallelMap = map
) -> None:
    """Write a probability raster.

    Args:
        path: the file to write.
        grid: of the raster.
        blocks: written in their order, so that equal input gives equal bytes. Blocks that are not given, or
            hold nothing but nodata, are not in the file; GDAL reads nodata there.
        tags: metadata by name.
        parallel_map: makes levels and compresses; the bytes do not depend on it.
    """
    _write_header(path, grid, tags)
    across = -(-grid.width // BLOCK)
    with path.open("r+b") as file:
        out = _BlockFile(file, across * -(-grid.height // BLOCK))
        for window, content in parallel_map(_compressed, blocks):
            if content is not None:
                out.append(window.row // BLOCK * across + window.col // BLOCK, content)
        out.finish()


def _write_header(path: Path, grid: Grid, tags: Mapping[str, str]) -> None:
    """Let GDAL write a raster without a block."""
    import rasterio

    profile = {
        "driver": "GTiff", "dtype": "uint8", "count": 1, "width": grid.width, "height": grid.height,
        "crs": grid.crs, "transform": grid.transform, "nodata": NODATA, "tiled": True,
        "blockxsize": BLOCK, "blockysize": BLOCK, "compress": "deflate", "predictor": 2,
        "BIGTIFF": "IF_SAFER", "SPARSE_OK": True, "ENDIANNESS": "LITTLE",
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as out:
        out.scales = (p_of(1),)
        out.set_band_description(1, "road_probability")
        out.update_tags(**tags)


def _compressed(block: Block) -> tuple[Window, bytes | None]:
    """A block as it stands in the file; None where it holds nothing but nodata."""
    window, levels_of = block
    levels = levels_of()
    if (levels == NODATA).all():
        return window, None
    if levels.shape != (BLOCK, BLOCK):  # beyond the grid its edge goes on, which takes the fewest bytes
        rest = BLOCK - window.height, BLOCK - window.width
        levels = np.pad(levels, ((0, rest[0]), (0, rest[1])), mode="edge")
    # TIFF's predictor: each pixel's difference from the one before it, modulo 256.
    apart = levels.copy()
    apart[:, 1:] -= levels[:, :-1]
    return window, zlib.compress(apart.data, LEVEL)


@dataclass(frozen=True)
class _Layout:
    """How numbers stand in a TIFF, the classic one or BigTIFF; forms are those of ``struct``.

    Attributes:
        directory: form and place of the number that says where the directory is.
        count: form of the number of the directory's entries.
        entry: form of an entry: tag, type, number of values, and the value, or where the values are.
        number: numpy's type of an offset, and of a number of bytes.
        number_type: the same in TIFF's counting.
    """

    directory: tuple[str, int]
    count: str
    entry: str
    number: str
    number_type: int


_CLASSIC = _Layout(("<I", 4), "<H", "<HHII", "<u4", 4)
_BIG = _Layout(("<Q", 8), "<Q", "<HHQQ", "<u8", 16)


class _BlockFile:
    """A little-endian TIFF without a block, to which compressed blocks are appended."""

    def __init__(self, file: IO[bytes], blocks: int) -> None:
        """
        Args:
            file: opened to read and write; it stays open.
            blocks: number of those that the file may hold.
        """
        self._file = file
        self._layout = _BIG if file.read(3)[2] == 43 else _CLASSIC
        self._number = np.dtype(self._layout.number)
        self._where = np.zeros((2, blocks), self._number)  # where each begins, and its bytes
        self._end = file.seek(0, 2)
        self._end += self._end % 2
        # The numbers stand before the blocks, as readers over a network like it.
        self._tables = self._end
        self._end += self._where.nbytes
        file.truncate(self._end)
        file.seek(self._end)

    def append(self, number: int, content: bytes) -> None:
        """Write a block.

        Args:
            number: of the block, counted along the rows of blocks.
            content: compressed.
        """
        self._where[:, number] = self._end, len(content)
        self._file.write(content)
        self._end += len(content)

    def finish(self) -> None:
        """Note in the header where the blocks are."""
        self._file.seek(self._tables)
        self._file.write(self._where.tobytes())
        layout, blocks = self._layout, self._where.shape[1]
        directory = self._read(*layout.directory)[0]
        at = directory + struct.calcsize(layout.count)
        for _ in range(self._read(layout.count, directory)[0]):
            tag = self._read(layout.entry, at)[0]
            if tag in _TABLES:
                row = _TABLES.index(tag)
                table = self._tables + row * blocks * self._number.itemsize
                # A single value stands in the entry itself.
                value = int(self._where[row, 0]) if blocks == 1 else table
                self._file.seek(at)
                self._file.write(struct.pack(layout.entry, tag, layout.number_type, blocks, value))
            at += struct.calcsize(layout.entry)

    def _read(self, form: str, at: int) -> tuple[int, ...]:
        self._file.seek(at)
        return struct.unpack(form, self._file.read(struct.calcsize(form)))
