"""Lines of large rasters: python benchmarks/trace.py [equal] [memory] [speed]

On a drawn road network (4.5 % road, roads about 11 pixels wide, a corner of nodata):
- equal: 16384 x 16384 pixels, are the lines of three block sizes equal bit for bit?
- memory: 32768 x 32768 pixels, drawn window by window: how much memory does a skeleton pixel take?
- speed: 4096 x 4096 pixels, mask to lines on one core, beside scikit-image with skan.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable

import numba
import numpy as np
from affine import Affine
from numpy.typing import NDArray

from georoads.grid import Grid, Window
from georoads.levels import NODATA
from georoads.memory import peak_rss_mb
from georoads.network.mask.anchors import edge_anchors
from georoads.network.mask.road_mask import drop_specks, fill_holes, read_mask
from georoads.network.params import VectorizeParams
from georoads.network.skeleton.thin import thin
from georoads.network.types import BlockPlan
from georoads.network.vectorize import trace_network

SPACING, WIDTH = 820.0, 11.0
ROAD, GROUND = 200, 8


def grid_of(side: int) -> Grid:
    """A square of half-metre pixels."""
    return Grid("EPSG:32647", Affine(0.5, 0, 600_000, 0, -0.5, 1_500_000), side, side)


@numba.njit(cache=True)
def _paint(level: NDArray[np.uint8], row: int, col: int, slope: float) -> None:
    """Roads that wind about lines of one slope, SPACING pixels apart, into a window with this corner."""
    height, width = level.shape
    thick = WIDTH * np.sqrt(1 + slope * slope)
    for c in range(width):
        x = col + c
        wind = slope * x + 60 * np.sin(x / 310.0)
        first = int(np.floor((row - wind) / SPACING)) - 1
        for k in range(first, int((row + height - wind) / SPACING) + 2):
            middle = k * SPACING + wind + 25 * np.sin(x / 97.0 + k)
            if (x + 37 * k) % 1500 < 9:
                continue  # a gap to bridge
            for r in range(max(0, int(middle - thick / 2) - row), min(height, int(middle + thick / 2) - row)):
                level[r, c] = ROAD + (r + row + x) % 40


def draw(window: Window) -> NDArray[np.uint8]:
    """Levels of a window; the same for each pixel, whatever the window."""
    level = np.full((window.height, window.width), GROUND, np.uint8)
    for slope in (0.0, 1.1):
        _paint(level, window.row, window.col, slope)
    _paint(level.T, window.col, window.row, 0.05)
    if window.row + window.col < 3000:
        rows, cols = np.ogrid[window.row : window.row + window.height, window.col : window.col + window.width]
        level[rows + 2 * cols < 3000] = NODATA
    return level


def equal(side: int = 16_384) -> None:
    """Three block sizes."""
    networks = []
    for block_px in (512, 1000, 4096):
        start = time.perf_counter()
        networks.append(trace_network(draw, grid_of(side), VectorizeParams(), block_px=block_px))
        print(f"blocks of {block_px}: {networks[-1].n_edges} lines in {time.perf_counter() - start:.0f} s")
    same = [
        all(np.array_equal(v, getattr(n, k)) for k, v in vars(networks[0]).items() if k != "grid")
        for n in networks[1:]
    ]
    print(f"{side} x {side}: equal {same}")


def memory(side: int = 32_768) -> None:
    """Peak of the resident memory above that of a small raster, by skeleton pixel."""
    trace_network(draw, grid_of(2048), VectorizeParams())
    base = peak_rss_mb() or 0.0
    start = time.perf_counter()
    network = trace_network(draw, grid_of(side), VectorizeParams())
    seconds, peak = time.perf_counter() - start, peak_rss_mb() or 0.0
    pixels, road = skeleton_pixels(side)
    print(
        f"{side} x {side}: {network.n_edges} lines, {network.length_m.sum() / 1000:.0f} km, road {road:.1%}, "
        f"{pixels} skeleton pixels; {seconds:.0f} s ({side * side / seconds / 1e6:.0f} MP/s with drawing); "
        f"base {base:.0f} MB, peak {peak:.0f} MB: {(peak - base) * 1e6 / pixels:.0f} bytes per skeleton pixel"
    )


def skeleton_pixels(side: int) -> tuple[int, float]:
    """Pixels of the skeleton, and the share of road."""
    plan = BlockPlan()
    mask = read_mask(draw, (side, side), 0.5, 0.5, plan)
    mask = fill_holes(drop_specks(mask, 240), 240)
    skeleton = thin(mask.road, edge_anchors(mask), plan)
    return len(skeleton.pixels), float(mask.road.sizes().sum()) / side**2


def best_of(function: Callable[[], object], times: int = 3) -> float:
    """Seconds of processor time of the fastest run: others share the machine."""
    seconds = []
    for _ in range(times):
        start = time.process_time()
        function()
        seconds.append(time.process_time() - start)
    return min(seconds)


def speed(side: int = 4096) -> None:
    """Mask to lines, in millions of pixels per second."""
    from skan import Skeleton
    from skimage.morphology import skeletonize

    level = draw(Window(5000, 5000, side, side))
    mask = level >= 127

    def ours() -> object:
        return trace_network(lambda window: level[window.slices], grid_of(side), VectorizeParams())

    def skan() -> object:
        traced = Skeleton(skeletonize(mask))
        return [traced.path_coordinates(i) for i in range(traced.n_paths)]

    ours(), skan()
    a, b, c = best_of(ours), best_of(skan), best_of(lambda: skeletonize(mask))
    mp = side * side / 1e6
    print(
        f"{side} x {side}, {mask.mean():.1%} road: georoads {mp / a:.0f} MP/s (cleaned, smoothed, measured), "
        f"scikit-image + skan {mp / b:.0f} MP/s (traced), ratio {b / a:.1f}; "
        f"skeletonize alone {mp / c:.0f} MP/s"
    )


def main() -> None:
    """Run what is named, or all."""
    for name in sys.argv[1:] or ("speed", "equal", "memory"):
        {"equal": equal, "memory": memory, "speed": speed}[name]()


if __name__ == "__main__":
    main()
