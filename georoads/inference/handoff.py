"""Handing work from one thread to the next, a few items ahead at most."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from threading import Condition
from typing import Generic, TypeVar

T = TypeVar("T")
_POLL_S = 0.5
"""A thread that waits wakes up so often: on Windows nothing else lets an interrupt through."""


class StoppedError(Exception):
    """The thread at the other end has gone: it takes no more, or nothing more will come."""


class HandoffQueue(Generic[T]):
    """A bounded queue from one thread to another, which either may leave at any time.

    The first closes it when nothing more will come; what is in it is still taken. The second stops it when
    it takes no more. (``queue.Queue`` has no shutdown before Python 3.13.)

    Attributes:
        depth: items that it holds at most.
        put_wait_s, get_wait_s: seconds that ``put`` and ``get`` have waited so far.
    """

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self._items: deque[T] = deque()
        self._closed = False
        self._stopped = False
        self._changed = Condition()
        self.put_wait_s = 0.0
        self.get_wait_s = 0.0

    def put(self, item: T) -> None:
        """Add an item, as soon as there is room.

        Raises:
            StoppedError: the other thread takes no more.
        """
        started = time.monotonic()
        with self._changed:
            while len(self._items) >= self.depth and not self._stopped:
                self._changed.wait(_POLL_S)
            self.put_wait_s += time.monotonic() - started
            if self._stopped:
                raise StoppedError
            self._items.append(item)
            self._changed.notify_all()

    def get(self) -> T:
        """The next item, as soon as there is one.

        Raises:
            StoppedError: nothing more will come.
        """
        started = time.monotonic()
        with self._changed:
            while not self._items and not self._closed:
                self._changed.wait(_POLL_S)
            self.get_wait_s += time.monotonic() - started
            if not self._items:
                raise StoppedError
            item = self._items.popleft()
            self._changed.notify_all()
            return item

    def get_if_any(self) -> T | None:
        """The next item; None when there is none just now."""
        with self._changed:
            item = self._items.popleft() if self._items else None
            self._changed.notify_all()
            return item

    def __iter__(self) -> Iterator[T]:
        """All items until the queue is closed."""
        while True:
            try:
                yield self.get()
            except StoppedError:
                return

    def close(self) -> None:
        """Say that nothing more will come."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def stop(self) -> None:
        """Say that nothing more will be taken."""
        with self._changed:
            self._stopped = True
            self._items.clear()
            self._changed.notify_all()
