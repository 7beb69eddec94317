"""The workers of a Ray cluster: started, given items a few ahead, replaced when they die.

Each worker is an actor (``SessionActor``), and each call to it gives a reference to a later result. When a
worker dies, alone or with its node, another one is started, and the items that it held go first.

Ray's own restarts (``max_restarts``) are not used. A restarted actor would take items before anybody has seen
which kind its new session is; a session that kills its process while it opens would be started without end
and nobody told; an error of the opening would arrive as text alone, without its class and hint; and no error
of Ray tells which of the items that an actor held it died of.
"""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from time import monotonic
from typing import Any, Generic

from georoads.errors import GeoroadsError
from georoads.workers.engine import Item, Result, SessionFactory

MAX_DEATHS = 3
"""An item that so many workers in a row died of ends the job; so does the opening of sessions."""
START_TIMEOUT_S = 600.0
"""So long may no worker be ready: the cluster may be busy, or nodes on their way."""
_POLL_S = 0.5
"""Longest wait for a result, so that an interrupt gets through on every system."""
_OPENING = "opening a worker"


class SessionActor:
    """Runs in a worker's process: keeps a session open and calls it with items."""

    def __init__(self, threads: int) -> None:
        # For numba, OpenMP and torch, which read it when they are imported: not before this.
        os.environ["OMP_NUM_THREADS"] = str(threads)
        self._threads = threads
        self._closing = ExitStack()
        self._session: Any = None

    def open(self, factory: SessionFactory[Any, Any]) -> Hashable:
        """Open a session in the place of the one before; returns its kind."""
        self._closing.close()
        self._session = self._closing.enter_context(factory(self._threads))
        kind: Hashable = self._session.kind
        return kind

    def work(self, item: Any) -> Any:
        """The result of an item."""
        return self._session(item)


@dataclass(eq=False)
class _Worker(Generic[Item]):
    """An actor as the driver sees it.

    Attributes:
        actor: Ray's handle.
        opening: reference to the kind of its session; None when the session is open.
        items: what the worker holds, oldest first, by the reference to the result.
        has_suspect: True while its item is one that a worker has died with: it gets no other, so that it is
            known which of them kills.
    """

    actor: Any
    opening: Any
    items: dict[Any, Item] = field(default_factory=dict)
    has_suspect: bool = False

    def has_room(self, max_items: int) -> bool:
        """Whether it can be given an item now."""
        return self.opening is None and not self.has_suspect and len(self.items) < max_items


class _WorkerDiedError(Exception):
    """The worker that a result was expected of is gone, or its node, or the result."""


