"""Reading windows of a scene on the working grid."""

from __future__ import annotations

import math
from collections import OrderedDict
from types import TracebackType
from typing import Any

import numpy as np
from affine import Affine
from numpy.typing import NDArray

from georoads.errors import SceneError
from georoads.grid import Grid, Window, utm_crs
from georoads.scene.scene import GDAL_OPTIONS, HIGH, LOW, Scene, SceneParams

NEAR = 1.25
"""Within this factor of the model's GSD the scene's own pixels are used."""

KEEP_BYTES = 2**28
"""Decoded pixels that a reader keeps at most: two rows of blocks of a scene 80,000 pixels wide."""
CACHE_BYTES = 2**26
"""GDAL's own cache, beside which ours stands; its default grows with the machine's memory."""


def working_grid(scene: Scene, model_gsd_m: float, params: SceneParams | None = None) -> Grid:
    """The grid that the network sees: the scene's own, or a north-up one at the model's GSD; in the bounds.

    Raises:
        SceneError: when the scene is more than four times coarser than the model, or misses the bounds.
    """
    params = params or SceneParams()
    grid = _whole_grid(scene, model_gsd_m, params.gsd)
    return grid if params.bounds is None else grid.crop(_window_of(params.bounds, scene, grid))


def _window_of(bounds: tuple[float, float, float, float], scene: Scene, grid: Grid) -> Window:
    """The window of the working grid that holds bounds in the scene's CRS."""
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
    if not own.is_geographic and all(1 / NEAR <= s / wanted <= NEAR for s in steps):
        return own
    if own.gsd_m > 4 * wanted:
        raise SceneError(
            f"{scene.path} has {own.gsd_m:.2f} m pixels, the model was trained at {wanted:g} m",
            "roads cannot be seen at that size; --gsd native tries it all the same",
        )
    return _warped(own, wanted)


def _warped(own: Grid, gsd_m: float) -> Grid:
    from rasterio.transform import array_bounds
    from rasterio.warp import calculate_default_transform

    lon, lat = own.to_lonlat(np.array([[own.width / 2, own.height / 2]]))[0]
    crs = utm_crs(float(lon), float(lat)) if own.is_geographic else own.crs
    left, bottom, right, top = array_bounds(own.height, own.width, own.transform)
    fine = calculate_default_transform(own.crs, crs, own.width, own.height, left, bottom, right, top)
    transform, width, height = fine
    # One unit of the CRS need not be one metre on the ground: measure the default grid's pixel.
    default = Grid(crs, transform, width, height)
    x, y = (gsd_m / s for s in default.steps_m)
    size = max(1, math.ceil(width / x)), max(1, math.ceil(height / y))
    t = transform
    return Grid(crs, Affine(t.a * x, t.b * y, t.c, t.d * x, t.e * y, t.f), *size)


def read_native(source: Any, scene: Scene, window: Window) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """Values (3, H, W) as stored and validity (H, W) of a window inside the raster."""
    from rasterio.errors import RasterioError
    from rasterio.windows import Window as RasterioWindow

    area = RasterioWindow(window.col, window.row, window.width, window.height)
    try:
        values = source.read(list(scene.bands), window=area)
        valid = _stated_valid(source, scene, area)
        alpha = source.read(scene.alpha, window=area) if scene.alpha else None
    except RasterioError as e:
        raise SceneError(
            f"{scene.path} cannot be read at row {window.row}, column {window.col}: {e}",
            "the file is damaged there: copy it again",
        ) from e
    if scene.nodata is not None and not math.isnan(scene.nodata):
        valid &= ~(values == scene.nodata).all(axis=0)
    if alpha is not None:
        valid &= alpha > 0
    if values.dtype.kind == "f":
        valid &= np.isfinite(values).all(axis=0)
    return values, valid


