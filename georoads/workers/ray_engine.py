"""Workers on a Ray cluster, on this machine or on many: how the cluster is reached and how many fit there."""

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
from georoads.workers import ray_access
from georoads.workers.engine import EngineParams, Item, Result, SessionFactory
from georoads.workers.ray_pool import RayPool, SessionActor, first_line

MAX_CPUS = 4
"""Cores of a worker where their number is not stated: more would wait for each other."""


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
            closing.enter_context(ray_access.quiet_ray())
            with _sigterm_handler_kept():
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
    def start(
        self, factory: SessionFactory[Item, Result], *, on_gpu: bool = False
    ) -> Iterator[RayPool[Item, Result]]:
        """A pool whose first worker is ready; see ``engine.Engine``.

        Raises:
            GeoroadsError: as the factory raised it; there is no room for a worker.
        """
        cpus, gpus = self._cpus_per_worker(), self._params.gpu_share if on_gpu else 0
        count = self._params.workers or sum(_room(node["Resources"], cpus, gpus) for node in self._nodes())
        if not count:
            raise GeoroadsError(
                f"no node of the Ray cluster has room for a worker of {cpus} cores"
                + (f" and {gpus:g} GPU" if gpus else ""),
                "--set engine.cpus=… or engine.gpu_share=… takes less; engine.workers=… waits for nodes",
            )
        actor = self._ray.remote(SessionActor).options(num_cpus=cpus, num_gpus=gpus, max_restarts=0)
        pool = RayPool(self._ray, lambda: actor.remote(cpus), factory, self._params.in_flight)
        try:
            pool.start(count)
            yield pool
        finally:
            pool.stop()

    def _connect(self, closing: ExitStack) -> None:
        """Connect to the cluster, or start one, once it is known to be safe to use."""
        address = ray_access.cluster_address(self._params.address)
        options: dict[str, Any] = {}
        is_own = address == ray_access.OWN_CLUSTER
        if is_own:
            options = {"num_cpus": self._own_cpus(), "include_dashboard": False}
            closing.enter_context(ray_access.private_cluster())
        elif address != "auto":
            ray_access.check_address(address)
        self._ray = ray = _import_ray(is_own=is_own)
        if not ray.is_initialized():  # else the cluster is our caller's, and its to end
            closing.callback(ray.shutdown)
            _init(ray, address, options)
        if not all(ray_access.is_own_address(node["NodeManagerAddress"]) for node in self._nodes()):
            ray_access.require_token(address)
            self._refuse_open_cluster(address)

    def _refuse_open_cluster(self, address: str) -> None:
        """Refuse a cluster that lets in whoever comes; nothing but this question is sent before."""
        ray = self._ray
        try:
            is_closed = ray.get(ray.remote(ray_access.asks_for_token).options(num_cpus=0).remote())
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

    def _cpus_per_worker(self) -> int:
        """Cores of a worker: as stated, or as many as there are for each, up to four."""
        if self._params.cpus:
            return self._params.cpus
        cpus = [int(node["Resources"].get("CPU", 0)) for node in self._nodes()]
        smallest = min((n for n in cpus if n), default=1)
        return _fair_share(sum(cpus), workers=self._params.workers, smallest_node=smallest)

    def _own_cpus(self) -> int | None:
        """Cores of a cluster of our own: those of its workers, where their number is stated."""
        workers, cpus = self._params.workers, os.cpu_count() or 1
        share = self._params.cpus or _fair_share(cpus, workers=workers, smallest_node=cpus)
        return workers * share if workers else None


def _fair_share(cpus: int, *, workers: int, smallest_node: int) -> int:
    """Cores for each of some workers (0: any number), so that each fits on the smallest node."""
    return max(1, min(MAX_CPUS, smallest_node, cpus // max(1, workers)))


def _room(resources: dict[str, float], cpus: int, gpus: float) -> int:
    """Number of workers for which a node has room."""
    by_cpus = int(resources.get("CPU", 0) // cpus)
    if not gpus:
        return by_cpus
    per_gpu = int(1 / gpus) if gpus < 1 else 1  # a share must come from one GPU
    return min(by_cpus, int(resources.get("GPU", 0) // max(1.0, gpus)) * per_gpu)


def _import_ray(*, is_own: bool) -> Any:
    """The module ray; for a cluster of our own it must be imported within ``private_cluster``."""
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
    """Whether nobody had imported Ray in this process before a cluster of our own was asked for."""
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


@contextmanager
def _sigterm_handler_kept() -> Iterator[None]:
    """Put our handler of SIGTERM back: Ray replaces it when it is imported."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
