"""The engine on Ray, on one small cluster of this machine."""

from __future__ import annotations

import gc
import itertools
import os
import signal
import socket
import subprocess
import sys
import time
import warnings
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from sessions import Adder, Done, Task, TaskSessions

from georoads.errors import GeoroadsError, SceneError
from georoads.workers.engine import EngineParams
from georoads.workers.pool_map import PoolMap
from georoads.workers.ray_engine import RayEngine
from georoads.workers.ray_pool import RayPool

# It must not be imported here: the engine imports it when its doors are closed.
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed"),
]
WORKERS, IN_FLIGHT = 2, 2


@pytest.fixture(scope="module")
def engine() -> Iterator[RayEngine]:
    with pytest.MonkeyPatch.context() as patch:
        patch.delenv("RAY_ADDRESS", raising=False)
        # What the workers import lies beside the tests.
        paths = [str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
        patch.setenv("PYTHONPATH", os.pathsep.join(p for p in paths if p))
        params = EngineParams("ray", workers=WORKERS, cpus=1, in_flight=IN_FLIGHT)
        # Room for two pools; the inner engine uses the cluster that is there.
        with RayEngine(EngineParams("ray", workers=2 * WORKERS, cpus=1)), RayEngine(params) as started:
            yield started
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # Ray does not wait for the processes it has ended
        gc.collect()


@pytest.fixture(scope="module")
def pool(engine: RayEngine) -> Iterator[RayPool[Task, Done]]:
    with engine.start(TaskSessions()) as opened:
        yield opened


def numbers(done: list[tuple[Task, Done]]) -> list[int]:
    assert all(task.number == result.number for task, result in done)
    return sorted(result.number for _, result in done)


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True


def ends(process: int) -> bool:
    """Whether it ends, within a while."""
    for _ in range(500):
        if not is_alive(process):
            return True
        time.sleep(0.02)
    return False


def test_items_are_done_by_all_workers_and_come_as_they_are_done(
    pool: RayPool[Task, Done], tmp_path: Path
) -> None:
    gate = tmp_path / "gate"
    done = []
    for task, result in pool.map([Task(0, "waits", gate), *(Task(n) for n in range(1, 8))]):
        done.append((task, result))
        # The other worker does all but the one or two that wait behind the gate.
        if len(done) == 6:
            assert 0 not in numbers(done)
            gate.touch()
    assert numbers(done) == list(range(8))
    assert pool.workers == WORKERS
    assert len({result.process for _, result in done}) == WORKERS
    assert pool.kind == "plain, threads: 1"


def test_items_are_taken_when_there_is_room_and_no_sooner(pool: RayPool[Task, Done]) -> None:
    taken = 0

    def endless() -> Iterator[Task]:
        nonlocal taken
        for number in itertools.count():
            taken += 1
            yield Task(number)

    results = pool.map(endless())
    assert taken == 0
    for received in range(1, 30):
        next(results)
        assert taken - received < WORKERS * IN_FLIGHT + 1
    results.close()  # type: ignore[attr-defined]


def test_an_error_of_ours_comes_back_as_itself_and_is_not_tried_again(
    pool: RayPool[Task, Done], tmp_path: Path
) -> None:
    tried = tmp_path / "tried"
    with pytest.raises(SceneError) as raised:
        list(pool.map([Task(0, "refuses", tried)]))
    assert (raised.value.message, raised.value.hint) == ("scene.tif is torn", "copy it again")
    assert tried.read_text() == "begun\n"


def test_another_error_comes_back_as_itself_with_where_it_was(pool: RayPool[Task, Done]) -> None:
    with pytest.raises(KeyError, match="no such thing") as raised:
        list(pool.map([Task(0, "stumbles")]))
    assert "sessions.py" in str(raised.value.__cause__)


@pytest.mark.parametrize("how", ["dies", "is killed"])
def test_a_worker_that_dies_is_replaced_and_its_items_are_done(
    pool: RayPool[Task, Done], tmp_path: Path, how: str
) -> None:
    if how == "is killed" and os.name != "posix":
        pytest.skip("signals of POSIX")
    tasks = [Task(n, how if n == 3 else "nothing", tmp_path / "once") for n in range(12)]
    done = list(pool.map(tasks))
    assert numbers(done) == list(range(12))
    assert any("died" in message for message in pool.messages)
    assert (tmp_path / "once").read_text() == "begun\n" * 2


def test_an_item_that_always_kills_its_worker_is_named(
    pool: RayPool[Task, Done], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(GeoroadsError, match="task 5: 3 workers in a row died of it"):
        list(pool.map([*(Task(n) for n in range(5)), Task(5, "dies")]))
    assert not capsys.readouterr().out  # where figures may go, Ray does not write of the dead


def test_workers_of_another_kind_are_sent_away(engine: RayEngine, tmp_path: Path) -> None:
    with engine.start(TaskSessions(tmp_path, differ=True)) as pool:
        (tmp_path / "gate").touch()
        while not pool.messages:
            assert numbers(list(pool.map([Task(n) for n in range(4)]))) == [0, 1, 2, 3]
        assert pool.kind in ("first", "other")  # whose session the driver has seen open first
        assert pool.workers == 1
        assert pool.messages == (f"workers that were not used: 1, not {pool.kind}",)


def test_a_map_by_workers_is_in_order_and_begins_again_with_other_work(
    engine: RayEngine, tmp_path: Path
) -> None:
    with engine.start(TaskSessions()) as pool:
        pool_map = PoolMap(pool)
        for added in (10, 20):
            (tmp_path / "added").write_text(str(added))
            answers = list(pool_map(Adder(tmp_path / "added"), range(300)))
            assert [number for number, _ in answers] == list(range(added, 300 + added))
            assert os.getpid() not in {process for _, process in answers}
        for few_or_given_up in (3, 300):
            assert next(iter(pool_map(Adder(tmp_path / "added"), range(few_or_given_up))))[0] == 20
        assert numbers_after_reopening(pool) == [0, 1]


def numbers_after_reopening(pool: RayPool[Task, Done]) -> list[int]:
    pool.reopen(TaskSessions())
    return numbers(list(pool.map([Task(0), Task(1)])))


@pytest.mark.parametrize(
    ("fails", "says"), [("refuses", "no device 'cuda'"), ("dies", "opening a worker: 3 workers")]
)
def test_a_session_that_cannot_be_opened_says_why(engine: RayEngine, fails: str, says: str) -> None:
    with pytest.raises(GeoroadsError, match=says) as no, engine.start(TaskSessions(fails=fails)):
        pass
    assert fails == "dies" or no.value.hint == "--device cpu"


def test_a_cluster_without_room_is_refused(engine: RayEngine) -> None:
    with (
        RayEngine(EngineParams("ray", cpus=99)) as same,
        pytest.raises(GeoroadsError, match="room for a worker of 99 cores"),
        same.start(TaskSessions()),
    ):
        pass


def test_an_interrupt_ends_all_workers(engine: RayEngine, tmp_path: Path) -> None:
    seen: set[int] = set()
    with pytest.raises(KeyboardInterrupt), engine.start(TaskSessions()) as pool:
        for _, result in pool.map(Task(n) for n in itertools.count()):
            seen.add(result.process)
            if len(seen) == WORKERS:
                os.kill(os.getpid(), signal.SIGINT)
    assert all(ends(process) for process in seen)


def test_a_cluster_of_our_own_is_open_to_this_machine_alone(engine: RayEngine) -> None:
    import ray

    host, _, port = ray.get_runtime_context().gcs_address.rpartition(":")
    assert host == "127.0.0.1"
    assert {node["NodeManagerAddress"] for node in ray.nodes()} == {"127.0.0.1"}
    assert os.environ["RAY_AUTH_MODE"] == "token"
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("198.51.100.1", 9))  # nothing is sent: which address would be ours?
        except OSError:
            pytest.skip("this machine has no other address")
        with pytest.raises(OSError, match="refused"):
            socket.create_connection((probe.getsockname()[0], int(port)), timeout=5)


def test_without_ray_the_way_out_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(GeoroadsError, match="needs ray, which") as raised, RayEngine(EngineParams("ray")):
        pass
    assert "georoads[ray]" in raised.value.hint


OPEN_DOORS = """
import ray
from georoads.workers.engine import EngineParams
from georoads.workers.ray_engine import RayEngine

with RayEngine(EngineParams("ray")):
    print("open")
"""


def test_ray_that_others_have_imported_is_not_started() -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", OPEN_DOORS], env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert "this process has imported Ray already" in done.stderr
    assert done.stdout == ""
