"""Workers on a Ray cluster, on this machine or on many: how it is reached; ``ray_crew`` does the rest."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from typing import Any

from georoads.errors import GeoroadsError
from georoads.extras import require_extra
from georoads.text import printable
from georoads.workers.engine import CLIENT_PORT, EngineParams, Item, Opening, Result
from georoads.workers.ray_access import closed_doors, environment, is_here, refuse_unfit, require_token
from georoads.workers.ray_pool import Chair, RayCrew, first_line

MOST_CPUS = 4
"""Cores of a worker where nothing is stated: more wait for each other."""
_OWN = "local"
"""Ray's name for a new cluster."""


class RayEngine:
    """A Ray cluster, as long as the block lasts.

    Raises:
        GeoroadsError: Ray is not installed; the cluster is not reached, or must not be used (``ray_access``).
    """

    def __init__(self, params: EngineParams) -> None:
        self._params = params
        self._closing = ExitStack()

    def __enter__(self) -> RayEngine:
        with ExitStack() as closing:
            # Whose data it is, is nobody's business.
            closing.enter_context(environment({"RAY_USAGE_STATS_ENABLED": "0"}))
            with _signals_kept():
                self._connect(closing)
            self._closing = closing.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.close()

    @property
    def has_gpus(self) -> bool:
        """Whether workers can have a GPU."""
        return any(node["Resources"].get("GPU", 0) > 0 for node in self._nodes())

    @contextmanager
    def open(
        self, opening: Opening[Item, Result], *, on_gpu: bool = False
    ) -> Iterator[RayCrew[Item, Result]]:
        """A crew whose first worker is open.

        Raises:
            GeoroadsError: as the opening raised it; there is no room for a worker.
        """
        cpus, gpus = self._cpus(), self._params.gpu_share if on_gpu else 0
        count = self._params.workers or sum(_room(node["Resources"], cpus, gpus) for node in self._nodes())
        if not count:
            raise GeoroadsError(
                f"no node of the Ray cluster has room for a worker of {cpus} cores"
                + (f" and {gpus:g} GPU" if gpus else ""),
                "--set engine.cpus=… or engine.gpu_share=… takes less; engine.workers=… waits for nodes",
            )
        chair = self._ray.remote(Chair).options(num_cpus=cpus, num_gpus=gpus, max_restarts=0)
        crew: RayCrew[Item, Result] = RayCrew(self._ray, lambda: chair.remote(cpus), opening, self._params)
        try:
            crew.hire(count)
            yield crew
        finally:
            crew.leave()

    def _connect(self, closing: ExitStack) -> None:
        named = self._params.address
        address = (os.environ.get("RAY_ADDRESS") or _OWN) if named == "ray" else named
        if address.startswith("ray://") and ":" not in address[6:]:
            address += f":{CLIENT_PORT}"
        options: dict[str, Any] = {}
        if address == _OWN:
            options = {"num_cpus": self._own_cpus(), "include_dashboard": False}
            closing.enter_context(closed_doors())
        elif address != "auto":
            refuse_unfit(address)
        self._ray = ray = _import_ray(is_own=address == _OWN)
        if not ray.is_initialized():  # else the cluster is our caller's, and its to end
            # Else it tells of dead workers on standard output, where our own figures may go.
            closing.callback(setattr, ray._private.worker, "_worker_logs_enabled", True)
            ray._private.worker._worker_logs_enabled = False
            closing.callback(ray.shutdown)
            _init(ray, address, options)
        if not all(is_here(node["NodeManagerAddress"]) for node in self._nodes()):
            require_token(address)
            self._refuse_open(address)

    def _refuse_open(self, address: str) -> None:
        """Refuse a cluster that lets in whoever comes; nothing but this question is sent before."""
        ray = self._ray
        try:
            is_closed = ray.get(ray.remote(_asks_for_token).options(num_cpus=0).remote())
        except ray.exceptions.RayError as e:
            raise GeoroadsError(
                f"the Ray cluster {printable(address)} cannot run georoads: {first_line(e)}",
                "install the same georoads on every node",
            ) from e
        if not is_closed:
            raise GeoroadsError(
                f"the Ray cluster {printable(address)} asks nobody for a token: refused",
                "start every node with RAY_AUTH_MODE=token; see docs/scaling.md",
            )

    def _nodes(self) -> list[dict[str, Any]]:
        return [node for node in self._ray.nodes() if node["Alive"]]

    def _cpus(self) -> int:
        """Cores of a worker: as stated, or as many as there are for each, up to four."""
        if self._params.cpus:
            return self._params.cpus
        there = [int(node["Resources"].get("CPU", 0)) for node in self._nodes()]
        return _share(sum(there), self._params.workers, min((n for n in there if n), default=1))

    def _own_cpus(self) -> int | None:
        """Cores of a cluster of our own: those of the workers, where their number is stated."""
        workers, there = self._params.workers, os.cpu_count() or 1
        return workers * (self._params.cpus or _share(there, workers, there)) if workers else None


def _share(cpus: int, workers: int, least: int) -> int:
    """Cores of each of some workers (0: any number), on nodes of which the smallest has ``least``."""
    return max(1, min(MOST_CPUS, least, cpus // max(1, workers)))


def _room(resources: dict[str, float], cpus: int, gpus: float) -> int:
    """Workers for which a node has room."""
    most = int(resources.get("CPU", 0) // cpus)
    if not gpus:
        return most
    each = int(1 / gpus) if gpus < 1 else 1  # a share must come from one GPU
    return min(most, int(resources.get("GPU", 0) // max(1.0, gpus)) * each)


def _import_ray(*, is_own: bool) -> Any:
    """Ray; for a cluster of our own it must be imported behind closed doors (see ``closed_doors``)."""
    is_first = is_own and _imports_first()
    require_extra("ray", "--engine ray", ("ray",), "or leave --engine out")
    import ray

    if is_own and not is_first and not ray.is_initialized():
        raise GeoroadsError(
            "this process has imported Ray already: workers on this machine would be open to others",
            "call ray.init() first, and its workers are used; or run georoads in a process of its own",
        )
    return ray


@cache
def _imports_first() -> bool:
    """Whether nobody has imported Ray in this process before a cluster of our own was asked for."""
    return "ray" not in sys.modules


def _init(ray: Any, address: str, options: dict[str, Any]) -> None:
    try:
        ray.init(address, log_to_driver=False, logging_level="ERROR", **options)
    except (ImportError, ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as e:
        raise GeoroadsError(
            f"the Ray cluster {printable(address)} is not reached: {first_line(e)}",
            "HOST:PORT is for a machine that is a node of it, ray://HOST:10001 for others; all have the same "
            "Ray, Python and token",
        ) from e


def _asks_for_token() -> bool:
    """Run on a node: whether it lets nobody in without."""
    return os.environ.get("RAY_AUTH_MODE", "").lower() == "token"


@contextmanager
def _signals_kept() -> Iterator[None]:
    """Ray puts its own handler in the place of ours when it is imported."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
