"""Work that is spread over threads of this process, in order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Answer = TypeVar("Answer")

MOST = 8
"""Threads that are used at most: each holds what its item takes."""


class Threads:
    """As ``map`` does, by several threads at once: for work that leaves Python, as numpy's and numba's does.

    At most two items for each thread are under way or wait to be taken.
    """

    def __init__(self, count: int | None = None) -> None:
        self._count = count or min(MOST, usable_cores())

    def __call__(self, work: Callable[[Item], Answer], items: Iterable[Item], /) -> Iterator[Answer]:
        if self._count == 1:
            yield from map(work, items)
            return
        pool = ThreadPoolExecutor(self._count, "georoads")
        waiting: deque[Future[Answer]] = deque()
        try:
            for item in items:
                waiting.append(pool.submit(work, item))
                if len(waiting) == 2 * self._count:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def usable_cores() -> int:
    """Processor cores that this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS, Windows
        return os.cpu_count() or 1
