"""Who does the parts of a long job: workers that open once what they need, and then take item after item.

The job says how a worker opens (an ``Opening``) and gives items; the engine starts workers, hands out items,
replaces workers that die and gives their items to others. It knows nothing of what the items are.
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
"""At which the head of a Ray cluster takes drivers of other machines."""
LOCAL = "local"
"""The engine that is none: the work is done in this process."""


@dataclass(frozen=True)
class EngineParams:
    """Where the work is done.

    Attributes:
        address: local (this process); ray (the cluster that RAY_ADDRESS names, else workers on this machine);
            or a Ray cluster, as HOST:PORT or ray://HOST:PORT.
        workers: at once; 0: as many as there is room for.
        cpus: cores of a worker; 0: up to four, as many as the smallest node has.
        gpu_share: of a GPU that a worker takes, where the work is done on GPUs.
        in_flight: items that a worker may hold, the one that it works on among them.
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
        """True where there are no other processes."""
        return self.address == LOCAL


def host_and_port(address: str) -> tuple[str, int]:
    """Of HOST:PORT or ray://HOST:PORT; the second has Ray's usual port where none is named.

    Raises:
        ValueError: it is neither.
    """
    plain = address.removeprefix("ray://")
    host, colon, port = plain.rpartition(":")
    if not colon and plain != address:
        host, port = plain, str(CLIENT_PORT)
    if not host or "/" in plain or not port.isdecimal() or not 0 < int(port) < 2**16:
        raise ValueError(f"{address!r} is not local, ray, HOST:PORT or ray://HOST:PORT")
    return host.strip("[]"), int(port)


class Desk(Protocol[Item_contra, Result_co]):
    """What a worker works at once it has opened everything.

    Attributes:
        kind: what a result depends on besides the item. Workers of one crew have the same.
    """

    @property
    def kind(self) -> Hashable: ...
    def __call__(self, item: Item_contra, /) -> Result_co: ...


Opening = Callable[[], AbstractContextManager[Desk[Item, Result]]]
"""Called once in each worker's process; must be picklable. Its errors, and those of its desk, end the job."""


class Crew(Protocol[Item, Result_co]):
    """Workers that are open, or are about to."""

    @property
    def kind(self) -> Hashable:
        """Of the first worker that was open; others of another kind are sent away."""
        ...

    @property
    def workers(self) -> int:
        """How many are open."""
        ...

    @property
    def messages(self) -> tuple[str, ...]:
        """What a summary must say: workers that died, or were of no use."""
        ...

    def reopen(self, opening: Opening[Any, Any]) -> None:
        """Have all workers leave their desks and open others; the first of them is open then.

        Raises:
            GeoroadsError: as the opening raised it.
        """
        ...

    def map(self, items: Iterable[Item]) -> Iterator[tuple[Item, Result_co]]:
        """Each item with its result, in the order in which they are done.

        No more items are taken from ``items`` than the workers may hold; when nobody takes results, no
        further item is begun.

        Raises:
            GeoroadsError: as a worker raised it; or an item has killed three workers.
        """
        ...


class Engine(Protocol):
    """A place where workers can be."""

    @property
    def has_gpus(self) -> bool:
        """Whether workers can have a GPU."""
        ...

    def open(
        self, opening: Opening[Item, Result], *, on_gpu: bool = False
    ) -> AbstractContextManager[Crew[Item, Result]]:
        """A crew whose first worker is open; it goes when the block ends.

        Raises:
            GeoroadsError: as the opening raised it; there is no room for a worker.
        """
        ...
