"""Is a fast device fed? python benchmarks/feeding.py [--side 4096] [--rounds 3] [--ms 0 1 2 5 10 20]

A device is simulated: a runtime that holds its caller for so many milliseconds a tile, as a GPU's queue does,
and answers with one of the tile's bands, so that what is written is as hard to encode as levels are. A drawn
scene (deflate, tiled by 512) is predicted through it. Prints for each time a tile the megapixels of the scene
a second, the same by processor time, which other programs disturb less, and the share of the time in which
the device was at work: where it is below one, the machine, not the device, is the limit. At 0 ms that limit
itself is seen.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from predict_speed import draw_scene

from georoads.inference.local import LocalPredictor
from georoads.inference.predict import predict_raster
from georoads.inference.runtime import gpu_batch
from georoads.levels import FULL
from georoads.model.checkpoint import find_checkpoint
from georoads.scene.open import open_scene


class SimulatedDevice:
    """A runtime that needs a fixed time for each tile, and no processor."""

    name, device, precision = "simulated", "cuda", "bf16"

    def __init__(self, ms: float, tile_px: int) -> None:
        """
        Args:
            ms: milliseconds a tile.
            tile_px: side of a tile.
        """
        self.batch = gpu_batch(tile_px)
        self._tile_s = ms / 1000
        self.tiles = 0

    def levels(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """A band of the tiles, as if it were levels, when their time is over."""
        self.tiles += len(pixels)
        if self._tile_s:
            time.sleep(len(pixels) * self._tile_s)
        return np.minimum(pixels[:, 1], np.uint8(FULL))


def run(scene_file: Path, ms: float, folder: Path) -> tuple[float, float, float]:
    """Predict once.

    Args:
        scene_file: the scene.
        ms: milliseconds a tile.
        folder: where the raster goes.

    Returns:
        Seconds, those of the processor, and the share of the former in which the device was at work.
    """
    scene, checkpoint = open_scene(scene_file), find_checkpoint("default")
    device = SimulatedDevice(ms, checkpoint.card.tile_px)
    with tempfile.TemporaryDirectory(dir=folder) as work:
        started, processor = time.perf_counter(), time.process_time()
        predict_raster(
            scene, scene.grid, checkpoint, LocalPredictor(device),
            raster=folder / "p.tif", work=Path(work),
        )  # fmt: skip
        seconds, processor_s = time.perf_counter() - started, time.process_time() - processor
    return seconds, processor_s, device.tiles * ms / 1000 / seconds


def main() -> None:
    """Measure and print."""
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=plain)
    parser.add_argument("--side", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ms", type=float, nargs="+", default=[0, 1, 2, 5, 10, 20])
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scene = draw_scene(folder / "scene.tif", args.side)
        for ms in args.ms:
            runs = [run(scene, ms, folder) for _ in range(args.rounds)]
            seconds, processor_s, busy = (statistics.median(values) for values in zip(*runs, strict=True))
            rate, processor = (args.side**2 / 1e6 / s for s in (seconds, processor_s))
            said = f"{rate:.1f} MP/s, {processor:.1f} a processor second, busy {busy:.0%}"
            print(f"{ms:g} ms a tile: {said}", flush=True)


if __name__ == "__main__":
    main()
