"""A ``map`` whose work is done by a crew: answers in the order of the items."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

from georoads.errors import GeoroadsError
from georoads.workers.engine import Crew, Desk
from georoads.workers.threads import Threads

Item = TypeVar("Item")
Answer = TypeVar("Answer")
LEAST = 64
"""Of fewer items the work is not sent around."""
MOST = 64
"""Items that are sent together."""
_PARTS = 8
"""Times that each worker gets some, about: the last to end should not end late."""


@dataclass(frozen=True)
class Part:
    """Items that are sent together, and which in the order of all parts."""

    number: int
    items: tuple[Any, ...]

    def __str__(self) -> str:
        return f"part {self.number} of the work"


class _Bench:
    """Where a worker does the work on parts."""

    def __init__(self, work: Callable[[Any], Any] | None) -> None:
        self.kind = "able" if work is not None else "unable"
        self._work = work
        self._threads = Threads(int(os.environ.get("OMP_NUM_THREADS", "1")))  # as the engine has set it

    def __call__(self, part: Part) -> tuple[Any, ...]:
        assert self._work is not None
        return tuple(self._threads(self._work, part.items))


@dataclass(frozen=True)
class Work:
    """An opening: work as pickled, which opens what it needs when it is unpickled."""

    pickled: bytes

    @contextmanager
    def __call__(self) -> Iterator[Desk[Part, tuple[Any, ...]]]:
        try:
            work = pickle.loads(self.pickled)
        except GeoroadsError:  # a file that only the driver sees
            work = None
        yield _Bench(work)


class CrewEach:
    """As ``map``: ``work`` is pickled once, the items are sent in parts, the answers come in order.

    Little work, and work for which no worker finds the files that it needs, is done in this process.
    """

    def __init__(self, crew: Crew[Any, Any]) -> None:
        self._crew = crew

    def __call__(self, work: Callable[[Item], Answer], items: Iterable[Item], /) -> Iterator[Answer]:
        """The answers; one call must be at its end, or given up, before the next begins."""
        listed = list(items)
        if len(listed) < LEAST:
            return Threads()(work, listed)
        self._crew.reopen(Work(pickle.dumps(work)))
        if self._crew.kind != _Bench(work).kind:
            return Threads()(work, listed)
        return self._in_order(listed)

    def _in_order(self, items: list[Item]) -> Iterator[Any]:
        size = max(1, min(MOST, len(items) // (_PARTS * max(1, self._crew.workers))))
        parts = (Part(n, tuple(items[i : i + size])) for n, i in enumerate(range(0, len(items), size)))
        early: dict[int, tuple[Any, ...]] = {}
        due = 0
        for part, answers in self._crew.map(parts):
            early[part.number] = answers
            while due in early:
                yield from early.pop(due)
                due += 1
