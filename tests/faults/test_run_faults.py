"""Outputs, disks, signals, kills, memory. The numbers are those of docs/faults.md."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from command_line import contents, refused, typed, unchanged
from slow_main import stub_checkpoint

import georoads
from georoads import resources as needs
from georoads.errors import GeoroadsError
from georoads.inference.cuda import with_smaller_batches
from georoads.model import checkpoint
from georoads.output.read import read_roads

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
POSIX = pytest.mark.skipif(os.name != "posix", reason="signals and limits of POSIX")


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    """Two bright roads that cross, on noise; 5 x 7 tiles of 128 px, 0.5 m per pixel."""
    folder = tmp_path / "in"
    folder.mkdir()
    picture = np.random.default_rng(1).normal(120, 4, (3, 480, 640))
    picture[:, 240:256] = picture[:, :, 300:314] = 220
    path = folder / "field.tif"
    profile = {"driver": "GTiff", "width": 640, "height": 480, "count": 3, "dtype": "uint8"}
    transform = Affine(0.5, 0, 500_000, 0, -0.5, 1_500_000)
    with rasterio.open(path, "w", crs="EPSG:32647", transform=transform, **profile) as out:
        out.write(picture.astype(np.uint8))
    return path


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """An empty folder for outputs."""
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


class Run:
    """georoads in another process, with a network that sleeps for each tile."""

    def __init__(self, seconds: float, *arguments: str | Path, limit: int | None = None) -> None:
        def limited() -> None:
            import resource

            if limit is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

        command = [sys.executable, str(FOLDER / "slow_main.py"), str(seconds), *map(str, arguments)]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            preexec_fn=limited if limit is not None else None, env=os.environ | {"PYTHONPATH": str(ROOT)},
        )  # fmt: skip

    def after_tiles(self, count: int) -> Run:
        """Wait until so many tiles have been through the network."""
        assert self.process.stderr is not None
        while count:
            line = self.process.stderr.readline()
            assert line, "it ended too early"
            count -= line == "tile\n"
        return self

    def end(self, number: int | None = None) -> tuple[int, list[str], int]:
        """Send a signal and wait: exit code, what was said, tiles since."""
        if number is not None:
            self.process.send_signal(number)
        _, said = self.process.communicate(timeout=60)
        lines = [line for line in said.splitlines() if line != "tile"]
        return self.process.returncode, lines, said.count("tile\n")


def rows(path: Path) -> list[tuple[object, ...]]:
    """Every line and its attributes."""
    import sqlite3

    with sqlite3.connect(path) as db:
        return sorted(db.execute("SELECT * FROM roads"), key=repr)


def test_39_an_output_that_cannot_be_is_refused_before_work(scene: Path, tmp_path: Path, out: Path) -> None:
    with unchanged(tmp_path):
        for name, says in (
            (out / "none" / "r.gpkg", "does not exist"), (out, "without suffix"), (out / "r.shp", "r.shp"),
        ):  # fmt: skip
            refused("extract", scene, "-o", name, says=says)
        refused("predict", scene, "-o", scene, "--overwrite", says="is an input and the output")
        refused("predict", scene, "-o", out, says="is a folder")
        refused("predict", scene, "-o", out / "p.png", says="is written as GeoTIFF", hint=".tif")
        refused("predict", scene, "-o", out / "none" / "p.tif", says="does not exist")


def test_40_an_output_that_exists_is_replaced_only_when_asked_and_only_by_a_whole_one(
    scene: Path, tmp_path: Path, out: Path
) -> None:
    before = out / "r.gpkg"
    before.write_bytes(b"precious")
    with unchanged(tmp_path):
        refused("extract", scene, "-o", before, says="exists", hint="--overwrite")
    (out / "p.tif").write_bytes(b"precious")
    with unchanged(tmp_path):
        refused("predict", scene, "-o", out / "p.tif", says="exists", hint="--overwrite")
        refused("vectorize", scene, "-o", before, says="exists", hint="--overwrite")
    run = Run(0.0, "extract", scene, "-o", before, "--overwrite", "-q")
    assert run.end()[0] == 0
    assert len(read_roads(before).lines) >= 4


@POSIX
@pytest.mark.parametrize(
    ("command", "name", "limit"),
    [
        ("predict", "p.tif", 20_000),  # the store of finished tiles
        ("predict", "p.tif", 35 * 128 * 128 + 2000),  # hardly more than that store: the raster fits too
        ("extract", "r.gpkg", 100_000),
    ],
)
def test_41_a_full_disk_is_told_and_the_run_goes_on_when_there_is_space(
    scene: Path, out: Path, command: str, name: str, limit: int
) -> None:
    target, whole = out / name, out / f"whole-{name}"
    assert Run(0.0, command, scene, "-o", whole, "-q").end()[0] == 0
    target.write_bytes(b"precious")
    code, said, _ = Run(0.0, command, scene, "-o", target, "--overwrite", "-q", limit=limit).end()
    if code == 0:  # what was written is small enough
        assert target.read_bytes() != b"precious"
        return
    assert code == 1, said
    assert [line.split(":")[0] for line in said[-2:]] == ["error", "hint"], said
    assert target.read_bytes() == b"precious"
    assert {p.name for p in out.iterdir()} <= {name, f"whole-{name}", f"{name}.work"}
    code, said, _ = Run(0.0, command, scene, "-o", target, "--overwrite", "-q", "--resume").end()
    assert code == 0, said
    if command == "predict":
        assert target.read_bytes() == whole.read_bytes()
    else:
        assert rows(target) == rows(whole)


@POSIX
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_42_a_signal_stops_within_a_tile_and_nothing_finished_is_lost(
    scene: Path, out: Path, number: int, code: int
) -> None:
    run = Run(0.1, "extract", scene, "-o", out / "r.gpkg").after_tiles(5)
    ended, said, more = run.end(number)
    assert ended == code, said
    assert more <= 2
    assert not any("Traceback" in line for line in said)
    assert [p.name for p in out.iterdir()] == ["r.gpkg.work"]
    # Without a word, nobody's work is thrown away.
    ended, said, _ = Run(0.0, "extract", scene, "-o", out / "r.gpkg").end()
    assert ended == 1
    assert "--resume" in said[-1] and "--restart" in said[-1]
    code, said, again = Run(0.0, "extract", scene, "-o", out / "r.gpkg", "--resume").end()
    assert code == 0, said
    assert again <= 35 - 4
    assert [p.name for p in out.iterdir()] == ["r.gpkg"]


@POSIX
def test_42_a_second_signal_ends_it_at_once(scene: Path, out: Path) -> None:
    run = Run(2.0, "predict", scene, "-o", out / "p.tif").after_tiles(1)
    run.process.send_signal(signal.SIGINT)
    run.process.send_signal(signal.SIGTERM)
    run.process.send_signal(signal.SIGTERM)
    code, said, _ = run.end()
    assert code in (130, 143), said


@POSIX
def test_43_killed_at_any_moment_and_resumed_gives_the_same(scene: Path, out: Path) -> None:
    """benchmarks/chaos.py does it at random moments, fifty times."""
    assert Run(0.0, "predict", scene, "-o", out / "whole.tif", "-q").end()[0] == 0
    assert Run(0.0, "extract", scene, "-o", out / "whole.gpkg", "-q").end()[0] == 0
    for command, name, kills in (("predict", "p.tif", (3, 9)), ("extract", "r.gpkg", (14,))):
        for tiles in kills:
            run = Run(0.02, command, scene, "-o", out / name, "-q", "--resume").after_tiles(tiles)
            assert run.end(signal.SIGKILL)[0] == -signal.SIGKILL
            assert not (out / name).exists()
        assert Run(0.0, command, scene, "-o", out / name, "-q", "--resume").end()[0] == 0
    assert (out / "p.tif").read_bytes() == (out / "whole.tif").read_bytes()
    assert rows(out / "r.gpkg") == rows(out / "whole.gpkg")
    assert {p.name for p in out.iterdir()} == {"p.tif", "r.gpkg", "whole.tif", "whole.gpkg"}


@pytest.fixture
def stopped(scene: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An output whose run was stopped; the stub stands for the model in this process too."""
    from slow_main import SlowRuntime

    from georoads.inference import tile_store

    monkeypatch.setattr(tile_store, "COMMIT_S", 0.0)
    monkeypatch.setattr(checkpoint, "find_checkpoint", stub_checkpoint)
    monkeypatch.setattr(sys, "argv", ["0"])
    stop = SlowRuntime(stop_after=7)
    monkeypatch.setattr("georoads.walk.prepared.open_runtime", lambda *_: stop)
    with pytest.raises(KeyboardInterrupt):
        georoads.predict(scene, out / "p.tif", stub_checkpoint("default"))
    monkeypatch.setattr(SlowRuntime, "logits", SlowRuntime.__mro__[1].logits)
    monkeypatch.setattr("georoads.walk.prepared.open_runtime", lambda *_: SlowRuntime())
    yield out / "p.tif"


