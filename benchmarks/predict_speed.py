"""Is predict as fast as its network? python benchmarks/predict_speed.py [--side 2048] [--rounds 3]

A drawn scene of SIDE x SIDE pixels (the example scene, turned, mirrored and shaded anew from place to place)
as a deflate GeoTIFF tiled by 512, through the shipped model and one compiled runtime, in turn:
- bare: the network alone, on the same batches of tiles, held in memory;
- predict: scene file to probability raster;
- extract: scene file to road layer.
Prints the ratios to the mean of the bare runs just before and after (medians of the rounds), the ratio of
processor times, which a shared machine disturbs less, and the seconds by stage; then the scene's megapixels a
second over those of a network that would see each pixel once, which no tiling with overlap can reach; and
extract over predict. With --rounds 1 the first run compiles, and says nothing of speed.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from numpy.typing import NDArray
from rasterio.windows import Window as RasterioWindow

import georoads
from georoads.inference.picture import cut_reflected
from georoads.inference.raster import RasterOptions
from georoads.inference.runtime import Runtime
from georoads.inference.select import PredictParams, open_runtime
from georoads.inference.tiles import TilePlan
from georoads.model.card import ModelCard
from georoads.model.checkpoint import Checkpoint, find_checkpoint
from georoads.model.pixels import fill_invalid
from georoads.output.write import WriteOptions
from georoads.walk import Summary, prepared

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "scene.tif"
CHIP = 512


@dataclass(frozen=True)
class Timed:
    """Wall and processor time of a run, and the time to open the scene, in seconds; its stages as text."""

    wall_s: float
    processor_s: float
    open_s: float = 0.0
    stages: str = ""


def timed(run: Callable[[], Summary | None]) -> Timed:
    """How long a function takes."""
    wall, processor = time.perf_counter(), time.process_time()
    done = run()
    times = time.perf_counter() - wall, time.process_time() - processor
    return Timed(*times, done.seconds["open"], shown(done)) if done else Timed(*times)


def draw_scene(path: Path, side: int, seed: int = 11) -> Path:
    """Write a GeoTIFF of side x side pixels, made of crops of the example scene.

    Args:
        path: of the file.
        side: pixels.
        seed: of the choice of crops, their turns and their noise.

    Returns:
        The path.
    """
    rng = np.random.default_rng(seed)
    with rasterio.open(EXAMPLE) as example:
        picture, crs = example.read([1, 2, 3]), example.crs
    profile = {
        "driver": "GTiff", "dtype": "uint8", "count": 3, "width": side, "height": side, "crs": crs,
        "transform": Affine(0.5, 0, 500_000, 0, -0.5, 1_500_000), "tiled": True, "blockxsize": CHIP,
        "blockysize": CHIP, "compress": "deflate", "photometric": "RGB",
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as out:
        for row in range(0, side, CHIP):
            for col in range(0, side, CHIP):
                y, x = (int(rng.integers(n - CHIP + 1)) for n in picture.shape[1:])
                chip = np.rot90(picture[:, y : y + CHIP, x : x + CHIP], int(rng.integers(4)), (1, 2))
                noise = rng.normal(rng.uniform(-12, 12), 3, chip.shape)
                chip = np.clip(chip + noise, 1, 255).astype(np.uint8)
                height, width = min(CHIP, side - row), min(CHIP, side - col)
                out.write(chip[:, :height, :width], window=RasterioWindow(col, row, width, height))
    return path


def batches_in_memory(path: Path, card: ModelCard, batch: int) -> list[NDArray[np.uint8]]:
    """All batches that predict gives to the network.

    Args:
        path: of the scene.
        card: of the model.
        batch: tiles of a batch.

    Returns:
        (tiles, bands, tile, tile) uint8; the last may have fewer tiles.
    """
    with rasterio.open(path) as source:
        rgb = source.read()
    valid = np.ones(rgb.shape[1:], dtype=bool)
    height, width = valid.shape
    plan = TilePlan(height, width, card.tile_px, card.overlap_px)
    batches = []
    for first in range(0, len(plan), batch):
        last = min(first + batch, len(plan))
        full = np.zeros((last - first, 3, card.tile_px, card.tile_px), dtype=np.uint8)
        for i in range(first, last):
            cut, seen = cut_reflected(rgb, valid, plan.window(i))
            full[i - first] = fill_invalid(cut, seen)
        batches.append(full)
    return batches


def measure(checkpoint: Checkpoint, runtime: Runtime, folder: Path, side: int, rounds: int) -> None:
    """Time the bare network, predict and extract in turn, and print.

    Args:
        checkpoint: the model.
        runtime: that model, ready.
        folder: for scene and results.
        side: of the drawn scene, pixels.
        rounds: how often each is timed.
    """
    scene = draw_scene(folder / "scene.tif", side)
    batches = batches_in_memory(scene, checkpoint.card, runtime.batch)
    # Compiled once: start-up is another claim.
    prepared.open_runtime = lambda *_: runtime  # type: ignore[attr-defined]

    def bare() -> None:
        for batch in batches:
            runtime.levels(batch)

    def predict() -> Summary:
        return georoads.predict(scene, folder / "p.tif", checkpoint, raster=RasterOptions(overwrite=True))

    def extract() -> Summary:
        write = WriteOptions(overwrite=True)
        return georoads.extract(scene, folder / "r.gpkg", checkpoint, write=write).summary

    if rounds > 1:
        extract()
    pixels = sum(map(len, batches)) * checkpoint.card.tile_px**2
    pairs: dict[str, list[tuple[Timed, Timed]]] = {"predict": [], "extract": []}
    before = timed(bare)
    for _ in range(rounds):
        for name, run in (("predict", predict), ("extract", extract)):
            done, after = timed(run), timed(bare)
            # The machine's speed drifts: compare with the network just before and just after.
            beside = Timed((before.wall_s + after.wall_s) / 2, (before.processor_s + after.processor_s) / 2)
            pairs[name].append((done, beside))
            before = after
            speed = f"bare {beside.wall_s:.2f} s ({pixels / beside.wall_s / 1e6:.2f} MP/s)"
            print(f"  {name} {done.wall_s:.2f} s, {speed}; {done.stages}", flush=True)
    print(f"{side} x {side}, {runtime.name} {runtime.precision}, wall time over that of the bare network:")
    report(pairs)
    report_limits(pairs, computed=pixels / side**2)


def report_limits(pairs: dict[str, list[tuple[Timed, Timed]]], computed: float) -> None:
    """Print how near predict comes to the network without overlap, and what the lines cost beside p.

    Args:
        pairs: runs of predict and extract, each with the bare network's beside it.
        computed: pixels that the network computes for each of the scene, what lies beyond its border too.
    """
    whole = {name: [(t.wall_s - t.open_s, b.wall_s) for t, b in runs] for name, runs in pairs.items()}
    reached = [bare / computed / predict for predict, bare in whole["predict"]]
    rounds = zip(whole["extract"], whole["predict"], strict=True)
    over = [extract / bare / (predict / beside) for (extract, bare), (predict, beside) in rounds]
    print(
        f"{computed:.2f} computed pixels a pixel: predict reaches {statistics.median(reached):.2f} of the "
        f"speed without overlap; extract over predict {statistics.median(over):.3f}"
    )


def report(pairs: dict[str, list[tuple[Timed, Timed]]]) -> None:
    """Print the ratios of each command's runs to the bare network's runs beside them."""
    for name, runs in pairs.items():
        opening = [t.wall_s / b.wall_s for t, b in runs]
        ratios = [(t.wall_s - t.open_s) / b.wall_s for t, b in runs]
        processor = statistics.median(t.processor_s / b.processor_s for t, b in runs)
        print(
            f"{name}: {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f}); with opening "
            f"the scene {statistics.median(opening):.3f}; processor time {processor:.3f}"
        )


def shown(done: Summary) -> str:
    """The seconds by stage, as text."""
    parts = [f"{stage} {seconds:.2f}" for stage, seconds in (done.seconds | done.stages).items()]
    return ", ".join([*parts, f"device waited {done.waited:.1%}"])


def main() -> None:
    """Read the arguments and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--side", type=int, default=2048, help="pixels of a side: 2048, 4096, 8192")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--model", default="default")
    parser.add_argument("--runtime", default="auto")
    args = parser.parse_args()
    checkpoint = find_checkpoint(args.model)
    runtime = open_runtime(checkpoint, PredictParams("cpu", args.runtime))
    with tempfile.TemporaryDirectory() as name:
        measure(checkpoint, runtime, Path(name), args.side, args.rounds)


if __name__ == "__main__":
    main()
