"""Predicting a scene: three stages side by side, from the file through the network to the raster.

    reader: file blocks → tiles → batch ──▶ caller's thread: network ──▶ writer: spool → raster

Small bounded belts join them. The reader passes over tiles without a valid pixel and fills batches with the
others, in the plan's order (``batches``, ``local``); or workers elsewhere do both (``spread``). The writer
keeps each batch in the spool, and blends and encodes a block of the raster as soon as the last of its tiles
is there, so that little is left to do when the network ends.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georoads import __version__
from georoads.grid import Grid, Window
from georoads.inference.batches import Answer, Job, runs_to_do
from georoads.inference.handoff import Belt, StoppedError
from georoads.inference.local import Predictor
from georoads.inference.raster import BLOCK, write_raster
from georoads.inference.runtime import RuntimeKind
from georoads.inference.tile_store import Spool
from georoads.inference.tiles import blend
from georoads.model.checkpoint import Checkpoint
from georoads.progress import Progress, Watch, unwatched
from georoads.scene.mosaic import AnyScene


@dataclass(frozen=True)
class StageTimes:
    """How long the stages of a prediction were at work; they run side by side.

    Attributes:
        read_s: opening, decoding, cutting and normalising, seconds; of all workers together.
        network_s: the network, seconds; of all workers together.
        write_s: spooling, blending and encoding, seconds.
        waited: share of the whole time in which a network, and so its device, had nothing to do.
        saw_nothing: True when no tile has a valid pixel.
        workers: networks at work at the same time, at the end.
    """

    read_s: float
    network_s: float
    write_s: float
    waited: float
    saw_nothing: bool = False
    workers: int = 1


def predict_raster(
    scene: AnyScene,
    grid: Grid,
    checkpoint: Checkpoint,
    predictor: Predictor,
    target: tuple[Path, Path],
    *,
    watch: Watch = unwatched,
) -> StageTimes:
    """Write the probability raster of a scene.

    The tiles, the batches and the order of all sums are fixed by the scene, the grid and the card, so the
    bytes do not depend on who predicts, on the prefetch depth or on interruptions.

    Args:
        grid: the working grid.
        predictor: this process, or workers elsewhere.
        target: the raster to write (replaced when it is complete), and the folder for finished tiles, on
            the same file system; what that holds of the same work is used again.
        watch: shows the number of tiles done.
    """
    raster, work = target
    job = Job(scene, grid, checkpoint.card)
    started = time.monotonic()
    done: Belt[Answer] = Belt(predictor.ahead)
    given_up = Event()
    part = work / "part.tif"
    header = work_header(scene, grid, checkpoint, predictor.kind)
    with (
        Spool(work, len(job.plan), job.card.tile_px, header) as spool,
        watch("predict", len(job.plan), "tiles") as on_progress,
        ThreadPoolExecutor(1, "georoads-write") as thread,
    ):
        ready, runs = len(spool.done), runs_to_do(spool)
        writing = thread.submit(_write, job, done, spool, part, raster_tags(scene, checkpoint), given_up)
        try:
            with closing(predictor.answers(job, runs)) as answers:
                _hand_over(answers, done, ready, on_progress)
        except BaseException:
            given_up.set()
            raise
        finally:
            done.close()
        write_s = writing.result()
    part.replace(raster)
    waited = 1 - predictor.network_s / max(1e-9, predictor.workers * (time.monotonic() - started))
    return StageTimes(
        predictor.read_s, predictor.network_s, write_s, max(0.0, waited),
        len(spool.empty) == len(job.plan), predictor.workers,
    )  # fmt: skip


def _hand_over(answers: Iterable[Answer], done: Belt[Answer], ready: int, on_progress: Progress) -> None:
    """Give answers to the writer, as long as it takes them."""
    for answer in answers:
        try:
            done.give(answer)
        except StoppedError:  # the writer has failed, and says why
            return
        ready += len(answer.batch.tiles) + len(answer.batch.empty)
        on_progress(ready)


def _write(
    job: Job, belt: Belt[Answer], spool: Spool, path: Path, tags: dict[str, str], given_up: Event
) -> float:
    """Spool what lies on the belt and write the raster; returns the seconds of work.

    When the others have given up, what they have finished is still spooled.
    """
    started = time.monotonic()
    try:
        write_raster(path, job.grid, _blocks(job, belt, spool, given_up), tags)
    except StoppedError:
        for answer in belt:
            spool.put(answer.batch, answer.levels())
    finally:
        belt.stop()
    return time.monotonic() - started - belt.took_s


def _blocks(
    job: Job, belt: Belt[Answer], spool: Spool, given_up: Event
) -> Iterator[tuple[Window, NDArray[np.uint8]]]:
    """The raster's blocks in reading order, each when all its tiles are in the spool.

    Raises:
        StoppedError: when they will not come.
    """
    for window in job.grid.blocks(BLOCK):
        touching = list(job.plan.touching(window))
        while not spool.done.issuperset(touching):
            answer = belt.take()
            spool.put(answer.batch, answer.levels())
        # A resumed run has many blocks to write at once: the network must not wait for them.
        while (waiting := belt.take_if_any()) is not None:
            spool.put(waiting.batch, waiting.levels())
        if given_up.is_set():
            raise StoppedError
        levels = {tile: spool.tile(tile) for tile in touching if tile not in spool.empty}
        if levels:  # else no pixel is valid: the raster is made so that what it lacks is nodata
            yield window, blend(job.plan, window, levels)


def work_header(scene: AnyScene, grid: Grid, checkpoint: Checkpoint, kind: RuntimeKind) -> dict[str, Any]:
    """All that the spooled tiles depend on."""
    card = checkpoint.card
    return {
        "scene": scene.fingerprint,
        "grid": [list(grid.transform)[:6], grid.width, grid.height],
        "model": checkpoint.sha256,
        "tile": [card.tile_px, card.overlap_px],
        "runtime": f"{kind.name} {kind.device} {kind.precision}",
        "batch": kind.batch,
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
