"""How far does ``--engine ray`` scale?

    python benchmarks/scaling.py measure [--side 4096]    # on this machine, into benchmarks/scaling.json
    python benchmarks/scaling.py simulate                 # 1 to 1,000 workers: table, docs/images/scaling.png

``measure`` times the command line on a drawn scene: this process alone, one worker, two workers, a core each;
then the lines of what was predicted, and of a raster without roads. ``simulate`` plays a large scene with
the costs found: workers that read and predict groups of tiles and hold two at a time, one link to the driver,
one thread there that stores, blends and writes; then the lines, of which the workers do what blocks need.
"""

from __future__ import annotations

import argparse
import heapq
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from predict_speed import draw_scene

from georoads import walk
from georoads.inference.raster_file import write_raster
from georoads.inference.runtime import GROUP_TILES
from georoads.inference.tiles import TilePlan
from georoads.model.checkpoint import find_checkpoint
from georoads.output.write import WriteOptions
from georoads.walk import LayerRequest, VectorizeRequest

HERE = Path(__file__).resolve().parent
FIGURES = HERE / "scaling.json"
PICTURE = HERE.parent / "docs" / "images" / "scaling.png"
GPU_TILES_PER_S = 400.0
"""Assumed: not measured."""
LINK_BYTES_PER_S = 1.1e9
"""Assumed: what is left of 10 Gbit/s."""
CALL_S = 0.002
"""Assumed: what an item costs the driver besides its bytes."""
KM_PER_MP = 6.0
"""Assumed: roads of a suburb at 0.5 m, which is 24 km per km²."""
COUNTS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)


@dataclass(frozen=True)
class Costs:
    """Seconds of one core, by what they are spent on.

    Attributes:
        read_s, network_s, levels_s: of a worker, per tile.
        write_s: of the driver, per tile: store, blend, encode.
        mp_s, km_s: for the lines: per megapixel of ground without roads, and per km of road.
        shared: share of these that is done by blocks, and so by workers.
        tile_px, overlap_px: of the model.
    """

    read_s: float
    network_s: float
    levels_s: float
    write_s: float
    mp_s: float
    km_s: float
    shared: float
    tile_px: int
    overlap_px: int

    @property
    def work_s(self) -> float:
        """Seconds of a worker of one core, per tile."""
        return self.read_s + self.network_s + self.levels_s

    def on_gpu(self, tiles_per_s: float) -> Costs:
        """Costs of a worker with a GPU, which its cores feed: reading goes on beside the network."""
        return replace(self, network_s=max(0.0, 1 / tiles_per_s - self.read_s))


@dataclass(frozen=True)
class Played:
    """A simulated run.

    Attributes:
        predict_s, lines_s: one after the other.
        busy: share of predict's time in which the workers worked.
        writer: share in which the driver's thread wrote.
    """

    predict_s: float
    lines_s: float
    busy: float
    writer: float


def play(costs: Costs, workers: int, side_px: int, *, writers: int = 1) -> Played:
    """A scene of side_px x side_px through some workers, event by event.

    Args:
        costs: of a worker's and the driver's steps.
        workers: how many.
        side_px: of the scene.
        writers: threads of the driver that write; there is one.
    """
    tiles, work_s = len(plan_of(costs, side_px)), costs.work_s
    groups = deque(min(GROUP_TILES, tiles - first) for first in range(0, tiles, GROUP_TILES))
    done: list[tuple[float, int, int]] = []  # when, by whom, tiles
    waiting: dict[int, deque[int]] = {w: deque() for w in range(workers)}
    link, free = 0.0, [0.0] * writers
    for _ in range(2):  # each worker holds two items: one that it works on, and the next
        for worker in range(workers):
            if groups:
                waiting[worker].append(groups.popleft())
    for worker, held in waiting.items():
        if held:
            heapq.heappush(done, (held[0] * work_s, worker, held[0]))
    while done:
        now, worker, count = heapq.heappop(done)
        # The driver fetches when its writer has taken what was fetched before.
        link = max(now, link, min(free)) + CALL_S + count * costs.tile_px**2 / LINK_BYTES_PER_S
        first = free.index(min(free))
        free[first] = max(link, free[first]) + count * costs.write_s
        held = waiting[worker]
        held.popleft()
        if held:
            heapq.heappush(done, (now + held[0] * work_s, worker, held[0]))
        if groups:  # the next item is given when this one has been fetched
            held.append(groups.popleft())
            if len(held) == 1:
                heapq.heappush(done, (max(now, link) + held[0] * work_s, worker, held[0]))
    predict_s = max(free)
    mp = side_px**2 / 1e6
    lines_s = mp * (costs.mp_s + KM_PER_MP * costs.km_s) * (1 - costs.shared + costs.shared / workers)
    busy, writer = tiles * work_s / (workers * predict_s), tiles * costs.write_s / (writers * predict_s)
    return Played(predict_s, lines_s, busy, writer)


