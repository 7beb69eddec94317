"""Predicting in this process: a thread reads ahead, the caller's thread runs the network."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from functools import partial
from typing import Protocol

from georoads.inference.batches import Answer, Job, Read, Reader, Run, masked_levels, read_batches
from georoads.inference.handoff import Belt
from georoads.inference.runtime import Runtime, RuntimeKind, kind_of
from georoads.network.types import ParallelMap
from georoads.scene.mosaic import open_reader
from georoads.workers.threads import Threads


class Predictor(Protocol):
    """Who predicts runs of tiles: this process, or workers elsewhere.

    Attributes:
        kind: of the runtime.
        workers: networks that are at work at the same time.
        ahead: batches that may wait to be written.
        parallel_map: does other work where this predictor works, once there are no runs left.
        read_s, network_s: seconds of reading and in the network so far, of all workers together.
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

    def answers(self, job: Job, runs: Iterable[Run]) -> Generator[Answer]:
        """The batches of all runs; those of a run one after another, in its order."""
        ...


class LocalPredictor:
    """A runtime of this process, fed by a thread."""

    workers = 1
    messages: tuple[str, ...] = ()

    def __init__(self, runtime: Runtime, prefetch: int = 2, reader: Reader | None = None) -> None:
        """
        Args:
            prefetch: batches that are read ahead, and that may wait to be written.
            reader: of the scene, to be used again and left open; None: one is opened for ``answers``.
        """
        self._runtime = runtime
        self._reader = reader
        self.kind = kind_of(runtime)
        self.ahead = prefetch
        self.parallel_map: ParallelMap = Threads()
        self.read_s = self.network_s = 0.0

    def answers(self, job: Job, runs: Iterable[Run]) -> Generator[Answer]:
        """The batches of all runs, in order."""
        belt: Belt[Read] = Belt(self.ahead)
        with ThreadPoolExecutor(1, "georoads-read") as thread:
            reading = thread.submit(self._read, job, runs, belt)
            try:
                for piece in belt:
                    logits = None
                    if piece.batch.tiles:
                        started = time.monotonic()
                        logits = self._runtime.logits(piece.pixels)
                        self.network_s += time.monotonic() - started
                    yield Answer(piece.batch, partial(masked_levels, logits, piece.valid))
                self.read_s += reading.result()
            except BaseException:  # and once more below: a second signal may cut this short
                belt.stop()
                raise
            finally:
                belt.stop()

    def _read(self, job: Job, runs: Iterable[Run], belt: Belt[Read]) -> float:
        kept = self._reader
        try:
            with open_reader(job.scene, job.grid) if kept is None else nullcontext(kept) as reader:
                return read_batches(job, reader, runs, self.kind.batch, belt)
        finally:
            belt.close()