def _stated_valid(source: Any, scene: Scene, area: Any) -> NDArray[np.bool_]:
    """(H, W) True where the file's own mask says so for any of the bands."""
    from rasterio.enums import MaskFlags

    flags = source.mask_flag_enums
    if all(MaskFlags.all_valid in flags[band - 1] for band in scene.bands):
        return np.ones((area.height, area.width), dtype=bool)
    masks = source.read_masks(list(dict.fromkeys(scene.bands)), window=area)
    return np.asarray(masks.any(axis=0))


def to_bytes(values: NDArray[Any], scene: Scene) -> NDArray[np.uint8]:
    """(3, H, W) values to uint8: by the palette, by the scene's stretch, or as they are."""
    if scene.palette:
        table = np.array(scene.palette, dtype=np.uint8)
        return np.ascontiguousarray(table[values[0].astype(np.uint8)].transpose(2, 0, 1))
    if not scene.stretch:
        return values.astype(np.uint8, copy=False)
    low = np.array([s[0] for s in scene.stretch], dtype=np.float32)[:, None, None]
    high = np.array([s[1] for s in scene.stretch], dtype=np.float32)[:, None, None]
    finite = np.nan_to_num(values.astype(np.float32), posinf=0.0, neginf=0.0)
    scaled = (finite - low) / (high - low) * (HIGH - LOW) + LOW
    return np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)


