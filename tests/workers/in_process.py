"""An engine for tests without other processes: what would go over the wire is pickled."""

from __future__ import annotations

import pickle
from collections.abc import Generator, Hashable, Iterable, Iterator
from contextlib import ExitStack, chdir, contextmanager
from tempfile import gettempdir
from typing import Any, Generic

from georoads.workers.engine import Desk, Item, Opening, Result

ELSEWHERE = gettempdir()
"""The folder in which the worker works."""


class InProcessCrew(Generic[Item, Result]):
    """One worker; results come in pairs, the later one first."""

    workers = 1
    messages: tuple[str, ...] = ()

    def __init__(self, desk: Desk[Item, Result]) -> None:
        self._desk = desk
        self.kind: Hashable = pickle.loads(pickle.dumps(desk.kind))

    def reopen(self, opening: Opening[Any, Any]) -> None:
        with ExitStack() as opened, chdir(ELSEWHERE):
            self._desk = opened.enter_context(pickle.loads(pickle.dumps(opening))())
        self.kind = pickle.loads(pickle.dumps(self._desk.kind))

    def map(self, items: Iterable[Item]) -> Generator[tuple[Item, Result]]:
        source = iter(items)
        for item in source:
            for one in (*[later for later in [next(source, None)] if later is not None], item):
                sent = pickle.loads(pickle.dumps(one))
                with chdir(ELSEWHERE):
                    result = self._desk(sent)
                yield one, pickle.loads(pickle.dumps(result))


class InProcessEngine:
    """Opens its one worker here."""

    def __init__(self, *, has_gpus: bool = False) -> None:
        self.has_gpus = has_gpus
        self.on_gpu: bool | None = None

    @contextmanager
    def open(
        self, opening: Opening[Item, Result], *, on_gpu: bool = False
    ) -> Iterator[InProcessCrew[Item, Result]]:
        self.on_gpu = on_gpu
        with ExitStack() as opened:
            with chdir(ELSEWHERE):
                desk = opened.enter_context(pickle.loads(pickle.dumps(opening))())
            yield InProcessCrew(desk)
