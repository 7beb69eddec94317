"""Which Ray clusters may be used: those on this machine, and others that let nobody in without a token.

Whoever reaches a Ray cluster without a token can run any program on all its machines, and who answers in its
place gets what is sent there. This module alone deals with Ray's environment variables: they are the
interface that Ray offers for tokens.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from georoads.errors import GeoroadsError
from georoads.text import printable
from georoads.workers.engine import CLIENT_PORT, host_and_port

CONNECT_S = 10.0
"""So long a cluster may take to answer."""
OWN_CLUSTER = "local"
"""Ray's name for a new cluster on this machine."""
_HOW_TO_CLOSE = (
    "start every node with RAY_AUTH_MODE=token and one token (ray get-auth-token --generate), and set both "
    "here; see docs/scaling.md"
)


def cluster_address(named: str) -> str:
    """The address for ``ray.init``; ray stands for the cluster that RAY_ADDRESS names, else for a new one."""
    address = (os.environ.get("RAY_ADDRESS") or OWN_CLUSTER) if named == "ray" else named
    if address.startswith("ray://") and ":" not in address[6:]:
        address += f":{CLIENT_PORT}"
    return address


def check_address(address: str) -> None:
    """Refuse a cluster that does not answer, and one on another machine unless this process shows a token.

    Args:
        address: HOST:PORT or ray://HOST:PORT.

    Raises:
        GeoroadsError: it would be used without a token; nobody answers.
    """
    try:
        host, port = host_and_port(address)
        found = {str(info[4][0]) for info in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)}
    except (OSError, ValueError) as e:
        raise GeoroadsError(
            f"the Ray cluster {printable(address)} is not found: {e}", "check --engine and RAY_ADDRESS"
        ) from e
    if not all(is_own_address(ip) for ip in found):
        require_token(address)
    try:  # Ray itself would try for minutes
        socket.create_connection((host, port), timeout=CONNECT_S).close()
    except OSError as e:
        raise GeoroadsError(
            f"the Ray cluster {printable(address)} is not reached: {e}", "is it running there? ray status"
        ) from e


def require_token(address: str) -> None:
    """Refuse to go on without a token for a cluster.

    Raises:
        GeoroadsError: this process has none, or would not use it.
    """
    if not asks_for_token():
        raise GeoroadsError(
            f"the Ray cluster {printable(address)} reaches beyond this machine, and has no token: refused",
            _HOW_TO_CLOSE,
        )
    if not has_token():
        raise GeoroadsError(
            f"there is no token for the Ray cluster {printable(address)}",
            "set RAY_AUTH_TOKEN or RAY_AUTH_TOKEN_PATH, or copy the cluster's token to ~/.ray/auth_token",
        )


def asks_for_token() -> bool:
    """Whether Ray, in this process, shows a token and lets nobody in without one."""
    return os.environ.get("RAY_AUTH_MODE", "").lower() == "token"


def has_token() -> bool:
    """Whether Ray will find a token, in the places and the order in which it looks."""
    if os.environ.get("RAY_AUTH_TOKEN", "").strip():
        return True
    named = os.environ.get("RAY_AUTH_TOKEN_PATH", "")
    try:
        path = Path(named) if named else Path.home() / ".ray" / "auth_token"
        return bool(path.read_text(encoding="utf-8").strip())
    except (OSError, RuntimeError, UnicodeDecodeError):  # no such file; no home
        return False


def is_own_address(ip: str) -> bool:
    """Whether an IP address is one of this machine's: only then can a socket be bound to it."""
    family = socket.AF_INET6 if ":" in ip else socket.AF_INET
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.bind((ip, 0))
        return True
    return False


@contextmanager
def private_cluster() -> Iterator[None]:
    """Environment in which Ray starts a cluster for this machine alone: bound to localhost, with a token.

    Ray must be imported in it, too.
    """
    values = {
        "RAY_AUTH_MODE": "token",
        # Ray's name for "nodes of other machines may join": without, it binds to 127.0.0.1.
        "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    }
    if not has_token():
        values["RAY_AUTH_TOKEN"] = _own_token()
    with environment(values):
        yield


@contextmanager
def quiet_ray() -> Iterator[None]:
    """Environment in which Ray neither reports its use to its makers nor prints what happens to workers.

    It would print that on standard output, where the figures of a command may go. Ray reads the second
    variable when it is imported: where our caller has imported it before, it prints.
    """
    with environment({"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS_SKIP_REGEX": "."}):
        yield


@cache
def _own_token() -> str:
    """One token for all clusters that this process starts: Ray reads it only once."""
    return secrets.token_hex(32)


@contextmanager
def environment(values: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables for the length of a block."""
    before = {name: os.environ[name] for name in values if name in os.environ}
    os.environ.update(values)
    try:
        yield
    finally:
        for name in values:
            os.environ.pop(name, None)
        os.environ.update(before)
