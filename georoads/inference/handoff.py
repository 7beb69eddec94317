"""Handing work from one thread to the next, a few pieces ahead at most."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from threading import Condition
from typing import Generic, TypeVar

T = TypeVar("T")
_LOOK_S = 0.5
"""A thread that waits looks up so often: on Windows nothing else lets an interrupt through."""


class StoppedError(Exception):
    """The other end has gone: there is nobody to work for, or nothing more will come."""


class Belt(Generic[T]):
    """A bounded queue with one giver and one taker, that either may leave at any time.

    The giver closes it when nothing more will come; what lies on it is still taken. The taker stops it when
    it takes no more.

    Attributes:
        depth: pieces that it holds at most.
        gave_s, took_s: seconds that the giver and the taker have waited.
    """

    def __init__(self, depth: int) -> None:
        self.depth = depth
        self._items: deque[T] = deque()
        self._closed = False
        self._stopped = False
        self._changed = Condition()
        self.gave_s = 0.0
        self.took_s = 0.0

    def give(self, item: T) -> None:
        """Put a piece on the belt, when there is room.

        Raises:
            StoppedError: when the taker has gone.
        """
        started = time.monotonic()
        with self._changed:
            while len(self._items) >= self.depth and not self._stopped:
                self._changed.wait(_LOOK_S)
            self.gave_s += time.monotonic() - started
            if self._stopped:
                raise StoppedError
            self._items.append(item)
            self._changed.notify_all()

    def take(self) -> T:
        """The next piece, when there is one.

        Raises:
            StoppedError: when nothing more will come.
        """
        started = time.monotonic()
        with self._changed:
            while not self._items and not self._closed:
                self._changed.wait(_LOOK_S)
            self.took_s += time.monotonic() - started
            if not self._items:
                raise StoppedError
            item = self._items.popleft()
            self._changed.notify_all()
            return item

    def take_if_any(self) -> T | None:
        """The next piece; None when there is none just now."""
        with self._changed:
            item = self._items.popleft() if self._items else None
            self._changed.notify_all()
            return item

    def __iter__(self) -> Iterator[T]:
        """All pieces until the giver closes."""
        while True:
            try:
                yield self.take()
            except StoppedError:
                return

    def close(self) -> None:
        """Nothing more will come."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def stop(self) -> None:
        """Nothing more will be taken."""
        with self._changed:
            self._stopped = True
            self._items.clear()
            self._changed.notify_all()
