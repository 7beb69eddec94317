"""Is a fast device fed? python benchmarks/feeding.py [--side 4096] [--rounds 3] [--ms 0 1 2 5] [--cores 1 2]

A device is simulated: it takes three batches at once, is at work for so many milliseconds a tile, as a
GPU is, and answers with levels that the shipped model has given for the same ground (see ceiling.py). A
drawn scene (deflate, tiled by 512) is predicted through it. Prints for each time a tile the megapixels of
the scene a second, the same by processor time, which other programs disturb less, and the share of the
time in which the device was at work: where it is below one, the machine, not the device, is the limit. At
0 ms that limit itself is seen. A millisecond a tile of 448 px is a device of 200 MP/s.

With --cores (Linux) all is done on so many cores, one number after the other; from the last two is told
how many would keep the device at work for 90 % of the time, if it went on like that.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from ceiling import ONCE, SCENES, Recorded, record, repeated
from numpy.typing import NDArray
from predict_speed import draw_scene

from georoads.inference.local import LocalPredictor
from georoads.inference.predict import predict_raster
from georoads.model.checkpoint import Checkpoint, find_checkpoint
from georoads.scene.open import open_scene

WANTED = 0.9
"""Share of the time in which a device should be at work."""


class SimulatedDevice:
    """A runtime that needs a fixed time for each tile, and no processor; see ``QueuedRuntime``."""

    in_flight = 3

    def __init__(self, ms: float, recorded: Recorded) -> None:
        """
        Args:
            ms: milliseconds a tile.
            recorded: knows the levels.
        """
        self.name, self.device, self.precision = "simulated", recorded.device, recorded.precision
        self.batch = recorded.batch
        self.busy_s = 0.0
        self._tile_s = ms / 1000
        self._recorded = recorded
        self._free_at = 0.0

    def new_buffer(self, shape: tuple[int, ...]) -> NDArray[np.uint8]:
        """Memory for a batch (N, bands, H, W) uint8."""
        return np.zeros(shape, dtype=np.uint8)

    def start(self, pixels: NDArray[np.uint8]) -> Callable[[], NDArray[np.uint8]]:
        """Begin with a batch when those before it are done."""
        levels, needed_s = self._recorded.levels(pixels), len(pixels) * self._tile_s
        ready_at = self._free_at = max(self._free_at, time.perf_counter()) + needed_s
        self.busy_s += needed_s

        def wait() -> NDArray[np.uint8]:
            time.sleep(max(0.0, ready_at - time.perf_counter()))
            return levels

        return wait

    def levels(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The levels (N, H, W) of the next tiles, when their time is over."""
        return self.start(pixels)()


def run(scene_file: Path, device: SimulatedDevice, checkpoint: Checkpoint) -> tuple[float, float, float]:
    """Predict once.

    Args:
        scene_file: the scene; the raster is written beside it.
        device: which has not worked yet.
        checkpoint: whose levels it knows.

    Returns:
        Seconds, those of the processor, and the share of the former in which the device was at work.
    """
    scene, folder = open_scene(scene_file), scene_file.parent
    with tempfile.TemporaryDirectory(dir=folder) as work:
        started, processor = time.perf_counter(), time.process_time()
        predict_raster(
            scene, scene.grid, checkpoint, LocalPredictor(device),
            raster=folder / "p.tif", work=Path(work),
        )  # fmt: skip
        seconds, processor_s = time.perf_counter() - started, time.process_time() - processor
    return seconds, processor_s, device.busy_s / seconds


def cores_needed(shares: dict[int, float]) -> float:
    """Cores that would keep a device at work for WANTED of the time, in a line through the last two shares.

    Args:
        shares: of the time in which it was at work, by the number of cores.
    """
    (few, low), (many, high) = list(shares.items())[-2:]
    if high >= WANTED:
        return many
    return many + (WANTED - high) * (many - few) / (high - low) if high > low else float("inf")


def main() -> None:
    """Measure and print."""
    plain = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=plain)
    parser.add_argument("--side", type=int, default=4096)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ms", type=float, nargs="+", default=[0, 1, 2, 5, 10, 20])
    parser.add_argument("--cores", type=int, nargs="+", default=[])
    args = parser.parse_args()
    checkpoint = find_checkpoint("default")
    shares: dict[float, dict[int, float]] = {}
    here = sorted(os.sched_getaffinity(0)) if args.cores else []
    with tempfile.TemporaryDirectory() as name:
        once = draw_scene(Path(name) / "once.tif", min(args.side, ONCE))
        levels = record(once, checkpoint, Path(name))
        scene = Path(name) / "scene.tif"
        repeated(once, scene, args.side, SCENES["deflate"])
        for cores in args.cores or [0]:
            if cores:
                os.sched_setaffinity(0, here[:cores])
                print(f"on {min(cores, len(here))} cores:")
            for ms in args.ms:
                runs = []
                for _ in range(args.rounds):
                    device = SimulatedDevice(ms, Recorded(levels, checkpoint.card, args.side))
                    runs.append(run(scene, device, checkpoint))
                seconds, processor_s, busy = (statistics.median(values) for values in zip(*runs, strict=True))
                rate, processor = (args.side**2 / 1e6 / s for s in (seconds, processor_s))
                said = f"{rate:.1f} MP/s, {processor:.1f} a processor second, busy {busy:.0%}"
                print(f"{ms:g} ms a tile: {said}", flush=True)
                shares.setdefault(ms, {})[cores] = busy
    for ms, by_cores in shares.items():
        if ms and len(by_cores) > 1:
            print(f"{ms:g} ms a tile: busy {WANTED:.0%} of the time with {cores_needed(by_cores):.1f} cores")


if __name__ == "__main__":
    main()
