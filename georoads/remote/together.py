"""Several things asked of servers at the same time, by a few connections; the answers come in order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import TypeVar

from georoads.remote.client import Client

Wanted = TypeVar("Wanted")
Come = TypeVar("Come")
_AHEAD = 4
"""Of each connection so many are asked for, or wait to be taken."""
_IDLE_S = 2.0
"""Where nothing comes for so long, whoever waits may do something else."""


def asked_together(
    client: Client, ask: Callable[[Wanted], Come], all_of: Iterable[Wanted], idle: Callable[[], None]
) -> Iterator[tuple[Wanted, Come]]:
    """What was asked for, with what came of it, in order.

    Args:
        client: the door; it is closed where this ends early, so that nobody waits for what is under way.
        ask: asks the client for one.
        all_of: what to ask for.
        idle: called where nothing comes for a while.

    Raises:
        SceneError: of the first that is refused.
    """
    waiting: deque[tuple[Wanted, Future[Come]]] = deque()
    pool = ThreadPoolExecutor(client.connections, thread_name_prefix="georoads-fetch")

    def first() -> tuple[Wanted, Come]:
        wanted, future = waiting.popleft()
        while not wait([future], timeout=_IDLE_S).done:
            idle()
        return wanted, future.result()

    try:
        for wanted in all_of:
            waiting.append((wanted, pool.submit(ask, wanted)))
            if len(waiting) >= _AHEAD * client.connections:
                yield first()
        while waiting:
            yield first()
    except BaseException:
        client.close()
        raise
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
