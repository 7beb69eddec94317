"""Reading windows of a scene on the working grid."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass
from threading import Condition, Semaphore, local
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georoads.errors import SceneError
from georoads.grid import Grid, Points, Window
from georoads.scene.handles import SPARE_HANDLES, UNIT_BYTES, Handles, bytes_of_pixel, handles_for
from georoads.scene.native import read_native, reading_unit, to_bytes
from georoads.scene.scene import Scene
from georoads.scene.working_grid import own_corner
from georoads.workers.threads import Room

KEEP_BYTES = 2**25
"""Decoded pixels that a reader keeps at most: half of a row of blocks of a scene 43,000 pixels wide, which is
what is still to be asked for on average. Of a wider scene blocks are decoded twice."""
MAX_SAMPLES = 8
"""Samples that are taken along each side of a working pixel at most, of a scene however fine."""
NOWHERE_PX = 2.0**30
"""Pixel coordinate of a place that the scene's CRS cannot express."""
CACHE_BYTES = 2 * UNIT_BYTES
"""GDAL's own cache, beside which ours stands; its default grows with the machine's memory."""
WARP_BYTES = 2**28
"""Memory for windows that are resampled at the same time; a single one may take more."""

RgbPixels = tuple[NDArray[np.uint8], NDArray[np.bool_]]
"""RGB (3, H, W) uint8, 0 where a pixel is invalid, and validity (H, W)."""


@dataclass(frozen=True)
class _DecodedBlock:
    """What is kept of a decoded block.

    Attributes:
        row: of the scene, from which on the block's rows are kept.
        rgb: (3, H, W) uint8, 0 where a pixel is invalid.
        valid: (H, W) bool; None where all pixels are valid.
    """

    row: int
    rgb: NDArray[np.uint8]
    valid: NDArray[np.bool_] | None

    def without_rows_above(self, row: int) -> _DecodedBlock:
        """The rest of the block; what lies above is freed."""
        cut = row - self.row
        return _DecodedBlock(
            row, self.rgb[:, cut:].copy(), None if self.valid is None else self.valid[cut:].copy()
        )


