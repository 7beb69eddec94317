"""The one door to servers: every byte of imagery that is not on this machine comes through here.

A name is resolved by us, every address is looked at, and the connection goes to an address that was looked
at, with TLS checked against the name. A redirect is followed on the same host only. An answer has a size and
a time that it may take; a busy server is left alone for a while, by all connections together.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, unquote, urljoin, urlsplit

import urllib3
from urllib3.connectionpool import HTTPConnectionPool

from georoads import __version__
from georoads.errors import SceneError
from georoads.remote.connections import Deadline, Deadlines, open_pool
from georoads.remote.hosts import Origin, origin_of, resolve
from georoads.remote.params import RemoteParams
from georoads.remote.patience import (
    BUSY,
    CONNECT_S,
    LONGEST_PAUSE_S,
    SILENCE_S,
    PassingError,
    asked_pause_s,
    pause_s,
)

MISSING = (204, 404, 410)
"""Answers that say: there is nothing here."""
_MOVED = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 3
_FIRST_ATTEMPTS = 2
_READ_BYTES = 1 << 16
_DOWNLOAD = "download it, and use the file"
_SAFE = "!#$%&'()*+,/:;=?@[]~"
"""Signs of an address that are left as they are."""


@dataclass(frozen=True)
class Span:
    """A part of a file: bytes ``start`` up to, without it, ``end``."""

    start: int
    end: int


@dataclass(frozen=True)
class Answer:
    """What a server sent.

    Attributes:
        status: 200, 206, or one of MISSING.
        content: the bytes.
        total: bytes of the whole file, where it was a part; else of the content.
        validator: changes when the file does (ETag or date); "" where the server does not say.
        url: where it came from in the end.
    """

    status: int
    content: bytes
    total: int
    validator: str
    url: str = field(repr=False)

    @property
    def is_missing(self) -> bool:
        """Whether there is nothing at the address."""
        return self.status in MISSING


class Client:
    """Asks servers, politely and within bounds. Threads may share it.

    Attributes:
        received: bytes so far, of all answers.
        connections: at the same time, at most.
    """

    def __init__(
        self, params: RemoteParams, named: tuple[str, ...] = (), headers: Mapping[str, str] | None = None
    ) -> None:
        """
        Args:
            params: limits and pauses.
            named: the addresses that the user has typed. Only they may lead to this machine or to a private
                network, and only their servers are sent what is secret.
            headers: sent to the servers of these addresses besides our own.
        """
        self.received = 0
        self.connections = params.connections
        self._params = params
        self._secret: dict[Origin, dict[str, str]] = {}
        for address in named:
            login = _login_of(address)
            self._secret.setdefault(origin_of(address), {}).update({**(headers or {}), **login})
        self._private = {host.strip().lower() for host in params.private.split(",") if host.strip()}
        self._pools: dict[Origin, tuple[HTTPConnectionPool, ...]] = {}
        self._lock = threading.Lock()
        self._answered: set[Origin] = set()
        self._closed = threading.Event()
        self._not_before = 0.0
        self._deadlines = Deadlines()

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End what is under way: in other threads too, at once."""
        self._closed.set()
        self._deadlines.cut_all()
        with self._lock:
            for pools in self._pools.values():
                for pool in pools:
                    pool.close()

    def get(self, url: str, what: str, limit: int, span: Span | None = None) -> Answer:
        """Ask for an address, again where that may help.

        Args:
            url: http or https.
            what: is asked for, for messages; without secrets.
            limit: bytes that the content may have.
            span: a part of the file; None: the whole of it.

        Raises:
            SceneError: refused by the server or by us; given up; too much, or too slow.
        """
        failures = 0
        while True:
            self._wait()
            try:
                return self._follow(url, what, limit, span)
            except PassingError as e:
                failures += 1
                if e.after_s > LONGEST_PAUSE_S:
                    raise SceneError(
                        f"{what}: {e.reason}, and asks for {e.after_s:.0f} s of rest",
                        "go on later with --resume",
                    ) from None
                if failures >= self._attempts(url) or self._closed.is_set():
                    is_known = origin_of(url) in self._answered
                    hint = "go on later with --resume" if is_known else "check the address, and the network"
                    raise SceneError(f"{what}: {e.reason} ({failures} attempts)", hint) from None
                pause = pause_s(failures, e.after_s, self._params.pause_s)
                with self._lock:
                    self._not_before = max(self._not_before, time.monotonic() + pause)

    def _attempts(self, url: str) -> int:
        """How often to ask: a server that never answered may not be there at all."""
        most = self._params.attempts
        return most if origin_of(url) in self._answered else min(_FIRST_ATTEMPTS, most)

    def _wait(self) -> None:
        """Wait until no server wants rest."""
        while not self._closed.is_set():
            left = self._not_before - time.monotonic()
            if left <= 0:
                return
            self._closed.wait(left)

    def _follow(self, url: str, what: str, limit: int, span: Span | None) -> Answer:
        """Ask once, and follow redirects on the same host."""
        for _ in range(_MOST_REDIRECTS + 1):
            with self._asked(url, span) as response:
                if response.status not in _MOVED:
                    return self._checked(response, url, what, limit, span)
                url = _next_place(url, response.headers.get("Location", ""), what)
        raise SceneError(f"{what} is redirected again and again", "check the address")

    @contextmanager
    def _asked(self, url: str, span: Span | None) -> Iterator[Any]:
        """The answer to one request, its content not yet read; within the time that it may take."""
        origin = origin_of(url)
        headers = {
            "Accept-Encoding": "identity",  # sizes and spans count the bytes of the file itself
            "User-Agent": f"georoads/{__version__}",
            "Accept": "*/*",
            "Host": str(origin).partition("://")[2],
            **self._secret.get(origin, {}),
        }
        if span is not None:
            headers["Range"] = f"bytes={span.start}-{span.end - 1}"
        parts = urlsplit(url)
        target = quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=_SAFE)
        with self._deadlines.of(self._params.timeout_s) as deadline:
            try:
                response = self._send(origin, target, headers)
                self._answered.add(origin)
                try:
                    yield response
                finally:
                    response.close()  # what was not read to its end cannot be used again
                    response.release_conn()
            except (urllib3.exceptions.SSLError, ssl.SSLError) as e:
                if "certificate" in str(e).lower() or "doesn't match" in str(e):
                    raise _untrusted(origin) from None
                raise PassingError(f"{origin} does not speak TLS as it should") from None
            except (urllib3.exceptions.HTTPError, OSError) as e:
                raise PassingError(self._reason(origin, deadline, e)) from None  # its text may hold secrets
            if deadline.is_over:  # what came may have been cut off by us
                raise PassingError(self._reason(origin, deadline, TimeoutError()))

    def _reason(self, origin: Origin, deadline: Deadline, error: Exception) -> str:
        is_silent = isinstance(error, urllib3.exceptions.ReadTimeoutError)
        if is_silent and self._params.timeout_s > SILENCE_S:
            return f"{origin} was silent for {SILENCE_S:g} s"
        if is_silent or deadline.is_over:
            return f"{origin} took longer than {self._params.timeout_s:g} s"
        if isinstance(error, urllib3.exceptions.NewConnectionError):
            return f"there is no connection to {origin}"
        if isinstance(error, urllib3.exceptions.ConnectTimeoutError):
            return f"{origin}: no connection within {CONNECT_S:g} s"
        return f"the connection to {origin} broke off ({type(error).__name__})"

    def _send(self, origin: Origin, target: str, headers: Mapping[str, str]) -> Any:
        """The response of the first of a host's addresses that takes a connection."""
        *others, last = self._pools_of(origin)
        wait = urllib3.Timeout(connect=CONNECT_S, read=min(SILENCE_S, self._params.timeout_s))
        how: dict[str, Any] = {
            "headers": headers, "retries": False, "redirect": False, "timeout": wait,
            "preload_content": False, "decode_content": False, "assert_same_host": False,
        }  # fmt: skip
        for pool in others:
            with contextlib.suppress(
                urllib3.exceptions.NewConnectionError, urllib3.exceptions.ConnectTimeoutError
            ):
                return pool.urlopen("GET", target, **how)
        return last.urlopen("GET", target, **how)

    def _pools_of(self, origin: Origin) -> tuple[HTTPConnectionPool, ...]:
        """Connections to the addresses of a host, which is resolved once, and stays where it was then."""
        with self._lock:
            if origin not in self._pools:
                is_named = origin in self._secret and origin.is_named_private
                try:
                    found = resolve(origin, private_allowed=is_named or origin.host in self._private)
                except OSError as e:
                    said = f"the name {origin.host} cannot be resolved"
                    if getattr(e, "errno", None) == socket.EAI_NONAME:
                        raise SceneError(said, "check the address, and whether there is a network") from e
                    raise PassingError(said) from e
                self._pools[origin] = tuple(open_pool(origin, ip, self._params.connections) for ip in found)
            return self._pools[origin]

    def _checked(self, response: Any, url: str, what: str, limit: int, span: Span | None) -> Answer:
        """The answer with its content, if it is what was asked for."""
        code, headers = response.status, response.headers
        if code in BUSY:
            raise PassingError(f"the server answered {code}", asked_pause_s(headers.get("Retry-After", "")))
        if code in MISSING:
            return Answer(code, b"", 0, "", url)
        if code in (401, 403):
            raise SceneError(
                f"{what}: the server refuses access ({code})",
                "a key goes into the address as ${NAME}, headers into GEOROADS_HEADERS (docs/remote.md)",
            )
        if code not in (200, 206) or (code == 206 and span is None):
            raise SceneError(f"{what}: the server answered {code}", "check the address")
        if headers.get("Content-Encoding", "identity").lower() not in ("identity", ""):
            raise SceneError(
                f"{what}: the server packs what it sends, unasked", "download it, and use the file"
            )
        stated = headers.get("Content-Length", "")
        if span is not None and code == 200 and stated.isdigit() and int(stated) > limit:
            raise SceneError(f"{what}: the server does not send parts of files", _DOWNLOAD)
        content = self._read(response, what, limit)
        total = len(content)
        if code == 206 and span is not None:
            total = _total(headers.get("Content-Range", ""), span, len(content), what)
        validator = headers.get("ETag") or headers.get("Last-Modified") or ""
        return Answer(code, content, total, validator[:200], url)

    def _read(self, response: Any, what: str, limit: int) -> bytes:
        stated = response.headers.get("Content-Length", "")
        if stated.isdigit() and int(stated) > limit:
            raise _too_large(what, limit)
        parts: list[bytes] = []
        size = 0
        while part := response.read1(_READ_BYTES):
            size += len(part)
            if size > limit:
                raise _too_large(what, limit)
            with self._lock:
                self.received += len(part)
            if self.received > self._params.max_mb * 1e6:
                raise SceneError(
                    f"{what}: more than {self._params.max_mb:g} MB were fetched",
                    "a smaller --aoi; --set remote.max_mb=… takes more",
                )
            parts.append(part)
        if stated.isdigit() and size != int(stated):
            raise PassingError(f"the connection broke off at {size} of {stated} bytes")
        return b"".join(parts)


