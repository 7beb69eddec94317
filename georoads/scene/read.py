"""Reading windows of a scene on the working grid."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass
from functools import cached_property
from types import TracebackType
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from georoads.errors import SceneError
from georoads.grid import Grid, Points, Window, is_same_gsd, utm_crs
from georoads.scene.guard import gdal_errors
from georoads.scene.native import read_native, reading_unit, to_bytes
from georoads.scene.scene import Scene, SceneParams

KEEP_BYTES = 2**25
"""Decoded pixels that a reader keeps at most: half of a row of blocks of a scene 43,000 pixels wide, which is
what is still to be asked for on average. Of a wider scene blocks are decoded twice."""
_AGREE_PX = 1e-4
"""Pixels of two grids that lie so near to each other are the same."""
MOST = 8
"""Samples that are taken along each side of a working pixel at most, of a scene however fine."""
FAR = 2.0**30
"""Pixel coordinate of a place that the scene's CRS cannot express."""
CACHE_BYTES = 2**24
"""GDAL's own cache, beside which ours stands; its default grows with the machine's memory."""


def working_grid(scene: Scene, model_gsd_m: float, params: SceneParams | None = None) -> Grid:
    """The grid that the network sees: the scene's own, or a north-up one at the model's GSD; in the bounds.

    Raises:
        SceneError: when the scene is more than four times coarser than the model, or misses the bounds.
    """
    params = params or SceneParams()
    grid = _whole_grid(scene, model_gsd_m, "auto" if scene.is_stated else params.gsd)
    if grid.width * grid.height > params.max_megapixels * 1e6:
        raise SceneError(
            f"{scene.path} becomes {grid.width} x {grid.height} pixels of {grid.gsd_m:g} m",
            "--set scene.max_megapixels=… takes more, --gsd makes fewer of them",
        )
    return grid if params.bounds is None else grid.crop(window_of(params.bounds, scene, grid))


def window_of(bounds: tuple[float, float, float, float], scene: Scene, grid: Grid) -> Window:
    """The window of the working grid that holds bounds in the scene's CRS.

    Raises:
        SceneError: they do not meet.
    """
    from rasterio.warp import transform_bounds

    if grid.crs != scene.grid.crs:
        bounds = transform_bounds(scene.grid.crs, grid.crs, *bounds)
    west, south, east, north = bounds
    corners = np.array([[west, south], [west, north], [east, south], [east, north]], dtype=np.float64)
    px = grid.to_px(corners)
    # A coordinate that is a pixel's corner but for its last digits is that corner.
    (left, top), (right, bottom) = np.floor(px.min(axis=0) + 1e-6), np.ceil(px.max(axis=0) - 1e-6)
    window = Window(int(top), int(left), int(bottom - top), int(right - left)).intersect(grid.window)
    if not window.size:
        own = scene.grid
        ends = np.array([[0, 0], [own.width, 0], [0, own.height], [own.width, own.height]], dtype=np.float64)
        xy = own.to_crs(ends)
        spans = " ".join(f"{v:.10g}" for v in (*xy.min(axis=0), *xy.max(axis=0)))
        raise SceneError(
            f"the bounds do not meet {scene.path}", f"it spans {spans} (west south east north, in its CRS)"
        )
    return window


def _whole_grid(scene: Scene, model_gsd_m: float, gsd: str | float) -> Grid:
    own = scene.grid
    steps = own.steps_m
    if gsd == "native":
        return own
    wanted = model_gsd_m if gsd == "auto" else float(gsd)
    if not own.is_geographic and all(is_same_gsd(step_m, wanted) for step_m in steps):
        return own
    if max(steps) > 4 * wanted:
        raise SceneError(
            f"{scene.path} has {max(steps):.2f} m pixels, the model was trained at {wanted:g} m",
            "roads cannot be seen at that size; --gsd native tries it all the same",
        )
    try:
        return _warped(own, wanted)
    except gdal_errors() as e:
        raise SceneError(f"{scene.path} cannot be resampled: {e}", "reproject it with gdalwarp") from e