def plan_of(costs: Costs, side_px: int) -> TilePlan:
    """The tiles of a square scene."""
    return TilePlan(side_px, side_px, costs.tile_px, costs.overlap_px)


def measure(side: int) -> None:
    """Time the commands, and write the figures."""
    checkpoint = find_checkpoint("default")
    card = checkpoint.card
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scene = draw_scene(folder / "scene.tif", side)
        wall: dict[str, dict[str, float]] = {}
        stages = {}
        for label, flags, threads in (
            ("this process, 1 thread", (), 1),
            ("1 worker", ("--engine", "ray", "--set", "engine.workers=1", "--set", "engine.cpus=1"), 1),
            ("2 workers", ("--engine", "ray", "--set", "engine.workers=2", "--set", "engine.cpus=1"), 1),
            ("this process, 2 threads", (), 2),
        ):
            done, wall_s = command(scene, folder / "p.tif", flags, threads)
            stages[label] = done["stages"]
            wall[label] = {"start to end": wall_s, **done["seconds"]}
            print(f"{label}: {wall_s:.1f} s; {done['seconds']}; {done['stages']}", flush=True)
        tiles = len(TilePlan(side, side, card.tile_px, card.overlap_px))
        lines_s, km, shared = lines_of(folder / "p.tif", folder / "r.gpkg")
        empty_s, *_ = lines_of(without_roads(folder / "p.tif"), folder / "e.gpkg")
        here, there = stages["this process, 1 thread"], stages["1 worker"]
        # What others do on the machine only adds. Levels are made by who writes, or by the worker.
        read, network = (min(here[k], there[k]) / tiles for k in ("read", "network"))
        write = there["write"] / tiles
        costs = Costs(
            read, network, max(0.0, here["write"] / tiles - write), write, empty_s / (side * side / 1e6),
            max(0.0, lines_s - empty_s) / km, shared, card.tile_px, card.overlap_px,
        )  # fmt: skip
        print(f"lines: {lines_s:.2f} s with {km:.1f} km, {empty_s:.2f} s without roads; {costs}")
        figures = {"side": side, "wall_s": wall, "stages_s": stages, "km": km, "costs": asdict(costs)}
        FIGURES.write_text(json.dumps(figures, indent=1) + "\n")


def command(scene: Path, output: Path, flags: tuple[str, ...], threads: int) -> tuple[dict[str, Any], float]:
    """Run predict from the command line.

    Args:
        scene: the scene.
        output: the raster to write.
        flags: further flags.
        threads: of the runtime and of all libraries.

    Returns:
        What --json says, and seconds from start to end.
    """
    figures = output.with_suffix(".json")
    said = ["predict", str(scene), "-o", str(output), "--overwrite", "--json", str(figures), "-q", *flags]
    started = time.monotonic()
    subprocess.run(
        [sys.executable, "-m", "georoads", *said], check=True,
        env=os.environ | {"OMP_NUM_THREADS": str(threads)},
    )  # fmt: skip
    return json.loads(figures.read_text()), time.monotonic() - started


def lines_of(raster: Path, output: Path) -> tuple[float, float, float]:
    """Trace a raster twice by one thread.

    Returns:
        Seconds of the second time, km of road, and the share of the seconds that went into blocks.
    """
    layer = LayerRequest(output=output, write=WriteOptions(overwrite=True))
    for _ in range(2):
        blocks_s = [0.0]

        def timed_map(
            work: Callable[[Any], Any], items: Iterable[Any], spent: list[float] = blocks_s
        ) -> Iterator[Any]:
            for item in items:
                started = time.monotonic()
                answer = work(item)
                spent[0] += time.monotonic() - started
                yield answer

        with walk.prepare(VectorizeRequest(raster=raster, layer=layer)) as prepared:
            done = walk.vectorize(prepared, parallel_map=timed_map).summary
    return done.seconds["vectorize"], done.length_km, blocks_s[0] / done.seconds["vectorize"]


