"""Outputs, disks, signals, kills, memory. The numbers are those of docs/faults.md."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from command_line import contents, refused, typed, unchanged
from held_main import stub_checkpoint

import georoads
from georoads import resources as needs
from georoads.errors import GeoroadsError
from georoads.inference.cuda import with_smaller_batches
from georoads.model import checkpoint
from georoads.output.read import read_roads

pytestmark = pytest.mark.slow

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
    """georoads in another process, with a small network that waits for a signal after some tiles."""

    def __init__(self, *arguments: str | Path, limit: int | None = None, hold_after: int = -1) -> None:
        def limited() -> None:
            import resource

            if limit is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))

        command = [sys.executable, str(FOLDER / "held_main.py"), str(hold_after), *map(str, arguments)]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            preexec_fn=limited if limit is not None else None, env=os.environ | {"PYTHONPATH": str(ROOT)},
        )  # fmt: skip

    def held(self) -> Run:
        """Wait until it waits."""
        assert self.process.stderr is not None
        while (line := self.process.stderr.readline()) != "held\n":
            assert line, "it ended too early"
        return self

    def end(self, number: int | None = None) -> tuple[int, list[str], int]:
        """Send a signal and wait: exit code, what was said, tiles since."""
        if number is not None:
            self.process.send_signal(number)
        try:
            _, said = self.process.communicate(timeout=60)
        finally:
            self.process.kill()  # where it has not ended
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
        refused("predict", scene, "-o", out / "p.png", says="no name of a GeoTIFF", hint=".tif")
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
    run = Run("extract", scene, "-o", before, "--overwrite", "-q")
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
    assert Run(command, scene, "-o", whole, "-q").end()[0] == 0
    target.write_bytes(b"precious")
    code, said, _ = Run(command, scene, "-o", target, "--overwrite", "-q", limit=limit).end()
    if code == 0:  # what was written is small enough
        assert target.read_bytes() != b"precious"
        return
    assert code == 1, said
    assert [line.split(":")[0] for line in said[-2:]] == ["error", "hint"], said
    assert target.read_bytes() == b"precious"
    assert {p.name for p in out.iterdir()} <= {name, f"whole-{name}", f"{name}.work"}
    code, said, _ = Run(command, scene, "-o", target, "--overwrite", "-q", "--resume").end()
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
    run = Run("extract", scene, "-o", out / "r.gpkg", hold_after=5).held()
    ended, said, more = run.end(number)
    assert ended == code, said
    assert not more
    assert not any("Traceback" in line for line in said)
    assert [p.name for p in out.iterdir()] == ["r.gpkg.work"]
    # Without a word, nobody's work is thrown away.
    ended, said, _ = Run("extract", scene, "-o", out / "r.gpkg").end()
    assert ended == 1
    assert "--resume" in said[-1] and "--restart" in said[-1]
    code, said, again = Run("extract", scene, "-o", out / "r.gpkg", "--resume").end()
    assert code == 0, said
    assert again == 35 - 5
    assert [p.name for p in out.iterdir()] == ["r.gpkg"]


@POSIX
def test_42_a_second_signal_ends_it_at_once(scene: Path, out: Path) -> None:
    from georoads.cli.stop import SAME_WISH_S

    run = Run("predict", scene, "-o", out / "p.tif", hold_after=1).held()
    run.process.send_signal(signal.SIGINT)
    time.sleep(2 * SAME_WISH_S)  # a sooner one counts as the same wish
    code, said, _ = run.end(signal.SIGTERM)
    assert code in (130, 143), said


@POSIX
def test_43_killed_at_any_moment_and_resumed_gives_the_same(scene: Path, out: Path) -> None:
    """benchmarks/chaos.py does it at random moments, fifty times."""
    assert Run("predict", scene, "-o", out / "whole.tif", "-q").end()[0] == 0
    assert Run("extract", scene, "-o", out / "whole.gpkg", "-q").end()[0] == 0
    for command, name, kills in (("predict", "p.tif", (3, 9)), ("extract", "r.gpkg", (14,))):
        for tiles in kills:
            run = Run(command, scene, "-o", out / name, "-q", "--resume", hold_after=tiles).held()
            assert run.end(signal.SIGKILL)[0] == -signal.SIGKILL
            assert not (out / name).exists()
        assert Run(command, scene, "-o", out / name, "-q", "--resume").end()[0] == 0
    assert (out / "p.tif").read_bytes() == (out / "whole.tif").read_bytes()
    assert rows(out / "r.gpkg") == rows(out / "whole.gpkg")
    assert {p.name for p in out.iterdir()} == {"p.tif", "r.gpkg", "whole.tif", "whole.gpkg"}


@pytest.fixture
def stopped(scene: Path, out: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An output whose run was stopped; the stub stands for the model in this process too."""
    from held_main import HeldRuntime
    from stub import LocalRuntime

    from georoads.inference import tile_store

    monkeypatch.setattr(tile_store, "COMMIT_S", 0.0)
    monkeypatch.setattr(checkpoint, "find_checkpoint", stub_checkpoint)
    monkeypatch.setattr(sys, "argv", ["-1"])
    stop = HeldRuntime(stop_after=7)
    monkeypatch.setattr("georoads.walk.prepared.open_runtime", lambda *_: stop)
    with pytest.raises(KeyboardInterrupt):
        georoads.predict(scene, out / "p.tif", stub_checkpoint("default"))
    monkeypatch.setattr(HeldRuntime, "logits", LocalRuntime.logits)
    monkeypatch.setattr("georoads.walk.prepared.open_runtime", lambda *_: HeldRuntime())
    yield out / "p.tif"