def _warped(own: Grid, gsd_m: float) -> Grid:
    from rasterio.transform import array_bounds
    from rasterio.warp import calculate_default_transform

    lon, lat = own.to_lonlat(np.array([[own.width / 2, own.height / 2]]))[0]
    crs = utm_crs(float(lon), float(lat)) if own.is_geographic else own.crs
    left, bottom, right, top = array_bounds(own.height, own.width, own.transform)
    fine = calculate_default_transform(own.crs, crs, own.width, own.height, left, bottom, right, top)
    transform, width, height = fine
    # One unit of the CRS need not be one metre on the ground: measure the default grid's pixel.
    default = Grid(crs, transform, max(1, width), max(1, height))
    x, y = (gsd_m / s for s in default.steps_m)
    size = max(1, math.ceil(width / x)), max(1, math.ceil(height / y))
    t = transform
    return Grid(crs, Affine(t.a * x, t.b * y, t.c, t.d * x, t.e * y, t.f), *size)


@dataclass(frozen=True)
class _Kept:
    """What is kept of a decoded block: its rows from ``row`` on, RGB bytes and validity (None: all valid)."""

    row: int
    rgb: NDArray[np.uint8]
    valid: NDArray[np.bool_] | None

    def below(self, row: int) -> _Kept:
        """Without the rows above one."""
        cut = row - self.row
        return _Kept(row, self.rgb[:, cut:].copy(), None if self.valid is None else self.valid[cut:].copy())