def test_44_other_work_is_not_gone_on_with(scene: Path, stopped: Path) -> None:
    command = ["predict", scene, "-o", stopped, "-q"]
    with unchanged(stopped.parent):
        refused(*command, says="holds the work of a run that was stopped", hint="--restart")
        refused(*command, "--resume", "--model", "other", says="another tile", hint="--restart")
        refused(
            *command, "--resume", "--set", "scene.bounds=[500000,1499800,500200,1500000]", says="another grid"
        )
    assert typed(*command, "--restart", "--model", "other").code == 0
    assert [p.name for p in stopped.parent.iterdir()] == ["p.tif"]


def test_44_a_changed_scene_is_not_gone_on_with(scene: Path, stopped: Path) -> None:
    os.utime(scene, (1, 1))
    refused("predict", scene, "-o", stopped, "-q", "--resume", says="another scene", hint="--restart")


def test_45_damaged_work_is_noticed_and_done_again(scene: Path, stopped: Path) -> None:
    assert typed("predict", scene, "-o", stopped.with_name("whole.tif"), "-q").code == 0
    raw = stopped.with_name("p.tif.work") / "tiles.raw"
    content = bytearray(raw.read_bytes())
    content[2 * 128 * 128 + 5] ^= 0xFF
    raw.write_bytes(content)
    ledger = raw.with_name("ledger.jsonl")
    lines = ledger.read_text().splitlines(keepends=True)
    lines[3] = lines[3].replace("tiles", "til\0s")
    ledger.write_text("".join(lines)[:-4])
    assert typed("predict", scene, "-o", stopped, "-q", "--resume").code == 0
    assert stopped.read_bytes() == stopped.with_name("whole.tif").read_bytes()


