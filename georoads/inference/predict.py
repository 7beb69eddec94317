"""Predicting a scene: three stages side by side, from the file through the network to the raster.

    reader: file blocks → tiles → batch ──▶ caller's thread: network ──▶ writer: tile store → raster

Short bounded queues join them. The reader passes over tiles without a valid pixel and fills batches with the
others, in the plan's order (``batches``, ``local``); or workers elsewhere do both (``remote``). The writer
keeps each batch in the tile store, and has a block of the raster blended and encoded as soon as the last of
its tiles is there, so that little is left to do when the network ends. Reader and writer have threads for the
parts of their work that need no order; each takes the results in order, so that no byte hangs on them.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georoads import __version__
from georoads.appearance import Appearance, median_of, plain_share
from georoads.calibration import TAG as CALIBRATION_TAG
from georoads.grid import Grid
from georoads.inference.batches import Job, PredictedBatch, groups_to_do
from georoads.inference.handoff import HandoffQueue, StoppedError
from georoads.inference.local import Predictor
from georoads.inference.raster import BLOCK
from georoads.inference.raster_file import Block, write_raster
from georoads.inference.runtime import RuntimeKind
from georoads.inference.tile_store import TileStore
from georoads.inference.tiles import blend
from georoads.model.checkpoint import Checkpoint
from georoads.progress import Progress, Watch, unwatched
from georoads.scene.mosaic import AnyScene
from georoads.workers.threads import Threads


@dataclass(frozen=True)
class StageTimes:
    """How long the stages of a prediction were at work; they run side by side.

    Attributes:
        read_s: decoding, cutting and filling, seconds; of all workers and threads together.
        network_s: the network, seconds; of all workers together.
        write_s: storing tiles, blending and encoding, seconds in which any of it was done.
        waited: share of the whole time in which a network, and so its device, had nothing to do.
        saw_nothing: True when no tile has a valid pixel.
        workers: networks at work at the same time, at the end.
        look: what the tiles of this run look like, the median; None where none has a valid pixel.
        plain: 255 or 0, and the share of them that is nothing but white or black.
    """

    read_s: float
    network_s: float
    write_s: float
    waited: float
    saw_nothing: bool = False
    workers: int = 1
    look: Appearance | None = None
    plain: tuple[int, float] = (255, 0.0)


def predict_raster(
    scene: AnyScene,
    grid: Grid,
    checkpoint: Checkpoint,
    predictor: Predictor,
    *,
    raster: Path,
    work: Path,
    watch: Watch = unwatched,
) -> StageTimes:
    """Write the probability raster of a scene.

    The tiles, the batches and the order of all sums are fixed by the scene, the grid and the card, so the
    bytes do not depend on who predicts, on the prefetch depth or on interruptions.

    Args:
        scene: the scene, or several as one.
        grid: the working grid.
        checkpoint: the model.
        predictor: this process, or workers elsewhere.
        raster: the file to write; replaced when the new one is complete.
        work: folder for finished tiles, on the same file system as the raster. Finished tiles of the same
            work in it are used again.
        watch: shows the number of tiles done.

    Returns:
        The times of the stages.

    Raises:
        GeoroadsError: the folder holds other work; the scene is damaged; a worker fails.
    """
    job = Job(scene, grid, checkpoint.card)
    started = time.monotonic()
    held = job.held_tiles()
    done: HandoffQueue[PredictedBatch] = HandoffQueue(predictor.ahead)
    part = work / "part.tif"
    header = _work_header(job, checkpoint, predictor.kind)
    with (
        TileStore(work, held, job.card.tile_px, header) as store,
        watch("predict", int(held.sum()), "tiles") as on_progress,
        ThreadPoolExecutor(1, "georoads-write") as thread,
    ):
        ready, groups = int((store.done & held).sum()), groups_to_do(store)
        writer = _Writer(job, held, done, store)
        writing = thread.submit(writer.write, part, _raster_tags(scene, checkpoint), predictor.io_threads)
        try:
            with closing(predictor.predict(job, groups)) as batches:
                looks = _hand_over(batches, done, ready, on_progress)
        except BaseException:
            writer.given_up.set()
            raise
        finally:
            done.close()
        write_s = writing.result()
    part.replace(raster)
    waited = 1 - predictor.network_s / max(1e-9, predictor.workers * (time.monotonic() - started))
    return StageTimes(
        read_s=predictor.read_s, network_s=predictor.network_s, write_s=write_s, waited=max(0.0, waited),
        saw_nothing=bool(store.empty.all()), workers=predictor.workers, look=median_of(looks),
        plain=plain_share(looks),
    )  # fmt: skip


def _hand_over(
    batches: Iterable[PredictedBatch], done: HandoffQueue[PredictedBatch], ready: int, on_progress: Progress
) -> list[Appearance]:
    """Give batches to the writer, as long as it takes them; returns what their tiles look like."""
    looks: list[Appearance] = []
    for predicted in batches:
        try:
            done.put(predicted)
        except StoppedError:  # the writer has failed, and says why
            break
        looks += predicted.looks
        ready += len(predicted.batch.tiles) + len(predicted.batch.empty)
        on_progress(ready)
    return looks


class _Writer:
    """The last stage: stores predicted tiles and writes the raster.

    Attributes:
        given_up: set when the other stages have failed; what they have finished is still stored then.
    """

    def __init__(
        self, job: Job, held: NDArray[np.bool_], queue: HandoffQueue[PredictedBatch], store: TileStore
    ) -> None:
        self._job = job
        self._held = held
        self._queue = queue
        self._store = store
        self.given_up = Event()

    def write(self, path: Path, tags: dict[str, str], threads: Threads) -> float:
        """Store what comes through the queue and write the raster; returns the seconds of work."""
        started = time.monotonic()
        try:
            # The blocks' own threads end before this one goes on.
            with closing(self._blocks()) as blocks:
                write_raster(path, self._job.grid, blocks, tags, threads)
        except StoppedError:
            for predicted in self._queue:
                self._keep(predicted)
        finally:
            self._queue.stop()
        return time.monotonic() - started - self._queue.get_wait_s

    def _keep(self, predicted: PredictedBatch) -> None:
        self._store.put(predicted.batch, predicted.levels())

    def _blocks(self) -> Generator[Block]:
        """The raster's blocks in reading order, each when all its tiles are stored.

        Raises:
            StoppedError: they will not come.
        """
        plan, store = self._job.plan, self._store
        for window in self._job.grid.blocks(BLOCK):
            if not plan.meets(window, self._held):
                continue
            touching = list(plan.touching(window))
            while not store.done[touching].all():
                self._keep(self._queue.get())
            # A resumed run has many blocks to write at once: the network must not wait for them.
            while (waiting := self._queue.get_if_any()) is not None:
                self._keep(waiting)
            if self.given_up.is_set():
                raise StoppedError
            levels = {tile: store.tile(tile) for tile in touching if not store.empty[tile]}
            if levels:  # else no pixel is valid: the raster is made so that what it lacks is nodata
                yield window, partial(blend, plan, window, levels)


def _work_header(job: Job, checkpoint: Checkpoint, kind: RuntimeKind) -> dict[str, Any]:
    """All that the stored tiles depend on, as plain JSON values, for the ledger of unfinished work."""
    return {
        "scene": job.scene.fingerprint,
        "grid": [list(job.grid.transform)[:6], job.grid.width, job.grid.height],
        "model": checkpoint.sha256,
        "tile": [job.card.tile_px, job.card.overlap_px],
        "runtime": f"{kind.name} {kind.device} {kind.precision}",
        "batch": kind.batch,
        "version": __version__,
    }


def _raster_tags(scene: AnyScene, checkpoint: Checkpoint) -> dict[str, str]:
    """The raster's metadata: by which model and of which scene it was made."""
    card = checkpoint.card
    return {
        "GEOROADS_VERSION": __version__,
        "GEOROADS_MODEL": card.name,
        "GEOROADS_MODEL_SHA256": checkpoint.sha256,
        "GEOROADS_THRESHOLD": f"{card.threshold:.6f}",
        CALIBRATION_TAG: card.calibration.to_text(),
        "GEOROADS_TILE": str(card.tile_px),
        "GEOROADS_OVERLAP": str(card.overlap_px),
        "GEOROADS_SCENE": scene.fingerprint,
    }
