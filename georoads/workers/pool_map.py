"""``map`` by the workers of a pool: results come in the order of the items."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from georoads.errors import GeoroadsError
from georoads.workers.engine import Item, Result, Session, WorkerPool
from georoads.workers.threads import Threads

MIN_ITEMS = 64
"""Fewer items are not sent to the workers."""
MAX_CHUNK = 64
"""Items that are sent together, at most."""
_CHUNKS_PER_WORKER = 8
"""With fewer and larger chunks all would wait long for the last one."""


@dataclass(frozen=True)
class Chunk:
    """Items that are sent together, and the chunk's place in the order of all chunks."""

    number: int
    items: tuple[Any, ...]

    def __str__(self) -> str:
        return f"part {self.number} of the work"


class _FunctionSession:
    """Applies a function to the items of each chunk, on several threads.

    Attributes:
        kind: "unable" where the function could not be unpickled.
    """

    def __init__(self, function: Callable[[Any], Any] | None, threads: int = 1) -> None:
        self.kind = "unable" if function is None else "able"
        self._function = function
        self._threads = Threads(threads)

    def __call__(self, chunk: Chunk) -> tuple[Any, ...]:
        assert self._function is not None
        return tuple(self._threads(self._function, chunk.items))


@dataclass(frozen=True)
class PickledFunction:
    """A session factory for a function, which opens the files that it needs when it is unpickled."""

    pickled: bytes

    @contextmanager
    def __call__(self, threads: int) -> Iterator[Session[Chunk, tuple[Any, ...]]]:
        try:
            function = pickle.loads(self.pickled)
        except GeoroadsError:  # a file that only the driver sees
            function = None
        yield _FunctionSession(function, threads)


class PoolMap:
    """A ``ParallelMap`` by a worker pool: the function is pickled once, and items are sent in chunks.

    A few items are done in this process; so are all, where no worker finds the files that the function needs.
    """

    def __init__(self, pool: WorkerPool[Any, Any]) -> None:
        self._pool = pool

    def __call__(self, function: Callable[[Item], Result], items: Iterable[Item], /) -> Iterator[Result]:
        """The results in the order of the items.

        They must be taken to the end, or given up, before the next call.
        """
        listed = list(items)
        if len(listed) >= MIN_ITEMS:
            self._pool.reopen(PickledFunction(pickle.dumps(function)))
            if self._pool.kind == _FunctionSession(function).kind:
                return self._in_order(listed)
        return Threads()(function, listed)

    def _in_order(self, items: list[Item]) -> Iterator[Any]:
        size = max(1, min(MAX_CHUNK, len(items) // (_CHUNKS_PER_WORKER * max(1, self._pool.workers))))
        chunks = (Chunk(n, tuple(items[i : i + size])) for n, i in enumerate(range(0, len(items), size)))
        early: dict[int, tuple[Any, ...]] = {}
        due = 0
        for chunk, results in self._pool.map(chunks):
            early[chunk.number] = results
            while due in early:
                yield from early.pop(due)
                due += 1
