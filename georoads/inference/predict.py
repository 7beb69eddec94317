"""Predicting a scene: three stages side by side, from the file through the network to the raster.

    reader: file blocks → tiles → batch ──▶ caller's thread: network ──▶ writer: spool → raster

Small bounded belts join them. The reader passes over tiles without a valid pixel and fills batches with the
others, in the plan's order. The writer keeps each batch in the spool, and blends and encodes a block of the
raster as soon as the last of its tiles is there, so that little is left to do when the network ends.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georoads import __version__
from georoads.grid import Grid, Window
from georoads.inference.belt import Belt, StoppedError
from georoads.inference.picture import cut_reflected, fill_invalid
from georoads.inference.raster import BLOCK, write_raster
from georoads.inference.runtime import Runtime, normalize, to_levels
from georoads.inference.spool import Batch, Spool
from georoads.inference.tiles import TilePlan, blend
from georoads.jobs.progress import Progress, Watch, unwatched
from georoads.model.card import ModelCard
from georoads.model.checkpoint import Checkpoint
from georoads.network.types import NODATA
from georoads.scene.mosaic import AnyScene, MosaicReader, open_reader
from georoads.scene.read import SceneReader


@dataclass(frozen=True)
class StageTimes:
    """How long the stages of a prediction were at work; they run side by side.

    Attributes:
        read_s: opening, decoding, cutting and normalising, seconds.
        network_s: the network, seconds.
        write_s: spooling, blending and encoding, seconds.
        waited: share of the whole time in which the network, and so the device, had nothing to do.
        saw_nothing: True when no tile has a valid pixel.
    """

    read_s: float
    network_s: float
    write_s: float
    waited: float
    saw_nothing: bool = False


@dataclass(frozen=True)
class _Job:
    """What all stages know."""

    scene: AnyScene
    grid: Grid
    card: ModelCard
    plan: TilePlan
    runtime: Runtime


@dataclass(frozen=True)
class _Read:
    """A batch ready for the network: (batch, bands, tile, tile) float32, and (tile, tile) bool per tile."""

    batch: Batch
    pixels: NDArray[np.float32]
    valid: list[NDArray[np.bool_]]


@dataclass(frozen=True)
class _Done:
    """A batch that the network has seen: (batch, tile, tile) float32 logits, None where all was empty."""

    batch: Batch
    logits: NDArray[np.float32] | None
    valid: list[NDArray[np.bool_]]


def predict_raster(
    scene: AnyScene,
    grid: Grid,
    checkpoint: Checkpoint,
    runtime: Runtime,
    target: tuple[Path, Path],
    *,
    prefetch: int = 2,
    watch: Watch = unwatched,
) -> StageTimes:
    """Write the probability raster of a scene.

    The tiles, the batches and the order of all sums are fixed by the scene, the grid and the card, so the
    bytes do not depend on the prefetch depth or on interruptions.

    Args:
        grid: the working grid.
        target: the raster to write (replaced when it is complete), and the folder for finished tiles, on
            the same file system; what that holds of the same work is used again.
        prefetch: batches that are read ahead, and that may wait to be written.
        watch: shows the number of tiles done.
    """
    raster, work = target
    card = checkpoint.card
    job = _Job(scene, grid, card, TilePlan(grid.height, grid.width, card.tile_px, card.overlap_px), runtime)
    started = time.monotonic()
    read: Belt[_Read] = Belt(prefetch)
    done: Belt[_Done] = Belt(prefetch)
    given_up = Event()
    part = work / "part.tif"
    with (
        Spool(work, len(job.plan), card.tile_px, work_header(scene, grid, checkpoint, runtime)) as spool,
        watch("predict", len(job.plan), "tiles") as on_progress,
        ThreadPoolExecutor(2, "georoads") as threads,
    ):
        ready = len(spool.done)
        reading = threads.submit(_read_batches, job, read, prefetch, spool.damaged, spool.missing)
        writing = threads.submit(_write, job, done, spool, part, raster_tags(scene, checkpoint), given_up)
        try:
            network_s = _infer(runtime, read, done, ready, on_progress)
            read_s = reading.result()
        except BaseException:
            given_up.set()
            raise
        finally:
            read.stop()
            done.close()
        write_s = writing.result()
    part.replace(raster)
    waited = 1 - network_s / max(1e-9, time.monotonic() - started)
    return StageTimes(read_s, network_s, write_s, max(0.0, waited), len(spool.empty) == len(job.plan))


def _read_batches(
    job: _Job, belt: Belt[_Read], prefetch: int, damaged: list[Batch], missing: list[int]
) -> float:
    """Put the batches that are to be done on the belt; returns the seconds of work."""
    started = time.monotonic()
    tile = job.card.tile_px
    # One is filled, one is in the network, the others lie on the belt.
    buffers = cycle([np.zeros((job.runtime.batch, 3, tile, tile), np.float32) for _ in range(prefetch + 2)])
    try:
        with open_reader(job.scene, job.grid) as reader:
            for indices in [*([*b.empty, *b.tiles] for b in damaged), missing]:
                for piece in _batches(job, reader, indices, buffers):
                    belt.give(piece)
    except StoppedError:  # the others have gone, and say why
        pass
    finally:
        belt.close()
    return time.monotonic() - started - belt.gave_s


def _batches(
    job: _Job,
    reader: SceneReader | MosaicReader,
    indices: Sequence[int],
    buffers: Iterator[NDArray[np.float32]],
) -> Iterator[_Read]:
    """The tiles with valid pixels in full batches, but for the last. Which tiles share a batch does not
    depend on interruptions: the rounding of the arithmetic may depend on a batch's size."""
    card, size = job.card, job.runtime.batch
    tiles: list[int] = []
    empty: list[int] = []
    valids: list[NDArray[np.bool_]] = []
    pixels = np.empty(0, dtype=np.float32)
    for index in indices:
        window = job.plan.window(index)
        rgb, valid = read_tile(reader, window)
        reader.forget(*job.plan.needed_from(index))
        if not valid.any():
            empty.append(index)
            continue
        if not tiles:
            pixels = next(buffers)
        normalize(fill_invalid(rgb, valid), card.mean, card.std, out=pixels[len(tiles)])
        tiles.append(index)
        valids.append(valid)
        if len(tiles) == size:
            yield _Read(Batch(tuple(tiles), tuple(empty)), pixels, valids)
            tiles, empty, valids = [], [], []
    if tiles or empty:
        yield _Read(Batch(tuple(tiles), tuple(empty)), pixels[: len(tiles)], valids)


