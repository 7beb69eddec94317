"""Workers on other machines. The numbers are those of docs/faults.md."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
import rasterio
from affine import Affine
from command_line import refused, typed, unchanged
from drawn_model import draw_model
from ray_nodes import ROOT, Nodes, can_play_hosts, marked, nodes, running

from georoads.errors import GeoroadsError
from georoads.output.read import read_roads
from georoads.workers import ray_access

HOSTS = can_play_hosts()
NEEDED = [name for name in ("ray", "openvino", "onnx") if find_spec(name) is None]
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(NEEDED), reason=f"{', '.join(NEEDED)} not installed"),
]
RUNS = "-W", "ignore", "-m", "georoads"


@dataclass(frozen=True)
class Work:
    """A scene, a model that takes its time, and the raster that this process alone makes of them."""

    scene: Path
    model: Path
    raster: Path


@pytest.fixture(scope="module")
def work(tmp_path_factory: pytest.TempPathFactory) -> Work:
    """17 groups of 64 px tiles: two bright roads that cross on noise, and a corner without data."""
    folder = tmp_path_factory.mktemp("work")
    picture = np.random.default_rng(1).normal(120, 4, (3, 700, 1000))
    picture[:, 400:406] = picture[:, :, 500:507] = 220
    rows, cols = np.indices(picture.shape[1:])
    picture[:, cols > 700 + rows // 2] = 0
    scene = folder / "field.tif"
    profile = {"driver": "GTiff", "width": 1000, "height": 700, "count": 3, "dtype": "uint8", "nodata": 0}
    transform = Affine(0.5, 0, 500_000, 0, -0.5, 1_500_000)
    with rasterio.open(scene, "w", crs="EPSG:32647", transform=transform, **profile) as out:
        out.write(picture.astype(np.uint8))
    model = draw_model(folder, tile=64, slow=1).path
    raster = folder / "here.tif"
    environment = marked("here") | {"OMP_NUM_THREADS": "1"}
    here = command(Work(scene, model, raster), raster)
    subprocess.run(here, check=True, env=environment, cwd=ROOT, capture_output=True)
    return Work(scene, model, raster)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Nodes]:
    with nodes(3, hosts=HOSTS) as three:
        yield three


def command(work: Work, output: Path, *more: str | Path, program: Sequence[str] = RUNS) -> list[str]:
    """What predicts, or extracts, to an output; ``program`` is georoads, or what stands for it."""
    verb = "predict" if output.suffix == ".tif" else "extract"
    said = [verb, work.scene, "-o", output, "--model", work.model, "--set", "predict.runtime=openvino", *more]
    return [sys.executable, *program, *map(str, said)]


class Driver:
    """A run whose workers wait after their first group of tiles, until they are let go."""

    def __init__(self, work: Work, output: Path, *more: str, before: Sequence[str], environment: Any) -> None:
        """
        Args:
            more: arguments.
            before: what the command begins with.
            environment: of the process.
        """
        self._folder = output.with_name("latch")
        self._folder.mkdir()
        program = "-W", "ignore", str(Path(__file__).with_name("held_workers.py")), str(self._folder)
        self.process = subprocess.Popen(
            [*before, *command(work, output, *more, program=program)], cwd=ROOT, text=True,
            env=environment | {"PYTHONPATH": str(ROOT)}, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            start_new_session=True,
        )  # fmt: skip

    def held(self, workers: int) -> Driver:
        """Wait until so many workers have done something, and have more to do."""
        started = time.monotonic()
        while len([*self._folder.glob("held-*")]) < workers:
            assert self.process.poll() is None, self.process.communicate()
            assert time.monotonic() - started < 120, "the workers do not come"
            time.sleep(0.01)
        return self

    def let_go(self) -> None:
        """Let the workers, those that are left and those that come, go on; no other trace stays."""
        (self._folder / "go").touch()

    def end(self) -> tuple[int, str]:
        """Exit code and what was said."""
        found = ended(self.process)
        shutil.rmtree(self._folder)
        return found


def on(cluster: Nodes, work: Work, output: Path, *more: str) -> subprocess.Popen[str]:
    """Start a driver on the first node."""
    return subprocess.Popen(
        [*cluster.on(0), *command(work, output, *engine(cluster), *more)], cwd=ROOT, env=cluster.environment,
        text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True,
    )  # fmt: skip


def held_on(cluster: Nodes, work: Work, output: Path, workers: int) -> Driver:
    """Start a driver on the first node, and wait until so many workers are in the middle of their work."""
    driver = Driver(work, output, *engine(cluster), before=cluster.on(0), environment=cluster.environment)
    return driver.held(workers)


def engine(cluster: Nodes) -> tuple[str, ...]:
    return "--engine", cluster.address, "--set", "engine.cpus=1"


def ended(driver: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit code and what was said."""
    _, said = driver.communicate(timeout=120)
    return driver.returncode, said


@pytest.mark.skipif(not HOSTS, reason="without root and network namespaces; see the twin on one host")
def test_51_a_host_that_dies_changes_nothing(cluster: Nodes, work: Work, tmp_path: Path) -> None:
    a_node_dies(cluster, work, tmp_path)


