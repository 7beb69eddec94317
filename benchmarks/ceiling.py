"""How fast is predict when its network costs nothing? python benchmarks/ceiling.py [--side 8192] [--rounds 3]

The shipped model sees a drawn scene once, and its levels are recorded. The scenes that are measured are that
one repeated to SIDE x SIDE pixels, as GeoTIFFs tiled by 512: deflate, JPEG and without compression. A runtime
answers with the levels of the same ground, so that what is written is as hard to encode as real levels are.
Prints for each scene its megapixels a second (median of the rounds), the same by processor time, which other
programs disturb less, and the share of that time in each stage. The last line is the slowest scene's.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import rasterio
from numpy.typing import NDArray
from predict_speed import CHIP, draw_scene
from rasterio.windows import Window as RasterioWindow

import georoads
from georoads.inference import batches, predict, raster_file
from georoads.inference.local import LocalPredictor
from georoads.inference.runtime import gpu_batch
from georoads.inference.tile_store import TileStore
from georoads.inference.tiles import TilePlan
from georoads.model.card import ModelCard
from georoads.model.checkpoint import Checkpoint, find_checkpoint
from georoads.scene import read
from georoads.scene.open import open_scene

ONCE = 2048
"""Side of what is repeated, pixels."""
SCENES: dict[str, dict[str, str]] = {
    "deflate": {"compress": "deflate"},
    "jpeg": {"compress": "jpeg", "photometric": "ycbcr"},
    "raw": {"compress": "none"},
}


class Recorded:
    """A runtime that knows what comes: the tiles of a plan, in order, of ground that repeats itself."""

    name, device, precision = "recorded", "cuda", "bf16"

    def __init__(self, levels: NDArray[np.uint8], card: ModelCard, side: int) -> None:
        """
        Args:
            levels: (H, W) uint8 of what is repeated.
            card: of the model that gave them.
            side: of the scene, pixels.
        """
        self.batch = gpu_batch(card.tile_px)
        self._levels = np.pad(levels, (0, card.tile_px), mode="wrap")
        self._period = len(levels)
        self._plan = TilePlan(side, side, card.tile_px, card.overlap_px)
        self._next = 0

    def levels(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The levels of the next tiles (N, H, W)."""
        out = np.empty((len(pixels), *pixels.shape[2:]), dtype=np.uint8)
        for level in out:
            window = self._plan.window(self._next)
            row, col = window.row % self._period, window.col % self._period
            level[:] = self._levels[row : row + window.height, col : col + window.width]
            self._next += 1
        return out


class Clock:
    """Processor seconds that functions take in whatever threads."""

    def __init__(self) -> None:
        self._spent: dict[str, list[float]] = defaultdict(list)

    def timed(self, stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, whose time counts for a stage."""

        def run(*arguments: Any) -> Any:
            began = time.thread_time()
            try:
                return function(*arguments)
            finally:
                self._spent[stage].append(time.thread_time() - began)

        return run

    def seconds(self, stage: str) -> float:
        """All that a stage has taken."""
        return sum(self._spent[stage])


def repeated(once: Path, path: Path, side: int, how: dict[str, str]) -> None:
    """Write a GeoTIFF that is another one, again and again.

    Args:
        once: what is repeated.
        path: of the file.
        side: pixels.
        how: GDAL's creation options.
    """
    with rasterio.open(once) as source:
        picture, profile = source.read(), source.profile
    period = picture.shape[1]
    with rasterio.open(path, "w", **profile | {"width": side, "height": side} | how) as out:
        for row in range(0, side, CHIP):
            for col in range(0, side, CHIP):
                height, width = min(CHIP, side - row), min(CHIP, side - col)
                y, x = row % period, col % period
                chip = picture[:, y : y + height, x : x + width]
                out.write(chip, window=RasterioWindow(col, row, width, height))


def run(scene_file: Path, runtime: Recorded, checkpoint: Checkpoint, folder: Path) -> dict[str, float]:
    """Predict once.

    Args:
        scene_file: the scene.
        runtime: knows its levels.
        checkpoint: the model.
        folder: where the raster goes.

    Returns:
        Seconds: "wall", "processor", and processor seconds by stage.
    """
    clock, scene = Clock(), open_scene(scene_file)
    with ExitStack() as patched, tempfile.TemporaryDirectory(dir=folder) as work:
        for owner, name, stage in (
            (read, "read_native", "decode"),
            (batches, "_read_filled", "read"),
            (batches, "_masked_levels", "store"),
            (TileStore, "put", "store"),
            (TileStore, "tile", "store"),
            (predict, "blend", "blend"),
            (raster_file, "_compressed", "write"),
        ):
            timed = clock.timed(stage, getattr(owner, name))
            patched.enter_context(mock.patch.object(owner, name, timed))
        patched.enter_context(mock.patch.object(runtime, "levels", clock.timed("network", runtime.levels)))
        wall, processor = time.perf_counter(), time.process_time()
        predict.predict_raster(
            scene, scene.grid, checkpoint, LocalPredictor(runtime), raster=folder / "p.tif", work=Path(work)
        )
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
    decode, blend = clock.seconds("decode"), clock.seconds("blend")
    stages = {
        "decode": decode,
        "cut and fill": clock.seconds("read") - decode,
        "network": clock.seconds("network"),
        "store": clock.seconds("store"),
        "blend": blend,
        "encode": clock.seconds("write") - blend,
    }
    return {"wall": wall, "processor": processor, **stages, "rest": processor - sum(stages.values())}


def record(once: Path, checkpoint: Checkpoint, folder: Path) -> NDArray[np.uint8]:
    """The model's levels (H, W) uint8 of a scene.

    Args:
        once: the scene.
        checkpoint: the model.
        folder: for the raster.
    """
    georoads.predict(once, folder / "once-p.tif", checkpoint)
    with rasterio.open(folder / "once-p.tif") as raster:
        levels: NDArray[np.uint8] = raster.read(1)
    return levels


def main() -> None:
    """Measure and print."""
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=plain)
    parser.add_argument("--side", type=int, default=8192)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--scenes", choices=SCENES, nargs="+", default=[*SCENES])
    args = parser.parse_args()
    checkpoint, rates = find_checkpoint("default"), []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        once = draw_scene(folder / "once.tif", min(args.side, ONCE))
        levels = record(once, checkpoint, folder)
        for kind in args.scenes:
            scene = folder / f"{kind}.tif"
            repeated(once, scene, args.side, SCENES[kind])
            runs = [
                run(scene, Recorded(levels, checkpoint.card, args.side), checkpoint, folder)
                for _ in range(args.rounds)
            ]
            scene.unlink()
            medians = {key: statistics.median(one[key] for one in runs) for key in runs[0]}
            wall, processor = medians.pop("wall"), medians.pop("processor")
            rate, of_processor = (args.side**2 / 1e6 / seconds for seconds in (wall, processor))
            rates.append(rate)
            shares = ", ".join(f"{stage} {seconds / processor:.0%}" for stage, seconds in medians.items())
            print(f"{kind}: {rate:.1f} MP/s, {of_processor:.1f} a processor second; {shares}", flush=True)
    print(f"{min(rates):.1f} MP/s")


if __name__ == "__main__":
    main()
