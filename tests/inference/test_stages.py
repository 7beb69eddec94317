"""Three stages side by side: nothing is read, computed or written twice, too early, or left hanging."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import rasterio
from drawn_rasters import write_raster
from numpy.typing import NDArray
from stub import LocalRuntime, checkpoint

import georoads
from georoads.errors import SceneError
from georoads.inference import batches
from georoads.inference import predict as stages
from georoads.inference.batches import InputBatch, Job
from georoads.inference.handoff import HandoffQueue, StoppedError
from georoads.inference.local import LocalPredictor
from georoads.inference.predict import StageTimes, predict_raster
from georoads.inference.raster import ProbabilityRaster
from georoads.inference.runtime import GROUP_TILES
from georoads.inference.tile_store import Batch, TileStore
from georoads.inference.tiles import TilePlan, blend
from georoads.scene import read
from georoads.scene.native import read_native
from georoads.scene.open import open_scene
from georoads.scene.read import SceneReader
from georoads.scene.scene import Scene

SHAPE = 700, 1100
TILE, OVERLAP = 128, 32


@pytest.fixture
def picture() -> NDArray[np.uint8]:
    """Noise, of which a slanted half is not valid."""
    values = np.random.default_rng(5).integers(60, 190, (3, *SHAPE)).astype(np.uint8)
    rows, cols = np.indices(SHAPE)
    values[:, cols > 500 + rows // 2] = 0
    return values


@pytest.fixture
def scene(picture: NDArray[np.uint8], tmp_path: Path) -> Scene:
    layout: dict[str, Any] = {"tiled": True, "blockxsize": 128, "blockysize": 128, "compress": "deflate"}
    return open_scene(write_raster(tmp_path / "scene.tif", picture, nodata=0, **layout))


def run(scene: Scene, runtime: LocalRuntime, out: Path, prefetch: int = 2, io_threads: int = 3) -> StageTimes:
    predictor, work = LocalPredictor(runtime, prefetch, io_threads=io_threads), out.with_suffix(".work")
    return predict_raster(scene, scene.grid, checkpoint(TILE, OVERLAP), predictor, raster=out, work=work)


def seen_tiles(picture: NDArray[np.uint8]) -> list[int]:
    plan = TilePlan(*SHAPE, TILE, OVERLAP)
    valid = np.any(picture > 0, axis=0)
    return [i for i in range(len(plan)) if valid[plan.window(i).slices].any()]


def ends(work: Callable[[], Any]) -> BaseException | None:
    """Run in a thread that must end; what it raised."""
    raised: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except (SceneError, OSError, KeyboardInterrupt) as e:
            raised.append(e)

    thread = threading.Thread(target=guarded, daemon=True)
    thread.start()
    thread.join(60)
    assert not thread.is_alive(), "it hangs"
    assert not [t for t in threading.enumerate() if t.name.startswith("georoads")]
    return raised[0] if raised else None


@pytest.mark.parametrize("batch", [1, 3, 7])
def test_only_tiles_with_valid_pixels_reach_the_network(
    scene: Scene, picture: NDArray[np.uint8], tmp_path: Path, batch: int
) -> None:
    runtime = LocalRuntime(batch=batch)
    run(scene, runtime, tmp_path / "p.tif")
    seen = seen_tiles(picture)
    assert len(seen) < 0.8 * len(TilePlan(*SHAPE, TILE, OVERLAP))
    # Batches are full, but for the last of each group.
    groups = Counter(tile // GROUP_TILES for tile in seen)
    assert runtime.calls == sum(-(-n // batch) for n in groups.values())
    with rasterio.open(tmp_path / "p.tif") as raster:
        assert ((raster.read(1) == 255) == (picture == 0).all(axis=0)).all()


def test_batches_begin_anew_with_each_group_of_tiles(scene: Scene, tmp_path: Path) -> None:
    """So that it does not matter who predicts which group, or what was done before an interruption."""
    with pytest.raises(KeyboardInterrupt):
        run(scene, LocalRuntime(18, batch=3), tmp_path / "p.tif")
    lines = (tmp_path / "p.work" / "ledger.jsonl").read_text().splitlines()[1:]
    done = [[tile for tile, _ in batch["tiles"]] for line in lines for batch in json.loads(line)["batches"]]
    assert len(done) == 18
    assert all(tiles[0] // GROUP_TILES == tiles[-1] // GROUP_TILES for tiles in done)
    assert len({tiles[0] // GROUP_TILES for tiles in done}) > 1


@pytest.mark.parametrize("depth", [1, 5])
def test_queues_of_any_depth_give_the_same_bytes(scene: Scene, tmp_path: Path, depth: int) -> None:
    for name, prefetch in (("a.tif", 2), ("b.tif", depth)):
        run(scene, LocalRuntime(batch=3), tmp_path / name, prefetch)
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_threads_of_any_number_give_the_same_bytes_after_an_interruption_too(
    scene: Scene, tmp_path: Path, threads: int
) -> None:
    whole, cut = tmp_path / "a.tif", tmp_path / "b.tif"
    run(scene, LocalRuntime(batch=3), whole, io_threads=2)
    with pytest.raises(KeyboardInterrupt):
        run(scene, LocalRuntime(9, batch=3), cut, prefetch=1, io_threads=threads)
    run(scene, LocalRuntime(batch=3), cut, prefetch=4, io_threads=threads)
    assert whole.read_bytes() == cut.read_bytes()


class Queued(LocalRuntime):
    """Computes a batch when it is asked for it, as late as a GPU may; has up to three."""

    in_flight = 3

    def __init__(self, stop_after: int | None = None, batch: int = 1) -> None:
        super().__init__(stop_after, batch)
        self.begun: list[int] = []
        self.most = self.started = 0

    def new_buffer(self, shape: tuple[int, ...]) -> NDArray[np.uint8]:
        return np.zeros(shape, np.uint8)

    def start(self, pixels: NDArray[np.uint8]) -> Callable[[], NDArray[np.uint8]]:
        number, before = self.started, pixels.copy()
        self.started += 1
        self.begun.append(number)
        self.most = max(self.most, len(self.begun))

        def wait() -> NDArray[np.uint8]:
            assert self.begun.pop(0) == number  # the oldest first
            assert (pixels == before).all(), "a buffer was filled again while the device had it"
            return self.levels(pixels)

        return wait


@pytest.mark.parametrize("depth", [1, 4])
def test_a_device_with_several_batches_at_once_gives_the_same_bytes(
    scene: Scene, tmp_path: Path, depth: int
) -> None:
    run(scene, LocalRuntime(batch=3), tmp_path / "a.tif")
    device = Queued(batch=3)
    run(scene, device, tmp_path / "b.tif", depth)
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()
    assert device.most <= 3
    cut = tmp_path / "c.tif"
    with pytest.raises(KeyboardInterrupt):
        run(scene, Queued(7, batch=3), cut, depth)
    run(scene, Queued(batch=3), cut, depth)
    assert (tmp_path / "a.tif").read_bytes() == cut.read_bytes()


def test_a_device_has_the_next_batches_before_the_first_is_taken(scene: Scene) -> None:
    device = Queued(batch=2)
    queue: HandoffQueue[InputBatch] = HandoffQueue(6)
    for i in range(5):
        tiles = np.full((2, 3, TILE, TILE), i, np.uint8)
        queue.put(InputBatch(Batch((2 * i, 2 * i + 1), (100 + i,)), tiles, [None, None]))
    queue.put(InputBatch(Batch((), (200,)), np.empty(0, np.uint8), []))
    queue.close()
    job = Job(scene, scene.grid, checkpoint(TILE, OVERLAP).card)
    predicted = list(LocalPredictor(device)._through_network(job, queue))
    assert device.most == 3
    assert [p.batch.tiles for p in predicted] == [(0, 1), (2, 3), (4, 5), (6, 7), (8, 9), ()]
    assert [len(p.levels()) for p in predicted] == [2, 2, 2, 2, 2, 0]


def test_a_block_is_written_when_its_tiles_are_there_and_not_later(
    scene: Scene, picture: NDArray[np.uint8], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = TilePlan(*SHAPE, TILE, OVERLAP)
    stored: set[int] = set()
    when: list[int] = []

    class Watched(TileStore):
        def put(self, batch: Any, levels: Any) -> None:
            super().put(batch, levels)
            stored.update(batch.tiles, batch.empty)

    def watched(plan: TilePlan, window: Any, levels: Any) -> Any:
        assert stored.issuperset(plan.touching(window))
        when.append(len(stored))
        return blend(plan, window, levels)

    monkeypatch.setattr(stages, "TileStore", Watched)
    monkeypatch.setattr(stages, "blend", watched)
    run(scene, LocalRuntime(), tmp_path / "p.tif", prefetch=1, io_threads=1)
    seen = set(seen_tiles(picture))  # blocks of which nothing was seen are not in the file
    assert len(when) == sum(not seen.isdisjoint(plan.touching(w)) for w in scene.grid.blocks(512))
    assert when == sorted(when)
    assert when[0] < len(plan) - plan.cols  # the first block did not wait for the last row of tiles


@pytest.mark.slow
@pytest.mark.parametrize("depth", [1, 3])
def test_a_batch_is_left_alone_while_the_network_has_it(scene: Scene, tmp_path: Path, depth: int) -> None:
    class Slow(LocalRuntime):
        def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
            before = batch.copy()
            time.sleep(0.02)  # the reader runs ahead as far as it may
            assert (batch == before).all()
            return super().logits(batch)

    out = tmp_path / "p.tif"
    with pytest.raises(KeyboardInterrupt):
        run(scene, Slow(14, batch=3), out, depth)
    raw = out.with_suffix(".work") / "tiles.raw"
    raw.write_bytes(bytes(raw.stat().st_size))  # all that was finished is damaged
    run(scene, Slow(batch=3), out, depth)
    run(scene, LocalRuntime(batch=3), tmp_path / "whole.tif")
    assert out.read_bytes() == (tmp_path / "whole.tif").read_bytes()


def test_each_block_of_the_file_is_decoded_once(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[Any] = []

    def counted(source: Any, scene: Scene, window: Any) -> Any:
        decoded.append(window)
        return read_native(source, scene, window)

    monkeypatch.setattr(read, "read_native", counted)
    run(scene, LocalRuntime(batch=3), tmp_path / "p.tif")
    assert len(decoded) == len(set(decoded))
    assert sum(w.size for w in decoded) == SHAPE[0] * SHAPE[1]


KILLED = """
import sys, os
from pathlib import Path
sys.path += {folders!r}
from stub import LocalRuntime
from test_stages import run
from georoads.inference import tile_store
from georoads.scene.open import open_scene