def test_44_other_work_is_not_gone_on_with(scene: Path, stopped: Path) -> None:
    command: list[str | Path] = ["predict", scene, "-o", stopped, "-q"]
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


def spoil_record(ledger: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Put another record in place of a ledger's third, with the checksum of the old one."""
    lines = ledger.read_text().splitlines()
    lines[3] = json.dumps(change(json.loads(lines[3])))
    ledger.write_text("\n".join(lines) + "\n")


@pytest.mark.parametrize(
    "change",
    [
        lambda record: {},
        lambda record: 1,
        lambda record: record | {"batches": None},
        lambda record: record | {"batches": [1]},
        lambda record: record | {"batches": [{"tiles": [[10**20, 0]], "empty": []}]},
        lambda record: record | {"batches": [{"tiles": [], "empty": [20, 21, 22]}]},  # roads would be lost
        lambda record: {key: value for key, value in record.items() if key != "crc"},
    ],
    ids=["empty", "a number", "null", "no batch", "a tile beyond", "tiles without pixels", "no checksum"],
)
def test_92_a_record_that_was_not_written_so_is_done_again(
    scene: Path, stopped: Path, change: Callable[[dict[str, Any]], Any]
) -> None:
    assert typed("predict", scene, "-o", stopped.with_name("whole.tif"), "-q").code == 0
    spoil_record(stopped.with_name("p.tif.work") / "ledger.jsonl", change)
    assert typed("predict", scene, "-o", stopped, "-q", "--resume").code == 0
    assert stopped.read_bytes() == stopped.with_name("whole.tif").read_bytes()


@pytest.mark.parametrize("tail", [b"\xff\xfe\0\n", b"[" * 100_000 + b"]" * 100_000 + b"\n"])
def test_92_what_is_no_record_at_all_is_passed_over(scene: Path, stopped: Path, tail: bytes) -> None:
    assert typed("predict", scene, "-o", stopped.with_name("whole.tif"), "-q").code == 0
    with (stopped.with_name("p.tif.work") / "ledger.jsonl").open("ab") as ledger:
        ledger.write(tail)
    assert typed("predict", scene, "-o", stopped, "-q", "--resume").code == 0
    assert stopped.read_bytes() == stopped.with_name("whole.tif").read_bytes()


@POSIX
@pytest.mark.parametrize("name", ["tiles.raw", "part.tif", "ledger.jsonl", "ledger.jsonl.part"])
def test_92_links_and_folders_among_the_work_are_refused(scene: Path, stopped: Path, name: str) -> None:
    victim, place = stopped.with_name("victim"), stopped.with_name("p.tif.work") / name
    victim.write_text("precious")
    command = ("predict", scene, "-o", stopped, "-q")
    place.unlink(missing_ok=True)
    place.mkdir()
    refused(*command, "--resume", says=f"{place} is no file", hint="--restart")
    place.rmdir()
    place.symlink_to(victim)
    refused(*command, "--resume", says=f"{place} is no file", hint="--restart")
    refused(*command, says=f"{place} is no file", hint="--restart")
    assert typed(*command, "--restart").code == 0
    assert victim.read_text() == "precious"


@POSIX
def test_46_a_second_run_with_one_output_is_refused(scene: Path, out: Path) -> None:
    first = Run("extract", scene, "-o", out / "r.gpkg", hold_after=1).held()
    code, said, _ = Run("extract", scene, "-o", out / "r.gpkg", "--restart").end()
    assert code == 1
    assert f"is being worked on by process {first.process.pid} on " in said[-2]
    first.end(signal.SIGKILL)
    assert Run("extract", scene, "-o", out / "r.gpkg", "--restart", "-q").end()[0] == 0


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
    monkeypatch.setattr("georoads.resources.shutil.disk_usage", lambda path: type("Usage", (), {"free": 0})())
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
