"""Open handles of a raster, each lent to one thread at a time: GDAL takes no more at once."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Condition, Semaphore
from typing import Any

import numpy as np

from georoads.grid import Window
from georoads.scene.scene import Scene

UNIT_BYTES = 2**24
"""Bytes that several handles of a raster decode at once, at most. Where they are stretched they take
ten times as many."""
SPARE_HANDLES = 64
"""Handles besides the first of each raster, of all rasters that are read as one: files are no open end."""


def handles_for(source: Any, scene: Scene, unit: tuple[int, int], threads: int) -> int:
    """How many handles of a raster are of use: one where several would decode the same block.

    That is so where a block of the file is larger than what is asked for at once, or where blocks are not
    known (sources of a VRT, other formats than TIFF, a mask beside the raster).

    Args:
        source: the opened rasterio dataset.
        scene: what was found out about it.
        unit: (height, width) of what is asked for at once, pixels.
        threads: that ask.
    """
    file, (height, width) = scene.file, scene.written.block_shape
    has_mask = file.beside is not None and file.beside.mask is not None
    whole = Window(0, 0, *unit).intersect(scene.grid.window)
    splits = unit[0] % height or (unit[1] % width and unit[1] < scene.grid.width)
    if file.driver != "GTiff" or has_mask or splits:
        return 1
    return max(1, min(threads, UNIT_BYTES // (whole.size * bytes_of_pixel(source))))


def bytes_of_pixel(source: Any) -> int:
    """Bytes of a pixel of all bands of an opened rasterio dataset."""
    return sum(np.dtype(d).itemsize for d in source.dtypes)


class Handles:
    """Handles of one raster; the first is there, others are opened when threads ask for them."""

    def __init__(self, scene: Scene, first: Any, most: int, spare: Semaphore) -> None:
        """
        Args:
            scene: which raster.
            first: its opened rasterio dataset, which is closed with the others.
            most: handles at the same time.
            spare: how many more than one may be open, shared with other rasters.
        """
        self._file = scene.file
        self._most = most
        self._spare = spare
        self._opened = 1
        self._idle = [first]
        self._returned = Condition()

    @contextmanager
    def one(self) -> Iterator[Any]:
        """A handle that no other thread uses meanwhile; ``rasterio.Env(**file.options)`` must be around it.

        Raises:
            SceneError: the raster can no longer be opened.
        """
        source = self._idle_one()
        try:
            if source is None:
                source = self._file.open()
            yield source
        finally:
            with self._returned:
                if source is None:
                    self._give_up_one()
                else:
                    self._idle.append(source)
                self._returned.notify()

    def _idle_one(self) -> Any:
        """A handle that is lent from now on; None where one more may be opened."""
        with self._returned:
            while not self._idle:
                if self._opened < self._most and self._spare.acquire(blocking=False):
                    self._opened += 1
                    return None
                self._returned.wait()
            return self._idle.pop()

    def _give_up_one(self) -> None:
        self._opened -= 1
        self._spare.release()

    def close(self) -> None:
        """Close all handles; none is lent any more."""
        with self._returned:
            while self._idle:
                self._idle.pop().close()
                if self._opened > 1:
                    self._give_up_one()