def _infer(
    runtime: Runtime, read: Belt[_Read], done: Belt[_Done], ready: int, on_progress: Progress
) -> float:
    """Take batches through the network, from belt to belt; returns the seconds in it."""
    busy = 0.0
    for piece in read:
        logits, count = None, len(piece.batch.tiles)
        if count:
            started = time.monotonic()
            logits = runtime.logits(piece.pixels)
            busy += time.monotonic() - started
        try:
            done.give(_Done(piece.batch, logits, piece.valid))
        except StoppedError:  # the writer has failed, and says why
            read.stop()
            break
        ready += count + len(piece.batch.empty)
        on_progress(ready)
    return busy


def _write(
    job: _Job, belt: Belt[_Done], spool: Spool, path: Path, tags: dict[str, str], given_up: Event
) -> float:
    """Spool what lies on the belt and write the raster; returns the seconds of work.

    When the others have given up, what they have finished is still spooled.
    """
    started = time.monotonic()
    try:
        write_raster(path, job.grid, _blocks(job, belt, spool, given_up), tags)
    except StoppedError:
        for piece in belt:
            _spool(spool, piece)
    finally:
        belt.stop()
    return time.monotonic() - started - belt.took_s


def _blocks(
    job: _Job, belt: Belt[_Done], spool: Spool, given_up: Event
) -> Iterator[tuple[Window, NDArray[np.uint8]]]:
    """The raster's blocks in reading order, each when all its tiles are in the spool.

    Raises:
        StoppedError: when they will not come.
    """
    for window in job.grid.blocks(BLOCK):
        touching = list(job.plan.touching(window))
        while not spool.done.issuperset(touching):
            _spool(spool, belt.take())
        # A resumed run has many blocks to write at once: the network must not wait for them.
        while (piece := belt.take_if_any()) is not None:
            _spool(spool, piece)
        if given_up.is_set():
            raise StoppedError
        levels = {tile: spool.tile(tile) for tile in touching if tile not in spool.empty}
        if levels:  # else no pixel is valid: the raster is made so that what it lacks is nodata
            yield window, blend(job.plan, window, levels)


def _spool(spool: Spool, piece: _Done) -> None:
    """Keep a batch's levels: round(254 p), and 255 where a pixel is invalid."""
    levels = []
    if piece.logits is not None:
        for logits, valid in zip(piece.logits, piece.valid, strict=True):
            level = to_levels(logits)
            level[~valid] = NODATA
            levels.append(level)
    spool.put(piece.batch, levels)


def work_header(scene: AnyScene, grid: Grid, checkpoint: Checkpoint, runtime: Runtime) -> dict[str, Any]:
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


def raster_tags(scene: AnyScene, checkpoint: Checkpoint) -> dict[str, str]:
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


def read_tile(
    reader: SceneReader | MosaicReader, window: Window
) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """A tile of the working grid; beyond the grid it is filled by reflection."""
    inside = window.intersect(reader.grid.window)
    rgb, valid = reader.read(inside)
    if inside == window:
        return rgb, valid
    return cut_reflected(rgb, valid, window.relative_to(inside))