class _Blocks:
    """The scene's own pixels as RGB bytes, decoded in whole blocks of the file, each kept while it is of use.

    Files in strips are read in bands as wide as the scene; small blocks are read several at once.
    """

    def __init__(self, source: Any, scene: Scene) -> None:
        self._source = source
        self._scene = scene
        self._shape = reading_unit(scene.written.shape, scene.grid)
        self._kept: OrderedDict[Window, _Kept] = OrderedDict()
        self._bytes = 0

    def read(self, area: Window) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """RGB (3, H, W) uint8, 0 where a pixel is invalid, and validity (H, W) of an area in the scene."""
        rgb = np.empty((3, area.height, area.width), dtype=np.uint8)
        valid = np.ones((area.height, area.width), dtype=bool)
        for block in self._touched(area):
            common = block.intersect(area)
            here = common.relative_to(area).slices
            if not self._scene.written.any(block):
                rgb[(slice(None), *here)], valid[here] = 0, False
                continue
            kept = self._block(block, common.row)
            there = Window(common.row - kept.row, common.col - block.col, common.height, common.width).slices
            rgb[(slice(None), *here)] = kept.rgb[(slice(None), *there)]
            if kept.valid is not None:
                valid[here] = kept.valid[there]
        return rgb, valid

    def forget(self, row: int, col: float) -> None:
        """Let go of what lies above a row in the blocks that end west of a column."""
        for block in [b for b in self._kept if b.row < row and b.col + b.width <= col]:
            kept = self._kept[block]
            if block.row + block.height <= row:
                self._let_go(block)
            elif kept.row < row:
                self._kept[block] = rest = kept.below(row)
                self._bytes -= kept.rgb.nbytes - rest.rgb.nbytes

    def _touched(self, area: Window) -> list[Window]:
        height, width = self._shape
        rows = range(area.row // height * height, area.row + area.height, height)
        cols = range(area.col // width * width, area.col + area.width, width)
        scene = self._scene.grid.window
        return [Window(row, col, height, width).intersect(scene) for row in rows for col in cols]

    def _block(self, block: Window, row: int) -> _Kept:
        """A block, at least from a row on."""
        if block in self._kept:
            self._kept.move_to_end(block)
            if self._kept[block].row <= row:
                return self._kept[block]
            self._let_go(block)
        values, valid = read_native(self._source, self._scene, block)
        rgb = to_bytes(values, self._scene)
        whole = bool(valid.all())
        if not whole:
            rgb *= valid
        self._kept[block] = _Kept(block.row, rgb, None if whole else valid)
        self._bytes += rgb.nbytes
        while self._bytes > KEEP_BYTES and len(self._kept) > 1:
            self._let_go(next(iter(self._kept)))
        return self._kept[block]

    def _let_go(self, block: Window) -> None:
        self._bytes -= self._kept.pop(block).rgb.nbytes


def _gdal_cache(source: Any) -> int:
    """Bytes for GDAL's cache: room for a few blocks of this file, however large they are."""
    height, width = max(source.block_shapes)
    sizes = sum(np.dtype(d).itemsize for d in source.dtypes)
    return int(max(CACHE_BYTES, 2 * height * width * sizes))


def own_corner(own: Grid, grid: Grid) -> tuple[int, int] | None:
    """Row and column of the scene pixel at which a grid of its own pixels begins; None for others."""
    if grid.crs != own.crs:
        return None
    ends = own.to_px(grid.to_crs(np.array([[0, 0], [grid.width, 0], [0, grid.height]], dtype=np.float64)))
    (left, top), (right, _), (_, bottom) = np.rint(ends)
    same = np.array([[left, top], [right, top], [left, bottom]])
    if np.abs(ends - same).max() > _AGREE_PX or right - left != grid.width or bottom - top != grid.height:
        return None
    return (
        (int(top), int(left)) if min(top, left) >= 0 and right <= own.width and bottom <= own.height else None
    )


def outline_on(own: Grid, grid: Grid) -> Points:
    """The border of a grid in pixel coordinates of another, (N, 2): its corners and points between them."""
    from pyproj import Transformer

    corners = np.array([[0, 0], [own.width, 0], [own.width, own.height], [0, own.height]], dtype=np.float64)
    share = np.linspace(0, 1, 33)[:-1, None]
    sides = [a + share * (b - a) for a, b in zip(corners, np.roll(corners, -1, axis=0), strict=True)]
    xy = own.to_crs(np.concatenate(sides))
    if own.crs != grid.crs:
        xy = np.column_stack(Transformer.from_crs(own.crs, grid.crs, always_xy=True).transform(*xy.T))
    return grid.to_px(xy)


class SceneReader:
    """An open scene that reads windows of the working grid. One reader serves one thread.

    Where windows come in reading order, each block of the file is decoded once.
    """

    def __init__(self, scene: Scene, grid: Grid) -> None:
        import rasterio

        self.scene = scene
        self.grid = grid
        self._corner = own_corner(scene.grid, grid)
        options = scene.file.options
        with rasterio.Env(**options):
            self._source = scene.file.open()
        self._options = {**options, "GDAL_CACHEMAX": _gdal_cache(self._source)}
        self._blocks = _Blocks(self._source, scene)
        self._is_dense = scene.written.all(scene.grid.window)

    def __enter__(self) -> SceneReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._source.close()

    def read(self, window: Window) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """RGB (3, H, W) uint8 and validity (H, W) of a window inside the working grid.

        RGB is 0 where a pixel is invalid.
        """
        import rasterio

        # Entered for each window, since several readers may be open in a thread.
        with rasterio.Env(**self._options):
            return self._warp(window) if self._corner is None else self._own(window, self._corner)

    def _own(self, window: Window, corner: tuple[int, int]) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        row, col = corner
        own = Window(window.row + row, window.col + col, window.height, window.width)
        if not self.scene.written.any(own):
            return _nothing(window)
        return self._blocks.read(own)

    def forget(self, row: int, col: int) -> None:
        """Say that of the working grid nothing above a row and west of a column will be asked for again.

        If it is, it is decoded again.
        """
        if self._corner is not None:
            east = math.inf if col >= self.grid.width else col + self._corner[1]
            self._blocks.forget(row + self._corner[0], east)

    def _warp(self, window: Window) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Resample by our own arithmetic, so that a pixel does not depend on the window around it:
        every working pixel is the mean of k x k bilinear samples spread evenly over it."""
        finer = min(MOST, max(1, math.ceil(self.grid.gsd_m / self.scene.grid.gsd_m - 0.25)))
        if not self._may_hold(window):
            return _nothing(window)
        total = np.zeros((3, window.height, window.width), dtype=np.float32)
        weight = np.zeros((window.height, window.width), dtype=np.float32)
        places = [self._source_px(window, i, j, finer) for i in range(finer) for j in range(finer)]
        area = self._area(places)
        if area is None:
            return total.astype(np.uint8), weight > 0
        pixels, valid = self._blocks.read(area)
        rgb = pixels.astype(np.float32)
        for x, y in places:
            _add_bilinear(rgb, valid, x - area.col - 0.5, y - area.row - 0.5, total, weight)
        seen = weight > 0.5 * finer * finer
        mean = np.divide(total, weight, out=np.zeros_like(total), where=seen)
        return np.rint(mean).astype(np.uint8), seen

    def _may_hold(self, window: Window) -> bool:
        """False where a window certainly meets no block that the file holds, as most do in a sparse file."""
        if self._is_dense:
            return True
        step = max(1, -(-max(window.height, window.width) // 8))
        cols, rows = np.arange(0, window.width + step, step), np.arange(0, window.height + step, step)
        px = np.stack(np.meshgrid(window.col + cols, window.row + rows), axis=-1).reshape(-1, 2).astype(float)
        area = self._area([tuple(self._places(px).T)])
        return area is not None and self.scene.written.any(area.pad(max(area.height, area.width) // 8))

    def _source_px(self, window: Window, i: int, j: int, finer: int) -> tuple[Any, Any]:
        """Source pixel coordinates of sub-pixel (i, j) of every working pixel, each (H, W)."""
        cols = window.col + np.arange(window.width) + (j + 0.5) / finer
        rows = window.row + np.arange(window.height) + (i + 0.5) / finer
        px = np.stack(np.meshgrid(cols, rows), axis=-1).reshape(-1, 2)
        out = self._places(px)
        shape = window.height, window.width
        return out[:, 0].reshape(shape), out[:, 1].reshape(shape)

    def _places(self, px: Points) -> Points:
        """Pixel coordinates of the working grid to those of the scene, both (N, 2)."""
        xy = self.grid.to_crs(px)
        if self.grid.crs != self.scene.grid.crs:
            xy = np.column_stack(self._change.transform(xy[:, 0], xy[:, 1]))
        px = self.scene.grid.to_px(xy)
        return np.clip(np.nan_to_num(px, nan=FAR, posinf=FAR, neginf=-FAR), -FAR, FAR)

    @cached_property
    def _change(self) -> Any:
        from pyproj import Transformer

        return Transformer.from_crs(self.grid.crs, self.scene.grid.crs, always_xy=True)

    def _area(self, places: list[tuple[Any, Any]]) -> Window | None:
        x = np.stack([p[0] for p in places])
        y = np.stack([p[1] for p in places])
        near = (np.abs(x) < FAR) & (np.abs(y) < FAR)
        if not near.any():
            return None
        x, y = x[near], y[near]
        left, top = math.floor(x.min()) - 2, math.floor(y.min()) - 2
        area = Window(top, left, math.ceil(y.max()) + 2 - top, math.ceil(x.max()) + 2 - left)
        area = area.intersect(self.scene.grid.window)
        return area if area.size else None


def _nothing(window: Window) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
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
    """Add bilinear samples at pixel-centre coordinates; invalid and outside pixels have no weight."""
    height, width = valid.shape
    col, row = np.floor(x).astype(np.int64), np.floor(y).astype(np.int64)
    fx, fy = (x - col).astype(np.float32), (y - row).astype(np.float32)
    for dr, dc, w in (
        (0, 0, (1 - fy) * (1 - fx)),
        (0, 1, (1 - fy) * fx),
        (1, 0, fy * (1 - fx)),
        (1, 1, fy * fx),
    ):
        r, c = row + dr, col + dc
        inside = (r >= 0) & (r < height) & (c >= 0) & (c < width)
        r, c = np.clip(r, 0, height - 1), np.clip(c, 0, width - 1)
        share = w * (inside & valid[r, c])
        total += rgb[:, r, c] * share
        weight += share