def without_roads(raster: Path) -> Path:
    """Write a raster of the same size with low probabilities, as between roads; returns its path."""
    from georoads.inference.raster import ProbabilityRaster

    empty = raster.with_name("empty.tif")
    with rasterio.open(raster) as source:
        tags = source.tags()
    with ProbabilityRaster(raster) as opened:
        blocks = ((w, partial(np.minimum, opened.read(w), np.uint8(100))) for w in opened.grid.blocks(512))
        write_raster(empty, opened.grid, blocks, tags)
    return empty


def simulate(side: int) -> None:
    """Table and figure of a scene of side x side pixels."""
    cpu = Costs(**json.loads(FIGURES.read_text())["costs"])
    gpu = cpu.on_gpu(GPU_TILES_PER_S)
    km2 = (side * 0.5 / 1000) ** 2
    plays = {
        name: [play(costs, n, side) for n in COUNTS] for name, costs in (("CPU core", cpu), ("GPU", gpu))
    }
    print(f"{side} x {side} px, {km2:,.0f} km², {len(plan_of(cpu, side)):,} tiles")
    heads = " | ".join(f"{name}: predict | of ideal | writer busy | with lines" for name in plays)
    print(f"| workers | {heads} |")
    print("|---:|" + "---:|---:|---:|---:|" * len(plays))
    for i, n in enumerate(COUNTS):
        cells = []
        for found in plays.values():
            played, alone = found[i], found[0]
            ideal = alone.predict_s / n / played.predict_s
            whole = played.predict_s + played.lines_s
            cells.append(f"{hours(played.predict_s)} | {ideal:.0%} | {played.writer:.0%} | {hours(whole)}")
        print(f"| {n:,} | " + " | ".join(cells) + " |")
    for writers in (2, 4, 8):
        best = play(gpu, 1000, side, writers=writers).predict_s
        print(f"if {writers} threads of the driver wrote: predict {hours(best)} at best")
    one, free = plays["GPU"][0].lines_s, plays["GPU"][-1].lines_s
    print(f"lines: {hours(one)} by one, {hours(free)} where blocks cost nothing")
    draw(plays, km2)


def hours(seconds: float) -> str:
    """A duration in hours or minutes, as text."""
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{seconds / 60:.1f} min"


def draw(plays: dict[str, list[Played]], km2: float) -> None:
    """Draw km² an hour over the number of workers."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
    for (name, found), colour in zip(plays.items(), ("#1b6ca8", "#c8553d"), strict=True):
        alone = found[0].predict_s
        predicted = [km2 / p.predict_s * 3600 for p in found]
        extracted = [km2 / (p.predict_s + p.lines_s) * 3600 for p in found]
        axes.loglog(COUNTS, [km2 / alone * 3600 * n for n in COUNTS], ":", color=colour, lw=1)
        axes.loglog(COUNTS, predicted, "o-", color=colour, ms=4, label=f"{name}: predict")
        axes.loglog(COUNTS, extracted, "s--", color=colour, ms=4, mfc="white", label=f"{name}: extract")
    axes.set_xlabel("workers")
    axes.set_ylabel("km² an hour, pixels of 0.5 m")
    axes.set_xticks(COUNTS, [f"{n:,}" for n in COUNTS])
    axes.minorticks_off()
    axes.grid(alpha=0.3)
    axes.legend(title="a worker is a", frameon=False)
    axes.set_title("Simulated: one driver writes (dotted: so many times one worker)", fontsize=10)
    figure.savefig(PICTURE, dpi=110)


def main() -> None:
    """Measure, or simulate."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("what", choices=("measure", "simulate"))
    parser.add_argument("--side", type=int, help="pixels of a side: 4096 measured, 100,000 simulated")
    args = parser.parse_args()
    if args.what == "measure":
        measure(args.side or 4096)
    else:
        simulate(args.side or 100_000)


if __name__ == "__main__":
    main()
