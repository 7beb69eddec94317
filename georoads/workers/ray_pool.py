"""Workers of a Ray cluster: started, given items a few ahead, replaced when they die.

Each is an actor that is opened once. Ray's own restarts are not used: they would not open the worker again,
and do not tell which item it died of. When a worker dies, alone or with its node, another one is hired, and
the items that it held go first.
"""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Generic, NoReturn

from georoads.errors import GeoroadsError
from georoads.workers.engine import EngineParams, Item, Opening, Result

DEATHS = 3
"""An item that so many workers have died of is given to no other; nor is opening one tried more often."""
PATIENCE_S = 600.0
"""So long may no worker be open: the cluster may be busy, or nodes on their way."""
_LOOK_S = 0.5
"""So often the loop looks up, so that an interrupt gets through on every system."""
_OPENING = "opening a worker"


class Chair:
    """What runs in a worker's process."""

    def __init__(self, cpus: int) -> None:
        # Before any runtime is imported: most read it then.
        os.environ["OMP_NUM_THREADS"] = str(cpus)
        self._opened = ExitStack()
        self._desk: Any = None

    def open(self, opening: Opening[Any, Any]) -> Hashable:
        """Open what the work needs, in the place of what was open; of which kind the worker is then."""
        self._opened.close()
        self._desk = self._opened.enter_context(opening())
        kind: Hashable = self._desk.kind
        return kind

    def work(self, item: Any) -> Any:
        """The result of an item."""
        return self._desk(item)


@dataclass(eq=False)
class _Worker(Generic[Item]):
    """An actor as the driver sees it.

    Attributes:
        opening: Ray's promise that it is open; None when it is.
        items: what it holds, by Ray's promise of the result.
        is_alone: True while its item is one that a worker has died with: it gets no other, so that it is
            known which of them kills.
    """

    actor: Any
    opening: Any
    items: dict[Any, Item] = field(default_factory=dict)
    is_alone: bool = False

    def has_room(self, most: int) -> bool:
        """Whether it can be given an item now."""
        return self.opening is None and not self.is_alone and len(self.items) < most


class _DiedError(Exception):
    """A worker is no more."""