@POSIX
def test_46_a_second_run_with_one_output_is_refused(scene: Path, out: Path) -> None:
    first = Run(1.0, "extract", scene, "-o", out / "r.gpkg").after_tiles(1)
    code, said, _ = Run(0.0, "extract", scene, "-o", out / "r.gpkg", "--restart").end()
    assert code == 1
    assert f"is being worked on by process {first.process.pid} on " in said[-2]
    first.end(signal.SIGKILL)
    assert Run(0.0, "extract", scene, "-o", out / "r.gpkg", "--restart", "-q").end()[0] == 0


class FullGpu:
    """A GPU whose memory takes so many tiles at once."""

    class OutOfMemoryError(Exception):
        pass

    def __init__(self, takes: int) -> None:
        self.takes = takes
        self.shapes: list[tuple[int, ...]] = []

    def mem_get_info(self, index: int) -> tuple[int, int]:
        return 2**28, 2**30

    def empty_cache(self) -> None:
        pass

    def run(self, batch: np.ndarray) -> np.ndarray:
        self.shapes.append(batch.shape)
        if len(batch) > self.takes:
            raise self.OutOfMemoryError
        return batch[:, 0]


def test_47_a_full_gpu_gets_smaller_batches_and_never_smaller_tiles() -> None:
    batch = np.random.default_rng(0).normal(size=(7, 3, 32, 32)).astype(np.float32)
    gpu = FullGpu(2)
    assert (with_smaller_batches(gpu.run, batch, gpu) == batch[:, 0]).all()  # type: ignore[arg-type]
    assert {shape[1:] for shape in gpu.shapes} == {(3, 32, 32)}
    full = FullGpu(0)
    with pytest.raises(GeoroadsError, match=r"0\.2 of 1\.0 GiB are free") as said:
        with_smaller_batches(full.run, batch, full)  # type: ignore[arg-type]
    assert "--device cpu" in said.value.hint


def test_48_what_the_machine_has_not_is_refused_with_the_numbers(
    scene: Path, out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(needs, "free_memory_mb", lambda: 300.0)
    with unchanged(out):
        refused("extract", scene, "-o", out / "r.gpkg", says="MB of memory, 300 MB are free")
        refused("predict", scene, "-o", out / "p.tif", says="MB of memory, 300 MB are free")
    monkeypatch.undo()
    monkeypatch.setattr(needs.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 0})())
    with unchanged(out):
        refused("extract", scene, "-o", out / "r.gpkg", says="MB of disk, 0 MB are free")


def test_48_a_dry_run_says_what_would_be_done(scene: Path, out: Path) -> None:
    with unchanged(out):
        done = typed("extract", scene, "-o", out / "r.gpkg", "--dry-run")
    assert done.code == 0
    for part in ("640 x 480 px", "its own pixels", "tiles", "memory", "disk"):
        assert part in done.out
    figures = out / "plan.json"
    assert typed("predict", scene, "-o", out / "p.tif", "--dry-run", "--json", figures).code == 0
    assert json.loads(figures.read_text())["width"] == 640
    assert set(contents(out)) == {"plan.json"}
