"""Masks and skeletons drawn in letters: `#` is road, `.` is not; rows are separated by white space."""

from __future__ import annotations

import numpy as np
from affine import Affine
from numpy.typing import NDArray
from scipy import ndimage

from georoads.grid import Grid
from georoads.network.params import VectorizeParams
from georoads.network.types import RoadNetwork
from georoads.network.vectorize import trace_network

RAW = VectorizeParams(
    dual_m=0,
    speck_m2=0,
    hole_m2=0,
    spur_m=0,
    sure_m=0,
    bridge_m=0,
    reach_m=0,
    simplify_m=0,
    smooth_m=0,
    rim_m=0,
    min_length_m=0,
)
"""No cleaning that depends on a length."""


def drawn(picture: str) -> NDArray[np.bool_]:
    return np.array([[letter == "#" for letter in row] for row in picture.split()], dtype=bool)


def picture(mask: NDArray[np.bool_]) -> str:
    return "\n".join("".join(".#"[int(value)] for value in row) for row in mask)


def bar(
    shape: tuple[int, int], start: tuple[float, float], stop: tuple[float, float], width: float
) -> NDArray[np.bool_]:
    """A straight road with square ends between two (x, y) points, rasterized by its pixels' centres."""
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    dx, dy = stop[0] - start[0], stop[1] - start[1]
    length = np.hypot(dx, dy)
    along = ((x - start[0]) * dx + (y - start[1]) * dy) / length
    across = ((x - start[0]) * dy - (y - start[1]) * dx) / length
    return np.asarray((along >= 0) & (along <= length) & (np.abs(across) < width / 2))


def drawn_network(seed: int) -> NDArray[np.uint8]:
    """Bars, rings, wide blobs, roads along likely seams, nodata and blots."""
    random = np.random.default_rng(seed)
    shape = (int(random.integers(60, 170)), int(random.integers(60, 170)))
    mask = np.zeros(shape, bool)
    y, x = np.mgrid[: shape[0], : shape[1]] + 0.5
    for _ in range(int(random.integers(2, 7))):
        a, b = random.uniform(-20, 180, (2, 2))
        mask |= bar(shape, tuple(a), tuple(b), random.uniform(1, 14))
    for _ in range(int(random.integers(0, 3))):
        away = np.hypot(x - random.uniform(0, 160), y - random.uniform(0, 160))
        mask |= np.abs(away - random.uniform(8, 50)) < random.uniform(1, 5)
        mask |= away < random.uniform(0, 25)
    mask[:, 60:67] |= random.random() < 0.5
    mask[62:65] |= random.random() < 0.5
    noise = ndimage.gaussian_filter(random.normal(size=shape), random.uniform(0.3, 3))
    mask ^= noise > np.quantile(noise, random.uniform(0.97, 1))
    raster = np.where(mask, random.integers(128, 255, shape), random.integers(0, 127, shape)).astype(np.uint8)
    if random.random() < 0.6:
        raster[x + y * random.uniform(-1, 2) < random.uniform(0, 80)] = 255
    if random.random() < 0.3:
        raster[30:50, 20:45] = 255
    return raster


def drawn_levels(seed: int) -> NDArray[np.uint8]:
    """Many broken, bent and doubled roads of unsure p, in a larger raster: where gaps are closed."""
    random = np.random.default_rng(seed)
    height, width = (int(side) for side in random.integers(150, 400, 2))
    p = np.zeros((height, width))
    y, x = np.mgrid[:height, :width] + 0.5
    for _ in range(int(random.integers(6, 30))):
        start, angle = random.uniform(-20, 400, 2), random.uniform(0, 2 * np.pi)
        stop = start + random.uniform(10, 250) * np.array([np.cos(angle), np.sin(angle)])
        p = np.maximum(
            p, random.uniform(0.3, 1) * bar((height, width), tuple(start), tuple(stop), random.uniform(1, 16))
        )
    for _ in range(int(random.integers(0, 5))):
        away = np.hypot(x - random.uniform(0, width), y - random.uniform(0, height))
        p = np.maximum(
            p, random.uniform(0.4, 1) * (np.abs(away - random.uniform(8, 90)) < random.uniform(1, 6))
        )
    holes = ndimage.gaussian_filter(random.normal(size=p.shape), random.uniform(2, 8))
    p[holes > np.quantile(holes, random.uniform(0.75, 1))] *= random.uniform(0, 0.6)
    p = ndimage.gaussian_filter(p, random.uniform(0.3, 3)) + random.normal(
        0, random.uniform(0, 0.06), p.shape
    )
    raster: NDArray[np.uint8] = (254 * np.clip(p, 0, 1)).astype(np.uint8)
    if random.random() < 0.3:
        raster[x + y * random.uniform(-1, 2) < random.uniform(0, 80)] = 255
    return raster


def topology(mask: NDArray[np.bool_]) -> tuple[int, int]:
    """Numbers of 8-connected components and of 4-connected holes."""
    return ndimage.label(mask, np.ones((3, 3)))[1], ndimage.label(~np.pad(mask, 1))[1] - 1


def utm_grid(shape: tuple[int, int], gsd: float = 0.5) -> Grid:
    """A grid in a UTM zone, 100 km off its meridian, where the scale is 1 to within 0.05 %."""
    return Grid("EPSG:32647", Affine(gsd, 0, 600_000, 0, -gsd, 1_500_000), shape[1], shape[0])


def same(a: RoadNetwork, b: RoadNetwork) -> bool:
    """Whether two networks are equal to the bit."""
    return a.messages == b.messages and all(
        np.array_equal(value, getattr(b, name), equal_nan=value.dtype.kind == "f")
        for name, value in vars(a).items()
        if name not in ("grid", "messages")
    )


def network_of(
    raster: NDArray[np.generic], params: VectorizeParams = RAW, gsd: float = 0.5, block_px: int = 1024
) -> RoadNetwork:
    """Vectorize a mask (bool) or a probability raster (uint8)."""
    levels = np.where(raster, 254, 0).astype(np.uint8) if raster.dtype == bool else raster.astype(np.uint8)
    grid = utm_grid(levels.shape, gsd)
    return trace_network(lambda window: levels[window.slices], grid, params, block_px=block_px)
