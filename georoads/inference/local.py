"""Predicting in this process: a thread reads ahead, the caller's thread runs the network."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import Protocol

from georoads.inference.batches import InputBatch, Job, PredictedBatch, Reader, TileGroup, read_batches
from georoads.inference.handoff import HandoffQueue
from georoads.inference.runtime import Runtime, RuntimeKind, check_levels, kind_of
from georoads.network.types import ParallelMap
from georoads.scene.mosaic import open_reader
from georoads.workers.threads import Threads


class Predictor(Protocol):
    """Who predicts groups of tiles: this process, or workers elsewhere.

    Attributes:
        kind: of the runtime.
        workers: number of networks that are at work at the same time.
        ahead: batches that may wait to be written.
        parallel_map: does other work where this predictor works, once all groups are predicted.
        read_s, network_s: seconds of reading and in the network so far, added over all workers.
        messages: what the summary must say.
    """

    kind: RuntimeKind
    ahead: int
    read_s: float
    network_s: float

    parallel_map: ParallelMap

    @property
    def workers(self) -> int: ...
    @property
    def messages(self) -> tuple[str, ...]: ...

    def predict(self, job: Job, groups: Iterable[TileGroup]) -> Generator[PredictedBatch]:
        """The batches of all groups; those of a group one after another, in its order."""


class LocalPredictor:
    """A runtime of this process, fed by a thread; see ``Predictor``."""

    workers = 1
    messages: tuple[str, ...] = ()

    def __init__(self, runtime: Runtime, prefetch: int = 2, reader: Reader | None = None) -> None:
        """
        Args:
            runtime: the network.
            prefetch: batches that are read ahead, and that may wait to be written.
            reader: of the scene, to be used again and left open; None: ``predict`` opens one.
        """
        self._runtime = runtime
        self._reader = reader
        self.kind = kind_of(runtime)
        self.ahead = prefetch
        self.parallel_map: ParallelMap = Threads()
        self.read_s = self.network_s = 0.0

    def predict(self, job: Job, groups: Iterable[TileGroup]) -> Generator[PredictedBatch]:
        """The batches of all groups, in order."""
        queue: HandoffQueue[InputBatch] = HandoffQueue(self.ahead)
        with ThreadPoolExecutor(1, "georoads-read") as thread:
            reading = thread.submit(self._read, job, groups, queue)
            try:
                for read in queue:
                    levels = None
                    if read.batch.tiles:
                        started = time.monotonic()
                        levels = self._runtime.levels(read.pixels)
                        check_levels(levels, f"the network of {job.card.name}")
                        self.network_s += time.monotonic() - started
                    yield read.predicted(levels)
                self.read_s += reading.result()
            except BaseException:  # and once more below: a second signal may cut this short
                queue.stop()
                raise
            finally:
                queue.stop()

    def _read(self, job: Job, groups: Iterable[TileGroup], queue: HandoffQueue[InputBatch]) -> float:
        own = self._reader
        try:
            with open_reader(job.scene, job.grid) if own is None else nullcontext(own) as reader:
                return read_batches(job, reader, groups, self.kind.batch, queue)
        finally:
            queue.close()