tile_store.COMMIT_S = 0.0

class Mortal(LocalRuntime):
    def logits(self, batch):
        if self.calls == {calls}:
            os._exit(9)  # as SIGKILL: nothing is cleaned up
        return super().logits(batch)

run(open_scene({scene!r}), Mortal(batch=3), Path({out!r}))
"""


@pytest.mark.slow
def test_killed_twice_and_resumed_gives_the_same_bytes(scene: Scene, tmp_path: Path) -> None:
    whole = LocalRuntime(batch=3)
    run(scene, whole, tmp_path / "whole.tif")
    out = tmp_path / "cut.tif"
    for calls in (7, 6):
        code = KILLED.format(folders=sys.path, calls=calls, scene=str(scene.path), out=str(out))
        command = [sys.executable, "-W", "ignore", "-c", code]
        killed = subprocess.run(command, check=False, capture_output=True)
        assert killed.returncode == 9, killed.stderr.decode()
        assert not out.exists()
    last = LocalRuntime(batch=3)
    run(scene, last, out)
    # Those in the queues, and that which was flushed, at the time of the kills are done again.
    assert whole.calls - 13 <= last.calls <= whole.calls - 13 + 2 * 5
    assert out.read_bytes() == (tmp_path / "whole.tif").read_bytes()


def test_a_damaged_batch_is_done_again_as_it_was(scene: Scene, tmp_path: Path) -> None:
    run(scene, LocalRuntime(batch=3), tmp_path / "whole.tif")
    out = tmp_path / "cut.tif"
    with pytest.raises(KeyboardInterrupt):
        run(scene, LocalRuntime(10, batch=3), out)
    raw = out.with_suffix(".work") / "tiles.raw"
    content = bytearray(raw.read_bytes())
    content[0 * TILE**2 + 7] ^= 0xFF
    content[14 * TILE**2 + 9] ^= 0xFF
    raw.write_bytes(content)
    with (out.with_suffix(".work") / "ledger.jsonl").open("a") as ledger:
        ledger.write('{"batch": 11, "ti')  # the line that a power cut tore
    run(scene, LocalRuntime(batch=3), out)
    assert out.read_bytes() == (tmp_path / "whole.tif").read_bytes()


def test_an_error_of_the_reader_comes_out_as_itself(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []

    def torn(self: SceneReader, window: Any) -> Any:
        calls.append(window)
        if len(calls) > 20:
            raise SceneError("torn", "copy it again")
        return whole_read(self, window)

    whole_read = SceneReader.read
    monkeypatch.setattr(SceneReader, "read", torn)
    out = tmp_path / "p.tif"
    assert isinstance(ends(lambda: run(scene, LocalRuntime(), out)), SceneError)
    assert not out.exists()
    monkeypatch.undo()
    rest = LocalRuntime()
    run(scene, rest, out)
    whole = LocalRuntime()
    run(scene, whole, tmp_path / "whole.tif")
    assert rest.calls < whole.calls  # what was finished before the error was kept
    assert out.read_bytes() == (tmp_path / "whole.tif").read_bytes()


@pytest.mark.parametrize(("room", "name"), [(batches, "_masked_levels"), (stages, "blend")])
def test_an_error_of_the_writer_comes_out_as_itself(
    scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, room: ModuleType, name: str
) -> None:
    def full(*_: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(room, name, full)
    out = tmp_path / "p.tif"
    error = ends(lambda: run(scene, LocalRuntime(), out, prefetch=1))
    assert isinstance(error, OSError) and error.errno == 28
    assert not out.exists()


def test_an_error_of_the_network_comes_out_as_itself(scene: Scene, tmp_path: Path) -> None:
    error = ends(lambda: run(scene, LocalRuntime(stop_after=4), tmp_path / "p.tif"))
    assert isinstance(error, KeyboardInterrupt)


def test_stages_are_timed(scene: Scene, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    times = run(scene, LocalRuntime(), tmp_path / "p.tif")
    assert min(times.read_s, times.network_s, times.write_s) > 0
    assert 0 <= times.waited < 1
    monkeypatch.setattr("georoads.walk.prepared.open_runtime", lambda *_: LocalRuntime())
    file = tmp_path / "stub.json"
    file.write_text("{}")
    done = georoads.predict(scene.path, tmp_path / "q.tif", checkpoint(TILE, OVERLAP, file))
    assert done.stages.keys() == {"read", "network", "write"}
    assert {"open", "predict"} <= done.seconds.keys()
    assert dataclasses.asdict(done)["waited"] == done.waited
    assert (tmp_path / "q.tif").read_bytes() == (tmp_path / "p.tif").read_bytes()


def test_our_own_raster_is_read_as_it_is(scene: Scene, tmp_path: Path) -> None:
    path = tmp_path / "p.tif"
    run(scene, LocalRuntime(), path)
    with ProbabilityRaster(path) as raster, rasterio.open(path) as plain:
        assert (raster.read(raster.grid.window) == plain.read(1)).all()
        raster._reading = dataclasses.replace(raster._reading, is_as_is=False)
        assert (raster.read(raster.grid.window) == plain.read(1)).all()


def test_a_queue_holds_no_more_than_its_depth() -> None:
    queue: HandoffQueue[int] = HandoffQueue(2)
    put: list[int] = []

    def put_all() -> None:
        for i in range(6):
            queue.put(i)
            put.append(i)
        queue.close()

    putter = threading.Thread(target=put_all, daemon=True)
    putter.start()
    assert queue.get() == 0
    putter.join(0.2)
    assert len(put) <= 3
    assert list(queue) == [1, 2, 3, 4, 5]
    assert queue.get_if_any() is None
    with pytest.raises(StoppedError):
        queue.get()
    queue.stop()
    with pytest.raises(StoppedError):
        queue.put(7)