class RayPool(Generic[Item, Result]):
    """The workers of one job; see ``engine.WorkerPool``."""

    def __init__(
        self, ray: Any, new_actor: Callable[[], Any], factory: SessionFactory[Item, Result], in_flight: int
    ) -> None:
        """
        Args:
            ray: the module, connected to a cluster.
            new_actor: starts a ``SessionActor`` there and returns its handle.
            factory: opens the session of each worker.
            in_flight: items that a worker may hold at a time.
        """
        self._ray = ray
        self._new_actor = new_actor
        self._factory = ray.put(factory)
        self._in_flight = in_flight
        self._workers: list[_Worker[Item]] = []
        self._retries: deque[Item] = deque()
        self._deaths: Counter[str] = Counter()  # by what the workers died of
        self._dead_workers = 0
        self._rejected: Counter[str] = Counter()  # workers, by the kind that they are not
        self._last_ready_s = monotonic()
        self._kind: Hashable = None

    @property
    def kind(self) -> Hashable:
        """Kind of the first session that was open."""
        return self._kind

    @property
    def workers(self) -> int:
        """Number of workers whose session is open."""
        return sum(worker.opening is None for worker in self._workers)

    @property
    def messages(self) -> tuple[str, ...]:
        """What a summary must say about workers that died or could not be used."""
        n = self._dead_workers
        died = (f"workers that died, and whose work others did: {n}",) if n else ()
        rejected = (f"workers that were not used: {n}, not {kind}" for kind, n in self._rejected.items())
        return (*died, *rejected)

    def start(self, count: int) -> None:
        """Start workers, and wait until the first is ready.

        Raises:
            GeoroadsError: as the factory raised it; no session can be opened.
        """
        for _ in range(count):
            self._start_worker()
        self._wait_for_first()

    def reopen(self, factory: SessionFactory[Any, Any]) -> None:
        """Let all workers open another session; see ``engine.WorkerPool``."""
        self._factory, self._kind = self._ray.put(factory), None
        for worker in self._workers:
            worker.opening = worker.actor.open.remote(self._factory)
        self._wait_for_first()

    def map(self, items: Iterable[Item]) -> Iterator[tuple[Item, Result]]:
        """Each item with its result, in the order in which they are finished."""
        source = iter(items)
        try:
            while self._hand_out(source):
                for ref in self._finished():
                    if (done := self._receive(ref)) is not None:
                        yield done
        finally:  # nobody waits for what is left
            self._retries.clear()
            for worker in self._workers:
                worker.items.clear()
                worker.has_suspect = False

    def stop(self) -> None:
        """End all workers."""
        while self._workers:
            self._end(self._workers[-1])

    def _start_worker(self) -> None:
        actor = self._new_actor()
        self._workers.append(_Worker(actor, actor.open.remote(self._factory)))

    def _wait_for_first(self) -> None:
        while not self.workers:
            for ref in self._finished():
                self._receive(ref)

    def _hand_out(self, source: Iterator[Item]) -> bool:
        """Give the workers as many items as they may hold; False when all are done."""
        while True:
            max_items = 1 if self._retries else self._in_flight
            free = [w for w in self._workers if w.has_room(max_items)]
            if not free:
                return True
            worker = min(free, key=lambda w: len(w.items))
            worker.has_suspect = bool(self._retries)
            try:
                item = self._retries.popleft() if self._retries else next(source)
            except StopIteration:
                return any(w.items for w in self._workers)
            worker.items[worker.actor.work.remote(item)] = item

    def _finished(self) -> list[Any]:
        """References to what is finished by now; none if that is nothing for a short while.

        Raises:
            GeoroadsError: no worker has been ready for long.
        """
        self._last_ready_s = monotonic() if self.workers else self._last_ready_s
        if monotonic() - self._last_ready_s > START_TIMEOUT_S:
            raise GeoroadsError(
                "the Ray cluster gives this work no worker",
                "see what else it does (ray status), or ask for fewer",
            )
        refs = [ref for w in self._workers for ref in (w.items if w.opening is None else [w.opening])]
        # Results stay where they are until their turn comes: this machine need not hold them all.
        ready, pending = self._ray.wait(refs, num_returns=1, timeout=_POLL_S, fetch_local=False)
        if ready and pending:
            ready += self._ray.wait(pending, num_returns=len(pending), timeout=0, fetch_local=False)[0]
        return list(ready)

    def _receive(self, ref: Any) -> tuple[Item, Result] | None:
        """Note that a session is open, or return an item with its result.

        None is also returned where the worker has died: it is replaced then.
        """
        worker = next((w for w in self._workers if w.opening == ref or ref in w.items), None)
        if worker is None:  # its worker was ended after this had been finished
            return None
        try:
            value = self._value(ref)
        except _WorkerDiedError as died:
            self._replace(worker, died)
            return None
        if worker.opening == ref:
            self._admit(worker, value)
            return None
        item, worker.has_suspect = worker.items.pop(ref), False
        self._deaths.pop(str(item), None)
        return item, value

    def _admit(self, worker: _Worker[Item], kind: Hashable) -> None:
        """Let a worker take items if its session is of the pool's kind; else end it."""
        self._kind = kind if self._kind is None else self._kind
        if kind == self._kind:
            worker.opening = None
            self._deaths.pop(_OPENING, None)
            return
        self._rejected[str(self._kind)] += 1
        self._end(worker)
        if not self._workers:
            raise GeoroadsError(
                f"no worker is left that is {self._kind}", "--resume goes on when there is one"
            )

    def _replace(self, worker: _Worker[Item], died: _WorkerDiedError) -> None:
        """Start a worker in the place of one that died; its items are the next to be handed out."""
        # It worked on the oldest item; the others may be innocent.
        suspects = [str(item) for item in worker.items.values()] or [_OPENING]
        self._deaths.update(suspects)
        if self._deaths[suspects[0]] >= MAX_DEATHS:
            raise GeoroadsError(
                f"{suspects[0]}: {MAX_DEATHS} workers in a row died of it: {died}",
                "mostly memory is short (--set engine.workers=… asks for fewer), or a node lacks georoads",
            ) from died
        self._dead_workers += 1
        self._retries.extendleft(reversed(worker.items.values()))
        self._end(worker)
        self._start_worker()

    def _end(self, worker: _Worker[Item]) -> None:
        self._workers.remove(worker)
        with suppress(self._ray.exceptions.RayError, ConnectionError, ValueError):
            self._ray.kill(worker.actor)

    def _value(self, ref: Any) -> Any:
        """What a reference stands for.

        Raises:
            _WorkerDiedError: the worker, its node or the result is gone.
            GeoroadsError: as the session raised it. Its other errors are raised as themselves too.
        """
        errors = self._ray.exceptions
        gone = (
            errors.RayActorError, errors.WorkerCrashedError, errors.NodeDiedError, errors.ObjectLostError,
            errors.OutOfMemoryError,
        )  # fmt: skip
        try:
            return self._ray.get(ref)
        except errors.RayTaskError as e:
            raise e.cause from (None if isinstance(e.cause, GeoroadsError) else e)
        except gone as e:
            raise _WorkerDiedError(first_line(e)) from e
        except errors.RayError as e:
            raise GeoroadsError(
                f"the Ray cluster does not go on: {first_line(e)}", "--resume goes on when it is there again"
            ) from e


def first_line(error: BaseException) -> str:
    """The first line of an error's text that is not empty, cut to 300 characters."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[0] if lines else type(error).__name__)[:300]
