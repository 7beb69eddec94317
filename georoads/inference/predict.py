"""Predicting a scene: tiles through the network to a spool, then blended to the raster in block order."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georoads import __version__
from georoads.grid import Grid, Window
from georoads.inference.picture import cut_reflected, fill_invalid
from georoads.inference.raster import BLOCK, write_raster
from georoads.inference.runtime import Runtime, normalize, tile_levels
from georoads.inference.spool import Spool
from georoads.inference.tiles import TilePlan, blend
from georoads.jobs.progress import Progress, Watch, unwatched
from georoads.model.checkpoint import Checkpoint
from georoads.network.types import NODATA
from georoads.scene.read import SceneReader
from georoads.scene.scene import Scene

Tiles = tuple[list[NDArray[np.float32]], list[NDArray[np.bool_]]]


def predict_raster(
    scene: Scene,
    grid: Grid,
    checkpoint: Checkpoint,
    runtime: Runtime,
    target: tuple[Path, Path],
    *,
    prefetch: int = 2,
    watch: Watch = unwatched,
) -> None:
    """Write the probability raster of a scene.

    The tiles, the batches and the order of all sums are fixed by the grid and the card, so the bytes do
    not depend on the prefetch depth or on interruptions.

    Args:
        grid: the working grid.
        target: the raster to write (replaced), and the folder for finished tiles; what that holds of
            the same work is used again.
        prefetch: batches that are read ahead.
        watch: shows the number of tiles done.
    """
    raster, work = target
    card = checkpoint.card
    plan = TilePlan(grid.height, grid.width, card.tile_px, card.overlap_px)
    header = work_header(scene, grid, checkpoint, runtime)
    with Spool(work, len(plan), card.tile_px, header) as spool:
        with watch("predict", len(plan), "tiles") as on_progress:
            _fill(spool, scene, grid, checkpoint, runtime, plan, prefetch, on_progress)
        blocks = ((w, blend(plan, w, spool.tiles)) for w in grid.blocks(BLOCK))
        write_raster(raster, grid, blocks, raster_tags(scene, checkpoint))


def _fill(
    spool: Spool,
    scene: Scene,
    grid: Grid,
    checkpoint: Checkpoint,
    runtime: Runtime,
    plan: TilePlan,
    prefetch: int,
    on_progress: Progress,
) -> None:
    """Put the levels of all batches that are not in the spool into it."""
    batch = runtime.batch
    batches = [range(i, min(i + batch, len(plan))) for i in range(0, len(plan), batch)]
    todo = [b for b in range(len(batches)) if b not in spool.done]
    for b, (tiles, valids) in _read_ahead(scene, grid, checkpoint, plan, batches, todo, prefetch):
        levels = {}
        if any(v.any() for v in valids):
            out = tile_levels(runtime, tiles)
            levels = {
                t: np.where(v, out[i], NODATA).astype(np.uint8)
                for i, (t, v) in enumerate(zip(batches[b], valids, strict=True))
                if v.any()
            }
        spool.put(b, levels)
        on_progress(min((b + 1) * batch, len(plan)))


def work_header(scene: Scene, grid: Grid, checkpoint: Checkpoint, runtime: Runtime) -> dict[str, Any]:
    """All that the spooled tiles depend on."""
    card = checkpoint.card
    return {
        "scene": scene.fingerprint,
        "grid": [list(grid.transform)[:6], grid.width, grid.height],
        "model": checkpoint.sha256,
        "tile": [card.tile_px, card.overlap_px],
        "runtime": f"{runtime.name} {runtime.device} {runtime.precision}",
        "batch": runtime.batch,
        "version": __version__,
    }


def raster_tags(scene: Scene, checkpoint: Checkpoint) -> dict[str, str]:
    """What the raster says about itself."""
    card = checkpoint.card
    return {
        "GEOROADS_VERSION": __version__,
        "GEOROADS_MODEL": card.name,
        "GEOROADS_MODEL_SHA256": checkpoint.sha256,
        "GEOROADS_THRESHOLD": f"{card.threshold:.6f}",
        "GEOROADS_TILE": str(card.tile_px),
        "GEOROADS_OVERLAP": str(card.overlap_px),
        "GEOROADS_SCENE": scene.fingerprint,
    }


def _read_ahead(
    scene: Scene,
    grid: Grid,
    checkpoint: Checkpoint,
    plan: TilePlan,
    batches: list[range],
    todo: list[int],
    prefetch: int,
) -> Iterator[tuple[int, Tiles]]:
    """Batches in order, read by one thread that is up to ``prefetch`` ahead."""
    card = checkpoint.card
    with SceneReader(scene, grid) as reader, ThreadPoolExecutor(1) as pool:

        def read(b: int) -> Tiles:
            pairs = [read_tile(reader, plan.window(t)) for t in batches[b]]
            inputs = [normalize(fill_invalid(rgb, valid), card.mean, card.std) for rgb, valid in pairs]
            return inputs, [valid for _, valid in pairs]

        waiting: list[tuple[int, Future[Tiles]]] = []
        for b in todo:
            waiting.append((b, pool.submit(read, b)))
            if len(waiting) > prefetch:
                first, future = waiting.pop(0)
                yield first, future.result()
        for b, future in waiting:
            yield b, future.result()


def read_tile(reader: SceneReader, window: Window) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """A tile of the working grid; beyond the grid it is filled by reflection."""
    inside = window.intersect(reader.grid.window)
    rgb, valid = reader.read(inside)
    if inside == window:
        return rgb, valid
    return cut_reflected(rgb, valid, window.relative_to(inside))
