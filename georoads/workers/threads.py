"""``map`` by threads of this process: results come in the order of the items; memory that threads share."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from threading import Condition

from georoads.workers.engine import Item, Result

MAX_THREADS = 8
"""More are not used: each needs memory for its item."""


class Threads:
    """A ``ParallelMap`` by threads, for functions that release Python's lock, as numpy's and numba's do.

    At most two items for each thread are being worked on or wait to be taken. One thread is the caller's own.

    Attributes:
        count: of the threads.
    """

    def __init__(self, count: int | None = None) -> None:
        """``count`` threads; None or 0: as many as there are cores, up to MAX_THREADS."""
        self.count = count or min(MAX_THREADS, usable_cores())

    def __call__(self, function: Callable[[Item], Result], items: Iterable[Item], /) -> Iterator[Result]:
        """The results in the order of the items."""
        if self.count == 1:
            yield from map(function, items)
            return
        pool = ThreadPoolExecutor(self.count, "georoads")
        waiting: deque[Future[Result]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) == 2 * self.count:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


class Room:
    """Memory that threads share: who needs more than is left waits, but if nobody else has any."""

    def __init__(self, size: int) -> None:
        """``size``: bytes."""
        self._size = size
        self._taken = 0
        self._given_back = Condition()

    @contextmanager
    def take(self, size: int) -> Iterator[None]:
        """In the block, so many bytes are taken."""
        with self._given_back:
            while self._taken and self._taken + size > self._size:
                self._given_back.wait()
            self._taken += size
        try:
            yield
        finally:
            with self._given_back:
                self._taken -= size
                self._given_back.notify_all()


def usable_cores() -> int:
    """Processor cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        return os.cpu_count() or 1