class _BlockCache:
    """The scene's own pixels as RGB bytes, decoded in whole blocks of the file, each kept while it is of use.

    Files in strips are read in bands as wide as the scene; small blocks are read several at once. Threads may
    read side by side: a block that one of them decodes is waited for by the others.
    """

    def __init__(self, handles: Handles, scene: Scene, options: dict[str, Any]) -> None:
        """
        Args:
            handles: of the scene's file.
            scene: which one.
            options: of GDAL, while it decodes.
        """
        self._handles = handles
        self._scene = scene
        self._options = options
        self._shape = reading_unit(scene.written.block_shape, scene.grid)
        self._kept: OrderedDict[Window, _DecodedBlock] = OrderedDict()
        self._bytes = 0
        self._decoding: set[Window] = set()
        self._decoded = Condition()  # held while any of the three above is touched

    def read(self, area: Window) -> RgbPixels:
        """RGB (3, H, W) uint8, 0 where a pixel is invalid, and validity (H, W) of an area in the scene."""
        rgb, valid = self._blank(area)
        for block, kept in self._decoded_over(area):
            common = block.intersect(area)
            here = common.relative_to(area).slices  # of the result
            # Of the block, whose upper rows may be gone.
            there = Window(common.row - kept.row, common.col - block.col, common.height, common.width).slices
            rgb[(slice(None), *here)] = kept.rgb[(slice(None), *there)]
            valid[here] = True if kept.valid is None else kept.valid[there]
        return rgb, valid

    def _blank(self, area: Window) -> RgbPixels:
        """Room for an area's pixels; none of them is valid, where not all of them will be written to."""
        make = np.empty if self._scene.written.all(area) else np.zeros
        return make((3, area.height, area.width), np.uint8), make((area.height, area.width), np.bool_)

    def _decoded_over(self, area: Window) -> Iterator[tuple[Window, _DecodedBlock]]:
        """The blocks that an area needs and the file holds: those that another thread decodes come last.

        Raises:
            SceneError: of the first block, in reading order, that cannot be read.
        """
        error: SceneError | None = None
        others: list[Window] = []
        for block in self._blocks_over(area):
            if not self._scene.written.any(block):
                continue
            try:
                kept = self._decode(block, max(block.row, area.row), wait=False)
            except SceneError as e:
                error = e
                break
            if kept is None:
                others.append(block)
            else:
                yield block, kept
        for block in others:
            kept = self._decode(block, max(block.row, area.row), wait=True)
            if kept is not None:
                yield block, kept
        if error is not None:
            raise error

    def forget(self, row: int, col: float) -> None:
        """Let go of what lies above a row in the blocks that end west of a column."""
        with self._decoded:
            for block in [b for b in self._kept if b.row < row and b.col + b.width <= col]:
                kept = self._kept[block]
                if block.row + block.height <= row:
                    self._drop(block)
                elif kept.row < row:
                    self._kept[block] = rest = kept.without_rows_above(row)
                    self._bytes -= kept.rgb.nbytes - rest.rgb.nbytes

    def _blocks_over(self, area: Window) -> list[Window]:
        """What is decoded at once for an area: blocks of the file, or groups of them, in reading order."""
        height, width = self._shape
        rows = range(area.row // height * height, area.row + area.height, height)
        cols = range(area.col // width * width, area.col + area.width, width)
        scene = self._scene.grid.window
        return [Window(row, col, height, width).intersect(scene) for row in rows for col in cols]

    def _decode(self, block: Window, row: int, *, wait: bool) -> _DecodedBlock | None:
        """A block, at least from a row on: kept, or decoded now.

        Where another thread decodes it just now that is waited for, or the answer is None.
        """
        with self._decoded:
            while block in self._decoding:
                if not wait:
                    return None
                self._decoded.wait()
            if block in self._kept:
                self._kept.move_to_end(block)
                if self._kept[block].row <= row:
                    return self._kept[block]
                self._drop(block)
            self._decoding.add(block)
        decoded = None
        try:
            decoded = self._decode_now(block)
            return decoded
        finally:  # where it cannot be decoded, who waits for it tries, and says why
            with self._decoded:
                self._decoding.remove(block)
                if decoded is not None:
                    self._keep(block, decoded)
                self._decoded.notify_all()

    def _decode_now(self, block: Window) -> _DecodedBlock:
        import rasterio

        # Entered for each block, since several readers may be open in a thread, and threads have their own.
        with rasterio.Env(**self._options), self._handles.one() as source:
            values, valid = read_native(source, self._scene, block)
        rgb = to_bytes(values, self._scene)
        whole = bool(valid.all())
        if not whole:
            rgb *= valid  # invalid pixels become 0
        return _DecodedBlock(block.row, rgb, None if whole else valid)

    def _keep(self, block: Window, decoded: _DecodedBlock) -> None:
        self._kept[block] = decoded
        self._bytes += decoded.rgb.nbytes
        # The block that was not asked for longest goes first.
        while self._bytes > KEEP_BYTES and len(self._kept) > 1:
            self._drop(next(iter(self._kept)))

    def _drop(self, block: Window) -> None:
        self._bytes -= self._kept.pop(block).rgb.nbytes


def _gdal_cache(source: Any) -> int:
    """Bytes for GDAL's cache: room for a few blocks of this file, however large they are."""
    height, width = max(source.block_shapes)
    return int(max(CACHE_BYTES, 2 * height * width * bytes_of_pixel(source)))


class SceneReader:
    """An open scene that reads windows of the working grid, for several threads at once.

    Where windows come about in reading order, each block of the file is decoded once.
    """

    def __init__(self, scene: Scene, grid: Grid, *, threads: int = 1, spare: Semaphore | None = None) -> None:
        """
        Args:
            scene: which one.
            grid: the working grid.
            threads: that read at the same time, at most; others wait.
            spare: how many handles besides the first may be open, shared with other readers.
        """
        import rasterio

        self.scene = scene
        self.grid = grid
        self._corner = own_corner(scene.grid, grid)
        options = scene.file.options
        with rasterio.Env(**options):
            source = scene.file.open()
        unit = reading_unit(scene.written.block_shape, scene.grid)
        handles = handles_for(source, scene, unit, threads)
        self._handles = Handles(scene, source, handles, spare or Semaphore(SPARE_HANDLES))
        self._blocks = _BlockCache(self._handles, scene, {**options, "GDAL_CACHEMAX": _gdal_cache(source)})
        self._is_dense = scene.written.all(scene.grid.window)
        self._of_thread = local()
        self._room = Room(WARP_BYTES)

    def __enter__(self) -> SceneReader:
        return self

    def __exit__(self, *error: object) -> None:
        self._handles.close()

    def holds(self, window: Window) -> bool:
        """False where a window certainly meets no block that the file holds, as most do in a sparse file."""
        return self._may_hold(window) if self._corner is None else self.scene.written.any(self._own(window))

    def read(self, window: Window) -> RgbPixels:
        """RGB (3, H, W) uint8 and validity (H, W) of a window inside the working grid.

        RGB is 0 where a pixel is invalid.
        """
        if not self.holds(window):
            return _no_pixels(window)
        if self._corner is not None:
            return self._blocks.read(self._own(window))
        # Of each pixel: its samples with what they fall on, and what one sample takes.
        with self._room.take(window.size * (32 * self._samples_along**2 + 120)):
            return self._read_warped(window)

    def _own(self, window: Window) -> Window:
        """A window of the working grid, which begins at a pixel of the scene, in the scene's own pixels."""
        return window.moved(*(self._corner or (0, 0)))

    def forget(self, row: int, col: int) -> None:
        """Say that of the working grid nothing above a row and west of a column will be asked for again.

        If it is, it is decoded again.
        """
        if self._corner is not None:
            east = math.inf if col >= self.grid.width else col + self._corner[1]
            self._blocks.forget(row + self._corner[0], east)

    def _read_warped(self, window: Window) -> RgbPixels:
        """Resample by our own arithmetic, so that a pixel does not depend on the window around it:
        every working pixel is the mean of k x k bilinear samples spread evenly over it."""
        k = self._samples_along
        # (k * k, 2, H, W): where the samples lie in the scene, and the scene's pixels around all of them.
        samples = np.stack([self._sample_px(window, i, j, k) for i in range(k) for j in range(k)])
        area = self._area_around(samples[:, 0], samples[:, 1])
        if area is None:
            return _no_pixels(window)
        pixels, valid = self._blocks.read(area)
        rgb = pixels.astype(np.float32)
        # Sums over the samples: of the colours, each by the share of it that is valid, and of these shares.
        total = np.zeros((3, window.height, window.width), dtype=np.float32)
        weight = np.zeros((window.height, window.width), dtype=np.float32)
        for x, y in samples:
            # From pixel corners, in the scene, to pixel centres, in the area.
            _add_bilinear(rgb, valid, x - area.col - 0.5, y - area.row - 0.5, total, weight)
        # A working pixel is valid where more than half of it is.
        seen = weight > 0.5 * k * k
        mean = np.divide(total, weight, out=np.zeros_like(total), where=seen)
        return np.rint(mean).astype(np.uint8), seen

    @property
    def _samples_along(self) -> int:
        """Samples along each side of a working pixel."""
        return min(MAX_SAMPLES, max(1, math.ceil(self.grid.gsd_m / self.scene.grid.gsd_m - 0.25)))

    def _may_hold(self, window: Window) -> bool:
        """``holds`` of a grid that is not the scene's own."""
        if self._is_dense:
            return True
        # A lattice of 9 x 9 points over the window, and an eighth of their spread around what they span.
        step = max(1, -(-max(window.height, window.width) // 8))
        cols, rows = np.arange(0, window.width + step, step), np.arange(0, window.height + step, step)
        px = np.stack(np.meshgrid(window.col + cols, window.row + rows), axis=-1).reshape(-1, 2).astype(float)
        area = self._area_around(*self._to_scene_px(px).T)
        return area is not None and self.scene.written.any(area.pad(max(area.height, area.width) // 8))

    def _sample_px(self, window: Window, i: int, j: int, k: int) -> NDArray[np.float64]:
        """(2, H, W) scene pixel coordinates x, y of sample (i, j) of the k x k of every working pixel."""
        cols = window.col + np.arange(window.width) + (j + 0.5) / k
        rows = window.row + np.arange(window.height) + (i + 0.5) / k
        px = np.stack(np.meshgrid(cols, rows), axis=-1).reshape(-1, 2)
        return self._to_scene_px(px).T.reshape(2, window.height, window.width)

    def _to_scene_px(self, px: Points) -> Points:
        """Pixel coordinates of the working grid to those of the scene, both (N, 2)."""
        xy = self.grid.to_crs(px)
        if self.grid.crs != self.scene.grid.crs:
            xy = np.column_stack(self._transformer().transform(xy[:, 0], xy[:, 1]))
        px = self.scene.grid.to_px(xy)
        return np.clip(
            np.nan_to_num(px, nan=NOWHERE_PX, posinf=NOWHERE_PX, neginf=-NOWHERE_PX), -NOWHERE_PX, NOWHERE_PX
        )

    def _transformer(self) -> Any:
        """From the working grid's CRS to the scene's; one for each thread, as pyproj asks for."""
        from pyproj import Transformer

        if not hasattr(self._of_thread, "transformer"):
            transformer = Transformer.from_crs(self.grid.crs, self.scene.grid.crs, always_xy=True)
            self._of_thread.transformer = transformer
        return self._of_thread.transformer

    def _area_around(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> Window | None:
        """The scene's pixels around places in pixel coordinates; None where the scene has none there."""
        near = (np.abs(x) < NOWHERE_PX) & (np.abs(y) < NOWHERE_PX)
        if not near.any():
            return None
        x, y = x[near], y[near]
        left, top = math.floor(x.min()) - 2, math.floor(y.min()) - 2
        area = Window(top, left, math.ceil(y.max()) + 2 - top, math.ceil(x.max()) + 2 - left)
        area = area.intersect(self.scene.grid.window)
        return area if area.size else None


def _no_pixels(window: Window) -> RgbPixels:
    """What a window shows where no pixel is valid."""
    shape = window.height, window.width
    return np.zeros((3, *shape), dtype=np.uint8), np.zeros(shape, dtype=bool)


def _add_bilinear(
    rgb: NDArray[np.float32],
    valid: NDArray[np.bool_],
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    total: NDArray[np.float32],
    weight: NDArray[np.float32],
) -> None:
    """Add a bilinear sample for every working pixel; invalid pixels have no weight, nor has a sample outside.

    Args:
        rgb: (3, h, w) pixels of the scene, around all samples as far as it reaches.
        valid: (h, w).
        x, y: (H, W) where the samples lie, in pixels of ``rgb``; whole numbers are pixel centres.
        total: (3, H, W), to which the weighted colours are added.
        weight: (H, W), to which the weights are added.
    """
    height, width = valid.shape
    # The pixel to the upper left of each sample, and how far the sample lies from its centre.
    col, row = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    fx, fy = (x - col).astype(np.float32), (y - row).astype(np.float32)
    seen = (x >= -0.5) & (x <= width - 0.5) & (y >= -0.5) & (y <= height - 0.5)
    # The four pixels around, each by the share of the square that lies opposite.
    for dr, dc, w in (
        (0, 0, (1 - fy) * (1 - fx)),
        (0, 1, (1 - fy) * fx),
        (1, 0, fy * (1 - fx)),
        (1, 1, fy * fx),
    ):
        # Beyond the scene's edge its last pixels go on.
        r, c = np.clip(row + dr, 0, height - 1), np.clip(col + dc, 0, width - 1)
        share = w * (seen & valid[r, c])
        total += rgb[:, r, c] * share
        weight += share
