"""Ray clusters for tests, that end with all their processes; of several hosts where the system can play them.

With root on Linux each node has a network namespace, so an address, of its own, joined by a bridge. Elsewhere
all nodes are processes of this host.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RAY = Path(sysconfig.get_path("scripts")) / "ray"
_MARK = "GEOROADS_TEST_RUN"


def can_play_hosts() -> bool:
    """Whether this process may make network namespaces."""
    if not sys.platform.startswith("linux") or os.geteuid() != 0 or shutil.which("ip") is None:
        return False
    name = f"gr{secrets.token_hex(3)}"
    made = subprocess.run(["ip", "netns", "add", name], capture_output=True, check=False).returncode == 0
    if made:
        subprocess.run(["ip", "netns", "del", name], capture_output=True, check=False)
    return made


class Nodes:
    """A cluster, of which each node has one core.

    Attributes:
        address: HOST:PORT of the first node.
        environment: of the processes that may use it: token, and a mark by which their children are known.
    """

    def __init__(self, *, token: bool = True, hosts: bool) -> None:
        self._mark = secrets.token_hex(4)
        self.environment = marked(self._mark) | (
            {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
            if token
            else {"RAY_AUTH_MODE": "disabled"}
        )
        self._hosts = hosts
        self._net = f"gr{self._mark[:5]}"
        self._subnet = f"10.{230 + secrets.randbelow(20)}.{secrets.randbelow(250)}"
        self._folder = Path(tempfile.mkdtemp(prefix="gr"))  # a short name: sockets lie in it
        self._nodes: list[subprocess.Popen[bytes]] = []
        if hosts:
            _ip("link", "add", self._net, "type", "bridge")
            _ip("link", "set", self._net, "up")
        self.address = f"{self.ip(0)}:{_free_port()}"

    def ip(self, number: int) -> str:
        return f"{self._subnet}.{number + 1}" if self._hosts else "127.0.0.1"

    def on(self, number: int) -> list[str]:
        """What a command begins with that is to run on a node."""
        return ["ip", "netns", "exec", f"{self._net}n{number}"] if self._hosts else []

    def start(self) -> None:
        """Start one more node, the head first; one by one, since they take names in the same folder."""
        number = len(self._nodes)
        if self._hosts:
            self._join(number)
        command = [str(RAY), "start", "--block", "--num-cpus=1", "--object-store-memory=100000000"]
        command += [f"--node-ip-address={self.ip(number)}"]
        if number == 0:
            command += ["--head", f"--port={self.address.rpartition(':')[2]}", "--include-dashboard=false"]
            command += ["--disable-usage-stats", f"--temp-dir={self._folder}"]
        else:
            command += [f"--address={self.address}"]
        log = self._folder / f"node{number}.log"
        with log.open("wb") as said:
            self._nodes.append(
                subprocess.Popen(
                    self.on(number) + command, env=self.environment, stdout=said, stderr=said,
                    start_new_session=True,
                )
            )  # fmt: skip
        for _ in range(1200):
            if b"Ray runtime started" in log.read_bytes():
                return
            assert self._nodes[number].poll() is None, log.read_text()
            time.sleep(0.05)
        raise AssertionError(log.read_text())

    def kill(self, number: int) -> None:
        """End a node as a power cut does."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._nodes[number].pid, signal.SIGKILL)
        self._nodes[number].wait()

    def stop(self) -> None:
        """End what is left, and take everything away."""
        for number in range(len(self._nodes)):
            self.kill(number)
        for process in running(self._mark):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        if self._hosts:
            for number in range(len(self._nodes)):
                _ip("netns", "del", f"{self._net}n{number}")
            _ip("link", "del", self._net)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _join(self, number: int) -> None:
        name, outer = f"{self._net}n{number}", f"{self._net}v{number}"
        _ip("netns", "add", name)
        _ip("link", "add", outer, "type", "veth", "peer", "name", "eth0", "netns", name)
        _ip("link", "set", outer, "master", self._net, "up")
        _ip("-n", name, "address", "add", f"{self.ip(number)}/24", "dev", "eth0")
        _ip("-n", name, "link", "set", "eth0", "up")
        _ip("-n", name, "link", "set", "lo", "up")
        _ip("-n", name, "route", "add", "default", "via", f"{self._subnet}.254")


@contextmanager
def nodes(count: int, *, token: bool = True, hosts: bool) -> Iterator[Nodes]:
    """A cluster of some nodes."""
    cluster = Nodes(token=token, hosts=hosts)
    try:
        for _ in range(count):
            cluster.start()
        yield cluster
    finally:
        cluster.stop()


def marked(mark: str) -> dict[str, str]:
    """An environment whose children are found by ``running``."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    return kept | {_MARK: mark, "PYTHONPATH": str(ROOT), "RAY_USAGE_STATS_ENABLED": "0"}


def running(mark: str) -> list[int]:
    """Processes with a mark in their environment."""
    if not Path("/proc").is_dir():
        pytest.skip("processes are found in /proc")
    found = []
    for entry in Path("/proc").iterdir():
        with contextlib.suppress(OSError):
            if entry.name.isdigit() and f"{_MARK}={mark}".encode() in (entry / "environ").read_bytes():
                found.append(int(entry.name))
    return found


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("", 0))
        return int(probe.getsockname()[1])


def _ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True)
