"""Predicting in this process: threads read ahead, the caller's thread runs the network."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from georoads.inference.batches import InputBatch, Job, PredictedBatch, Reader, TileGroup, read_batches
from georoads.inference.handoff import HandoffQueue, StoppedError
from georoads.inference.runtime import AtOnce, QueuedRuntime, Runtime, RuntimeKind, check_levels, kind_of
from georoads.network.types import ParallelMap
from georoads.scene.mosaic import open_reader
from georoads.workers.threads import Threads

Result = TypeVar("Result")
_Started = tuple[InputBatch, Callable[[], NDArray[np.uint8] | None]]
"""A batch in the network, and what waits for its levels."""


class Predictor(Protocol):
    """Who predicts groups of tiles: this process, or workers elsewhere.

    Attributes:
        kind: of the runtime.
        workers: number of networks that are at work at the same time.
        ahead: batches that may wait to be written.
        io_threads: threads of this process that read, and as many that encode.
        parallel_map: does other work where this predictor works, once all groups are predicted.
        read_s, network_s: seconds of reading and in the network so far, added over all workers and threads.
        messages: what the summary must say.
    """

    kind: RuntimeKind
    ahead: int
    io_threads: Threads
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
    """A runtime of this process, fed by threads; see ``Predictor``."""

    workers = 1
    messages: tuple[str, ...] = ()

    def __init__(
        self, runtime: Runtime, prefetch: int = 2, reader: Reader | None = None, io_threads: int = 0
    ) -> None:
        """
        Args:
            runtime: the network.
            prefetch: batches that are read ahead, and that may wait to be written.
            reader: of the scene, to be used again and left open; None: ``predict`` opens one.
            io_threads: that read; 0: one for each core, up to eight.
        """
        self._queued = runtime if isinstance(runtime, QueuedRuntime) else AtOnce(runtime)
        self._reader = reader
        self.kind = kind_of(runtime)
        self.ahead = prefetch
        self.io_threads = Threads(io_threads)
        self.parallel_map: ParallelMap = Threads()
        self.read_s = self.network_s = 0.0

    def predict(self, job: Job, groups: Iterable[TileGroup]) -> Generator[PredictedBatch]:
        """The batches of all groups, in order."""
        queue: HandoffQueue[InputBatch] = HandoffQueue(self.ahead)
        with ThreadPoolExecutor(1, "georoads-read") as thread:
            reading = thread.submit(self._read, job, groups, queue)
            try:
                yield from self._through_network(job, queue)
                self.read_s += reading.result()
            except BaseException:  # and once more below: a second signal may cut this short
                queue.stop()
                raise
            finally:
                queue.stop()

    def _through_network(self, job: Job, queue: HandoffQueue[InputBatch]) -> Generator[PredictedBatch]:
        """What comes through the queue, predicted; the network has as many batches at once as it takes."""
        started: deque[_Started] = deque()
        while (read := _next(queue, wait=not started)) is not None or started:
            if read is not None:
                started.append((read, self._start(read)))
            if read is None or len(started) == self._queued.in_flight:
                batch, levels_of = started.popleft()
                levels = self._timed(levels_of)
                if levels is not None:
                    check_levels(levels, f"the network of {job.card.name}")
                yield batch.predicted(levels)

    def _start(self, read: InputBatch) -> Callable[[], NDArray[np.uint8] | None]:
        if not read.batch.tiles:
            return lambda: None
        return self._timed(lambda: self._queued.start(read.pixels))

    def _timed(self, work: Callable[[], Result]) -> Result:
        """What a function returns; its time counts as the network's."""
        began = time.monotonic()
        done = work()
        self.network_s += time.monotonic() - began
        return done

    def _read(self, job: Job, groups: Iterable[TileGroup], queue: HandoffQueue[InputBatch]) -> float:
        own, threads = self._reader, self.io_threads
        shape = self.kind.batch, 3, job.card.tile_px, job.card.tile_px
        # One is filled, the others wait in the queue or are in the network.
        count = queue.depth + self._queued.in_flight + 1
        try:
            buffers = [self._queued.new_buffer(shape) for _ in range(count)]
            opened = (
                open_reader(job.scene, job.grid, threads=threads.count) if own is None else nullcontext(own)
            )
            with opened as reader:
                return read_batches(job, reader, groups, queue, buffers, threads)
        finally:
            queue.close()


def _next(queue: HandoffQueue[InputBatch], *, wait: bool) -> InputBatch | None:
    """The next batch that is read; None where none is there, or, where it is waited for, none will come."""
    if not wait:
        return queue.get_if_any()
    try:
        return queue.get()
    except StoppedError:
        return None
