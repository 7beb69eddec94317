"""An engine for tests without other processes: what would go over the wire is pickled."""

from __future__ import annotations

import pickle
from collections.abc import Generator, Hashable, Iterable, Iterator
from contextlib import ExitStack, chdir, contextmanager
from tempfile import gettempdir
from typing import Any, Generic, TypeVar

from georoads.workers.engine import Item, Result, SessionFactory

T = TypeVar("T")
ELSEWHERE = gettempdir()
"""The folder in which the worker works."""


def sent(value: T) -> T:
    """A value as it arrives in another process."""
    copy: T = pickle.loads(pickle.dumps(value))
    return copy


class InProcessPool(Generic[Item, Result]):
    """One worker; results come in pairs, the later one first."""

    workers = 1
    messages: tuple[str, ...] = ()

    def __init__(self, factory: SessionFactory[Item, Result], closing: ExitStack) -> None:
        self._closing = closing
        self.kind: Hashable = None
        self.reopen(factory)

    def reopen(self, factory: SessionFactory[Any, Any]) -> None:
        self._closing.close()
        with chdir(ELSEWHERE):
            self._session = self._closing.enter_context(sent(factory)(1))
        self.kind = sent(self._session.kind)

    def map(self, items: Iterable[Item]) -> Generator[tuple[Item, Result]]:
        source = iter(items)
        for item in source:
            for one in (*[later for later in [next(source, None)] if later is not None], item):
                with chdir(ELSEWHERE):
                    result = self._session(sent(one))
                yield one, sent(result)


class InProcessEngine:
    """Opens the session of its one worker here."""

    def __init__(self, *, has_gpus: bool = False) -> None:
        self.has_gpus = has_gpus
        self.on_gpu: bool | None = None

    @contextmanager
    def start(
        self, factory: SessionFactory[Item, Result], *, on_gpu: bool = False
    ) -> Iterator[InProcessPool[Item, Result]]:
        self.on_gpu = on_gpu
        with ExitStack() as closing:
            yield InProcessPool(factory, closing)
