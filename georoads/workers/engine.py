"""What a job and an engine agree on: workers open a session each, and then take item after item.

The job gives the engine a ``SessionFactory``, which each worker calls once, and then the items. The engine
starts the workers, hands out the items, replaces workers that die and gives their items to others. It knows
nothing of what the items are.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")
Item_contra = TypeVar("Item_contra", contravariant=True)
Result_co = TypeVar("Result_co", covariant=True)

CLIENT_PORT = 10001
"""The port at which the head node of a Ray cluster accepts drivers on other machines."""
LOCAL = "local"
"""The address that means no engine: the work is done in this process."""


@dataclass(frozen=True)
class EngineParams:
    """Where the work is done.

    Attributes:
        address: local (this process); ray (the cluster that RAY_ADDRESS names, else workers on this machine);
            or a Ray cluster, as HOST:PORT or ray://HOST:PORT.
        workers: number of workers; 0: as many as there is room for.
        cpus: cores of each worker; 0: up to four, as many as the smallest node has.
        gpu_share: share of a GPU that each worker takes, where the work is done on GPUs.
        in_flight: items that a worker may hold at a time, the one that it works on among them.
    """

    address: str = LOCAL
    workers: int = 0
    cpus: int = 0
    gpu_share: float = 1.0
    in_flight: int = 2

    def __post_init__(self) -> None:
        if min(self.workers, self.cpus) < 0 or self.in_flight < 1:
            raise ValueError("workers and cpus must not be negative, in_flight at least 1")
        if self.address not in (LOCAL, "ray"):
            host_and_port(self.address)
        if not (0 < self.gpu_share <= 1 or self.gpu_share in range(1, 65)):
            raise ValueError(f"gpu_share is a share of one GPU, or a number of them, not {self.gpu_share}")

    @property
    def is_local(self) -> bool:
        """True where the work is done in this process."""
        return self.address == LOCAL


def host_and_port(address: str) -> tuple[str, int]:
    """Host and port of an address HOST:PORT or ray://HOST:PORT.

    An address that begins with ray:// and names no port has Ray's usual one.

    Raises:
        ValueError: the address has another form.
    """
    plain = address.removeprefix("ray://")
    host, colon, port = plain.rpartition(":")
    if not colon and plain != address:
        host, port = plain, str(CLIENT_PORT)
    if not host or "/" in plain or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise ValueError(f"{address!r} is not local, ray, HOST:PORT or ray://HOST:PORT")
    return host.strip("[]"), int(port)


class Session(Protocol[Item_contra, Result_co]):
    """What a worker has opened for a job (files, a network); called with an item, it returns the result.

    Attributes:
        kind: all that a result depends on besides the item. The workers of a pool have the same kind.
    """

    @property
    def kind(self) -> Hashable: ...
    def __call__(self, item: Item_contra, /) -> Result_co: ...


SessionFactory = Callable[[int], AbstractContextManager[Session[Item, Result]]]
"""Opens a worker's session; called in the worker's process with the number of threads that it may use.

It must be picklable. Its errors, and those of its sessions, end the job.
"""


class WorkerPool(Protocol[Item, Result_co]):
    """The workers of one job, of which at least one has its session open."""

    @property
    def kind(self) -> Hashable:
        """Kind of the first session that was open; workers of another kind are sent away."""

    @property
    def workers(self) -> int:
        """Number of workers whose session is open."""

    @property
    def messages(self) -> tuple[str, ...]:
        """What a summary must say about workers that died or could not be used."""

    def reopen(self, factory: SessionFactory[Any, Any]) -> None:
        """Let all workers close their session and open another one; returns when the first has done so.

        Raises:
            GeoroadsError: as the factory raised it.
        """

    def map(self, items: Iterable[Item]) -> Iterator[tuple[Item, Result_co]]:
        """Each item with its result, in the order in which they are finished.

        No more items are taken from ``items`` than the workers may hold. When the caller stops taking
        results, no further item is begun.

        Raises:
            GeoroadsError: as a session raised it; or three workers in a row died of an item.
        """


class Engine(Protocol):
    """A place where workers can be started."""

    @property
    def has_gpus(self) -> bool:
        """Whether workers can have a GPU."""

    def start(
        self, factory: SessionFactory[Item, Result], *, on_gpu: bool = False
    ) -> AbstractContextManager[WorkerPool[Item, Result]]:
        """A pool whose first worker is ready; all workers end with the block.

        Args:
            factory: opens the session of each worker.
            on_gpu: True gives each worker its share of a GPU.

        Raises:
            GeoroadsError: as the factory raised it; there is no room for a worker.
        """