@pytest.mark.skipif(HOSTS, reason="done with three hosts in network namespaces")
def test_51_a_node_that_dies_changes_nothing(cluster: Nodes, work: Work, tmp_path: Path) -> None:
    a_node_dies(cluster, work, tmp_path)


def a_node_dies(cluster: Nodes, work: Work, folder: Path) -> None:
    driver = held_on(cluster, work, folder / "p.tif", workers=3)
    cluster.kill(2)
    driver.let_go()
    code, said = driver.end()
    assert code == 0, said
    assert "workers that died, and whose work others did" in said
    assert (folder / "p.tif").read_bytes() == work.raster.read_bytes()


def test_51_a_driver_that_is_killed_and_resumed_gives_the_same(
    cluster: Nodes, work: Work, tmp_path: Path
) -> None:
    output = tmp_path / "r.gpkg"
    driver = held_on(cluster, work, output, workers=2)  # a node has died above
    os.killpg(driver.process.pid, signal.SIGKILL)
    driver.end()
    assert not output.exists()
    code, said = ended(on(cluster, work, output, "--resume"))
    assert code == 0, said
    assert [p.name for p in tmp_path.iterdir()] == ["r.gpkg"]
    assert lines(output) == lines_of(work, tmp_path)


def test_51_workers_of_this_machine_end_with_an_interrupt_and_their_work_is_gone_on_with(
    work: Work, tmp_path: Path
) -> None:
    mark, output = secrets.token_hex(4), tmp_path / "r.gpkg"
    workers = ["--engine", "ray", "--set", "engine.workers=2", "--set", "engine.cpus=1"]
    environment = marked(mark) | {"OMP_NUM_THREADS": "1"}
    driver = Driver(work, output, *workers, before=(), environment=environment).held(2)
    os.killpg(driver.process.pid, signal.SIGINT)  # as a terminal does
    code, said = driver.end()
    assert code == 130, said
    assert "Traceback" not in said
    assert nothing_is_left(mark)
    # By this process alone; that the work is taken is seen by the ledger, which would be refused otherwise.
    assert typed("extract", work.scene, "-o", output, "--model", work.model, "--resume").code == 0
    assert lines(output) == lines_of(work, tmp_path)


def lines(layer: Path) -> list[bytes]:
    """Of a road layer, in order."""
    found = [line.wkb for line in read_roads(layer).lines]
    assert len(found) >= 4
    return found


def lines_of(work: Work, folder: Path) -> list[bytes]:
    """Of the raster that this process alone has made."""
    assert typed("vectorize", work.raster, "-o", folder / "whole.gpkg", "--threshold", "0.5").code == 0
    return lines(folder / "whole.gpkg")


def nothing_is_left(mark: str) -> bool:
    """Whether all processes of a run end, within a while."""
    for _ in range(300):
        if not running(mark):
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def foreign(monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of another machine, and no token of any kind."""
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH", "RAY_ADDRESS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "/nowhere")
    return "203.0.113.7:6379"


def test_52_a_cluster_on_another_host_is_not_used_without_a_token(
    work: Work, tmp_path: Path, foreign: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    predict: list[str | Path] = ["predict", work.scene, "-o", tmp_path / "p.tif", "--model", work.model]
    with unchanged(tmp_path):
        for address in (foreign, "ray://203.0.113.7"):
            refused(*predict, "--engine", address, says="has no token", hint="RAY_AUTH_MODE=token")
        monkeypatch.setenv("RAY_ADDRESS", foreign)
        refused(*predict, "--engine", "ray", says="has no token", hint="RAY_AUTH_MODE=token")
        monkeypatch.setenv("RAY_AUTH_MODE", "token")
        refused(*predict, "--engine", "ray", says="there is no token", hint="RAY_AUTH_TOKEN")
        monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "none"))
        refused(*predict, "--engine", "ray", says="there is no token", hint="RAY_AUTH_TOKEN_PATH")


def test_52_this_machine_is_known_by_its_addresses(foreign: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert ray_access.is_own_address("127.0.0.1")
    assert not ray_access.is_own_address("203.0.113.7")
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        server.listen()
        address = f"localhost:{server.getsockname()[1]}"
        ray_access.check_address(address)
    with pytest.raises(GeoroadsError, match="is not reached"):
        ray_access.check_address(address)
    monkeypatch.setattr("georoads.workers.ray_access.socket.create_connection", mock.Mock())
    with pytest.raises(GeoroadsError, match="has no token"):
        ray_access.check_address(foreign)
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "secret")
    ray_access.check_address(foreign)


@pytest.mark.skipif(not HOSTS, reason="needs root and network namespaces")
def test_52_a_cluster_that_asks_nobody_for_a_token_is_refused(work: Work, tmp_path: Path) -> None:
    with nodes(2, token=False, hosts=True) as open_cluster:
        # A token of ours does not make it a closed one.
        open_cluster.environment |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        with_token = on(open_cluster, work, tmp_path / "p.tif")
        # The first node is on this host, as a driver there sees it; the other one is not.
        open_cluster.environment["RAY_AUTH_MODE"] = "disabled"
        without = on(open_cluster, work, tmp_path / "q.tif")
        code, said = ended(with_token)
        assert code == 1, said
        assert "asks nobody for a token: refused" in said
        code, said = ended(without)
        assert code == 1, said
        assert "has no token" in said
    assert not list(tmp_path.iterdir())