class RayCrew(Generic[Item, Result]):
    """The workers of one job; see ``engine.Crew``."""

    def __init__(
        self, ray: Any, new_actor: Callable[[], Any], opening: Opening[Item, Result], params: EngineParams
    ) -> None:
        self._ray = ray
        self._new_actor = new_actor
        self._opening = ray.put(opening)
        self._in_flight = params.in_flight
        self._workers: list[_Worker[Item]] = []
        self._again: deque[Item] = deque()
        self._deaths: Counter[str] = Counter()
        self._died = 0
        self._strange: Counter[str] = Counter()
        self._was_open = monotonic()
        self._kind: Hashable = None

    @property
    def kind(self) -> Hashable:
        """Of the first worker that was open."""
        return self._kind

    @property
    def workers(self) -> int:
        """How many are open."""
        return sum(worker.opening is None for worker in self._workers)

    @property
    def messages(self) -> tuple[str, ...]:
        """Workers that died, or were of no use."""
        died = (f"workers that died, and whose work others did: {self._died}",) if self._died else ()
        strange = (f"workers that were not used: {n}, not {kind}" for kind, n in self._strange.items())
        return (*died, *strange)

    def hire(self, count: int) -> None:
        """Start workers, and wait for the first.

        Raises:
            GeoroadsError: as the opening raised it; none can be opened.
        """
        for _ in range(count):
            self._hire()
        self._wait()

    def reopen(self, opening: Opening[Any, Any]) -> None:
        """Have all workers open something else; see ``engine.Crew``."""
        self._opening, self._kind = self._ray.put(opening), None
        for worker in self._workers:
            worker.opening = worker.actor.open.remote(self._opening)
        self._wait()

    def _wait(self) -> None:
        """Until a worker is open."""
        while not self.workers:
            for promise in self._kept():
                self._opened(promise)

    def map(self, items: Iterable[Item]) -> Iterator[tuple[Item, Result]]:
        """Each item with its result, in the order in which they are done."""
        source = iter(items)
        try:
            while self._hand_out(source):
                for promise in self._kept():
                    self._opened(promise)
                    yield from self._done(promise)
        finally:  # nobody asks for what is left
            self._again.clear()
            for worker in self._workers:
                worker.items.clear()
                worker.is_alone = False

    def leave(self) -> None:
        """End all workers."""
        for worker in self._workers:
            self._end(worker)
        self._workers.clear()

    def _hire(self) -> None:
        actor = self._new_actor()
        self._workers.append(_Worker(actor, actor.open.remote(self._opening)))

    def _hand_out(self, source: Iterator[Item]) -> bool:
        """Give items to open workers, as many as they may hold; False when all are done."""
        while True:
            most = 1 if self._again else self._in_flight
            free = [w for w in self._workers if w.has_room(most)]
            if not free:
                return True
            worker = min(free, key=lambda w: len(w.items))
            worker.is_alone = bool(self._again)
            try:
                item = self._again.popleft() if self._again else next(source)
            except StopIteration:
                return any(w.items for w in self._workers)
            worker.items[worker.actor.work.remote(item)] = item

    def _kept(self) -> list[Any]:
        """The promises that are kept by now; none after a short while without.

        Raises:
            GeoroadsError: no worker has been open for long.
        """
        self._was_open = monotonic() if self.workers else self._was_open
        if monotonic() - self._was_open > PATIENCE_S:
            raise GeoroadsError(
                "the Ray cluster gives this work no worker",
                "see what else it does (ray status), or ask for fewer",
            )
        promises = [p for w in self._workers for p in (w.items if w.opening is None else [w.opening])]
        # Results stay where they are until their turn comes: this machine need not hold them all.
        some, rest = self._ray.wait(promises, num_returns=1, timeout=_LOOK_S, fetch_local=False)
        if some and rest:
            some += self._ray.wait(rest, num_returns=len(rest), timeout=0, fetch_local=False)[0]
        return list(some)

    def _opened(self, promise: Any) -> None:
        """Let a worker begin whose opening was promised so, if it is of the crew's kind."""
        worker = next((w for w in self._workers if w.opening == promise), None)
        if worker is None:
            return
        try:
            kind = self._get(promise)
        except _DiedError as died:
            self._replace(worker, died)
            return
        self._kind = kind if self._kind is None else self._kind
        if kind == self._kind:
            worker.opening = None
            self._deaths.pop(_OPENING, None)
            return
        self._strange[str(self._kind)] += 1
        self._dismiss(worker)
        if not self._workers:
            raise GeoroadsError(
                f"no worker is left that is {self._kind}", "--resume goes on when there is one"
            )

    def _done(self, promise: Any) -> Iterator[tuple[Item, Result]]:
        """The item whose result was promised so, with the result; nothing if others must do it."""
        worker = next((w for w in self._workers if promise in w.items), None)
        if worker is None:
            return
        try:
            result = self._get(promise)
        except _DiedError as died:
            self._replace(worker, died)
            return
        item, worker.is_alone = worker.items.pop(promise), False
        self._deaths.pop(str(item), None)
        yield item, result

    def _replace(self, worker: _Worker[Item], died: _DiedError) -> None:
        """Hire another worker for one that died; its items are the next to be given out."""
        at = [str(item) for item in worker.items.values()] or [_OPENING]
        self._deaths.update(at)
        if self._deaths[at[0]] >= DEATHS:
            raise GeoroadsError(
                f"{at[0]}: {DEATHS} workers in a row died of it: {died}",
                "mostly memory is short (--set engine.workers=… asks for fewer), or a node lacks georoads",
            ) from died
        self._died += 1
        self._again.extendleft(reversed(worker.items.values()))
        self._dismiss(worker)
        self._hire()

    def _dismiss(self, worker: _Worker[Item]) -> None:
        self._workers.remove(worker)
        self._end(worker)

    def _end(self, worker: _Worker[Item]) -> None:
        with suppress(self._ray.exceptions.RayError, ConnectionError, ValueError):
            self._ray.kill(worker.actor)

    def _get(self, promise: Any) -> Any:
        """What was promised.

        Raises:
            _DiedError: the worker, its node or the result is no more.
            GeoroadsError: as the worker raised it. Its other errors are raised as themselves too.
        """
        errors = self._ray.exceptions
        gone = (
            errors.RayActorError, errors.WorkerCrashedError, errors.NodeDiedError, errors.ObjectLostError,
            errors.OutOfMemoryError,
        )  # fmt: skip
        try:
            return self._ray.get(promise)
        except errors.RayTaskError as e:
            raise_cause(e)
        except gone as e:
            raise _DiedError(first_line(e)) from e
        except errors.RayError as e:
            raise GeoroadsError(
                f"the Ray cluster does not go on: {first_line(e)}", "--resume goes on when it is there again"
            ) from e


def raise_cause(error: Any) -> NoReturn:
    """Raise an error of a worker as itself."""
    cause: BaseException = error.cause
    raise cause from (None if isinstance(cause, GeoroadsError) else error)


def first_line(error: BaseException) -> str:
    """The first line of an error's text that says something."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:300]