class _Blocks:
    """The scene's own pixels as RGB bytes, decoded in whole blocks of the file, each kept while it is of use.

    Files in strips are read in bands as wide as the scene; small blocks are read several at once.
    """

    def __init__(self, source: Any, scene: Scene) -> None:
        self._source = source
        self._scene = scene
        self._shape = _reading_unit(source.block_shapes[scene.bands[0] - 1], scene.grid)
        self._kept: OrderedDict[Window, tuple[NDArray[np.uint8], NDArray[np.bool_] | None]] = OrderedDict()
        self._bytes = 0

    def read(self, area: Window) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """RGB (3, H, W) uint8, 0 where a pixel is invalid, and validity (H, W) of an area in the scene."""
        rgb = np.empty((3, area.height, area.width), dtype=np.uint8)
        valid = np.ones((area.height, area.width), dtype=bool)
        for block in self._touched(area):
            part, seen = self._block(block)
            common = block.intersect(area)
            here, there = common.relative_to(area).slices, common.relative_to(block).slices
            rgb[(slice(None), *here)] = part[(slice(None), *there)]
            if seen is not None:
                valid[here] = seen[there]
        return rgb, valid

    def forget_above(self, row: int) -> None:
        """Let go of the blocks that end above a row."""
        for block in [b for b in self._kept if b.row + b.height <= row]:
            self._forget(block)

    def _touched(self, area: Window) -> list[Window]:
        height, width = self._shape
        rows = range(area.row // height * height, area.row + area.height, height)
        cols = range(area.col // width * width, area.col + area.width, width)
        scene = self._scene.grid.window
        return [Window(row, col, height, width).intersect(scene) for row in rows for col in cols]

    def _block(self, block: Window) -> tuple[NDArray[np.uint8], NDArray[np.bool_] | None]:
        if block in self._kept:
            self._kept.move_to_end(block)
            return self._kept[block]
        values, valid = read_native(self._source, self._scene, block)
        rgb = to_bytes(values, self._scene)
        whole = bool(valid.all())
        if not whole:
            rgb *= valid
        self._kept[block] = rgb, None if whole else valid
        self._bytes += rgb.nbytes
        while self._bytes > KEEP_BYTES and len(self._kept) > 1:
            self._forget(next(iter(self._kept)))
        return self._kept[block]

    def _forget(self, block: Window) -> None:
        rgb, _ = self._kept.pop(block)
        self._bytes -= rgb.nbytes


def _reading_unit(block: tuple[int, int], grid: Grid) -> tuple[int, int]:
    """Rows and columns to decode at once, of a file with blocks of (rows, columns)."""
    height, width = block
    if width >= grid.width:
        rows = height * max(1, 128 // height)
        return (rows if rows <= 1024 else 512), grid.width
    if max(block) > 2048:  # then GDAL's cache keeps the rest of the block
        return 512, 512
    return height * max(1, 512 // height), width * max(1, 512 // width)


def _gdal_cache(source: Any) -> int:
    """Bytes for GDAL's cache: room for a few blocks of this file, however large they are."""
    height, width = max(source.block_shapes)
    sizes = sum(np.dtype(d).itemsize for d in source.dtypes)
    return int(max(CACHE_BYTES, 2 * height * width * sizes))


def _corner_in(own: Grid, grid: Grid) -> tuple[int, int] | None:
    """Row and column of a scene's pixel at which a working grid of its own pixels begins; else None."""
    if grid.crs != own.crs:
        return None
    x, y = ~own.transform * (grid.transform.c, grid.transform.f)
    row, col = round(y), round(x)
    inside = row >= 0 and col >= 0 and row + grid.height <= own.height and col + grid.width <= own.width
    if not inside or own.crop(Window(row, col, grid.height, grid.width)) != grid:
        return None
    return row, col


class SceneReader:
    """An open scene that reads windows of the working grid. One reader serves one thread.

    Where windows come in reading order, each block of the file is decoded once.
    """

    def __init__(self, scene: Scene, grid: Grid) -> None:
        import rasterio

        self.scene = scene
        self.grid = grid
        self._corner = _corner_in(scene.grid, grid)
        with rasterio.Env(**GDAL_OPTIONS):
            self._source = rasterio.open(scene.path)
        self._env = rasterio.Env(**GDAL_OPTIONS, GDAL_CACHEMAX=_gdal_cache(self._source))
        self._env.__enter__()
        self._blocks = _Blocks(self._source, scene)

    def __enter__(self) -> SceneReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._source.close()
        self._env.__exit__(kind, error, trace)

    def read(self, window: Window) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """RGB (3, H, W) uint8 and validity (H, W) of a window inside the working grid.

        RGB is 0 where a pixel is invalid.
        """
        if self._corner is None:
            return self._warp(window)
        row, col = self._corner
        own = Window(window.row + row, window.col + col, window.height, window.width)
        # Windows walk south: what lies above this one is not asked for again, or else decoded again.
        self._blocks.forget_above(own.row)
        return self._blocks.read(own)

    def _warp(self, window: Window) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Resample by our own arithmetic, so that a pixel does not depend on the window around it:
        every working pixel is the mean of k x k bilinear samples spread evenly over it."""
        finer = max(1, math.ceil(self.grid.gsd_m / self.scene.grid.gsd_m - 0.25))
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

    def _source_px(self, window: Window, i: int, j: int, finer: int) -> tuple[Any, Any]:
        """Source pixel coordinates of sub-pixel (i, j) of every working pixel, each (H, W)."""
        from pyproj import Transformer

        cols = window.col + np.arange(window.width) + (j + 0.5) / finer
        rows = window.row + np.arange(window.height) + (i + 0.5) / finer
        px = np.stack(np.meshgrid(cols, rows), axis=-1).reshape(-1, 2)
        xy = self.grid.to_crs(px)
        if self.grid.crs != self.scene.grid.crs:
            change = Transformer.from_crs(self.grid.crs, self.scene.grid.crs, always_xy=True)
            xy = np.column_stack(change.transform(xy[:, 0], xy[:, 1]))
        out = self.scene.grid.to_px(xy)
        shape = window.height, window.width
        return out[:, 0].reshape(shape), out[:, 1].reshape(shape)

    def _area(self, places: list[tuple[Any, Any]]) -> Window | None:
        x = np.stack([p[0] for p in places])
        y = np.stack([p[1] for p in places])
        left, top = math.floor(x.min()) - 2, math.floor(y.min()) - 2
        area = Window(top, left, math.ceil(y.max()) + 2 - top, math.ceil(x.max()) + 2 - left)
        area = area.intersect(self.scene.grid.window)
        return area if area.size else None


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