def _login_of(address: str) -> dict[str, str]:
    """The header for USER:PASSWORD@ in an address."""
    login = urlsplit(address).netloc.rpartition("@")[0]
    return dict(urllib3.util.make_headers(basic_auth=unquote(login))) if login else {}


def _next_place(url: str, location: str, what: str) -> str:
    """Where a redirect leads, if that is on the same host and no less safe.

    Raises:
        SceneError: it is not.
    """
    here, target = origin_of(url), urljoin(url, location)
    try:
        there = origin_of(target)
    except SceneError as e:
        raise SceneError(f"{what} is redirected to what is no web address", "check the address") from e
    is_safer = (here.scheme, here.port, there.scheme, there.port) == ("http", 80, "https", 443)
    if not location or there.host != here.host or (there != here and not is_safer):
        raise SceneError(
            f"{what} is redirected to {there}, which was not asked for",
            "give the address there, if you trust it",
        )
    return target


def _total(content_range: str, span: Span, length: int, what: str) -> int:
    """Bytes of the whole file, by the header of a part; the part must be the one that was asked for.

    Raises:
        SceneError: it is another one.
    """
    unit, _, rest = content_range.partition(" ")
    got, _, total = rest.partition("/")
    if unit == "bytes" and total.isdigit():
        end = min(span.end, int(total))
        if got == f"{span.start}-{end - 1}" and length == end - span.start:
            return int(total)
    raise SceneError(
        f"{what}: the server sent another part than was asked for", "download it, and use the file"
    )


def _too_large(what: str, limit: int) -> SceneError:
    return SceneError(f"{what}: the server sends more than {limit / 1e6:g} MB", "check the address")


def _untrusted(origin: Origin) -> SceneError:
    return SceneError(
        f"the certificate of {origin} cannot be trusted",
        "check the address; a certificate authority of your own: SSL_CERT_FILE=FILE",
    )
