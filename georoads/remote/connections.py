"""Connections to addresses that were looked at, and the time that a request may take."""

from __future__ import annotations

import contextlib
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import certifi
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from georoads.remote.hosts import Origin


class Deadline:
    """Ends the connection of a request when its time is over: a server that drips is never silent."""

    def __init__(self) -> None:
        self.is_over = False
        self._connection: Any = None

    def watch(self, connection: Any) -> None:
        """Take a connection, to end it in time."""
        self._connection = connection
        if self.is_over:
            self.cut()

    def cut(self) -> None:
        """End the connection, from any thread."""
        self.is_over = True
        sock = getattr(self._connection, "sock", None)
        if sock is not None:
            with contextlib.suppress(OSError):
                sock.shutdown(2)


class Deadlines:
    """Those of the requests that are under way."""

    def __init__(self) -> None:
        self._all: set[Deadline] = set()
        self._lock = threading.Lock()

    @contextmanager
    def of(self, seconds: float) -> Iterator[Deadline]:
        """A deadline for the request that this thread makes in the block."""
        deadline = Deadline()
        with self._lock:
            self._all.add(deadline)
        timer = threading.Timer(seconds, deadline.cut)
        timer.daemon = True
        timer.start()
        _current.deadline = deadline
        try:
            yield deadline
        finally:
            timer.cancel()
            _current.deadline = None
            with self._lock:
                self._all.discard(deadline)

    def cut_all(self) -> None:
        """End all of them now."""
        with self._lock:
            for deadline in self._all:
                deadline.cut()


_current = threading.local()
"""The deadline of the request that a thread is at."""


class _Watched:
    """A connection that tells its request's deadline of itself."""

    def request(self, *args: Any, **kwargs: Any) -> None:
        deadline: Deadline | None = getattr(_current, "deadline", None)
        if deadline is not None:
            deadline.watch(self)
        super().request(*args, **kwargs)  # type: ignore[misc]
        if deadline is not None:
            deadline.watch(self)  # its time may have been over while there was no socket yet


class _WatchedHttp(_Watched, HTTPConnection):
    pass


class _WatchedHttps(_Watched, HTTPSConnection):
    pass


def open_pool(origin: Origin, ip: str, connections: int) -> HTTPConnectionPool:
    """Connections to one IP address of a host; with TLS checked against the host's name.

    Args:
        origin: the host.
        ip: its address, which was looked at.
        connections: at the same time.
    """
    if origin.scheme == "http":
        plain = HTTPConnectionPool(ip, origin.port, maxsize=connections, block=True)
        plain.ConnectionCls = _WatchedHttp
        return plain
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())  # not every system has a store of its own
    safe = HTTPSConnectionPool(
        ip, origin.port, maxsize=connections, block=True, ssl_context=context,
        server_hostname=origin.host, assert_hostname=origin.host,
    )  # fmt: skip
    safe.ConnectionCls = _WatchedHttps
    return safe
