"""Side outputs, signals, secrets, links, streams, libraries. The numbers are those of docs/faults.md."""

from __future__ import annotations

import errno
import json
import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from command_line import contents, refused, typed, unchanged
from drawn_pairs import draw_pairs
from pyproj.exceptions import ProjError
from rasterio.errors import RasterioIOError
from shapely.errors import GEOSException
from stub import LocalRuntime
from web_server import ranged, serving

from georoads.cli.main import cli
from georoads.errors import GeoroadsError
from georoads.files.atomic import short_stem
from georoads.files.work import work_for
from georoads.output.address import output_of
from georoads.picture_files import write_png
from georoads.text import source_name, without_secrets

FOLDER = Path(__file__).parent
ROOT = FOLDER.parents[1]
POSIX = pytest.mark.skipif(os.name != "posix", reason="signals, links and limits of POSIX")
LOCAL_CRS = (
    'ENGCRS["local grid",EDATUM["unknown"],CS[Cartesian,2],AXIS["x",east],AXIS["y",north],'
    'LENGTHUNIT["metre",1]]'
)


def draw(path: Path, crs: str = "EPSG:32632", **tags: str) -> Path:
    """A mask with a crossroads, which may as well be a scene."""
    roads = np.zeros((150, 150), np.uint8)
    roads[73:78, 10:140] = roads[10:140, 73:78] = 255
    place = Affine(0.5, 0, 500_000, 0, -0.5, 5_000_000)
    profile = {"driver": "GTiff", "width": 150, "height": 150, "count": 1, "dtype": "uint8"}
    with rasterio.open(path, "w", **profile, crs=crs, transform=place) as out:
        out.write(roads, 1)
        out.update_tags(**tags)
    return path


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    return draw(tmp_path / "m.tif")


@pytest.fixture
def layer(mask: Path) -> Path:
    path = mask.with_name("r.gpkg")
    assert typed("vectorize", mask, "-o", path, "-q").code == 0
    return path


def georoads(
    *arguments: str | Path, cwd: Path, before: str = "", after: str = ""
) -> subprocess.CompletedProcess[str]:
    """The command as a shell starts it, after ``before`` and with the redirections of ``after``."""
    words = " ".join(f"'{word}'" for word in (sys.executable, "-m", "georoads", *arguments))
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = f"{before} {words} {after}"
    return subprocess.run(
        command, shell=True, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


# 94: outputs beside the output


def test_94_a_side_output_is_refused_before_the_work(mask: Path, layer: Path, tmp_path: Path) -> None:
    (tmp_path / "old.json").write_text("precious")
    new = tmp_path / "n.gpkg"
    with unchanged(tmp_path):
        for command in (("vectorize", mask, "-o", new), ("score", layer, layer, "-q")):
            for name, says in (
                ("old.json", "exists"), ("none/f.json", "does not exist"), (".", "is a folder"),
            ):  # fmt: skip
                refused(*command, "--json", tmp_path / name, says=says)
        refused("score", layer, layer, "--json", layer, "--overwrite", says="is an input and the output")
        refused("score", layer, layer, "--json", f"{layer}-wal", says="would be read as a part of r.gpkg")
        errors = tmp_path / "e.gpkg"
        refused("score", layer, layer, "--explain", errors, "--json", errors, says="named for two outputs")
        both = "-o", tmp_path / "n.json", "--json", tmp_path / "n.json"
        refused("vectorize", mask, *both, says="named for two outputs", hint="a name of its own")
        refused("download", "--json", tmp_path / "old.json", says="exists", hint="--overwrite")


def test_94_what_exists_is_replaced_only_when_asked_and_whole(
    layer: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    figures = tmp_path / "f.json"
    figures.write_text("precious")
    command = "score", layer, layer, "-q", "--overwrite", "--json", figures

    def full(self: Path, *_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(Path, "write_text", full)
        refused(*command, says="f.json cannot be written: No space left")
    assert figures.read_text() == "precious"
    assert typed(*command).code == 0
    assert json.loads(figures.read_text())["f1"] == 1.0
    assert sorted(contents(tmp_path)) == ["f.json", "m.tif", "r.gpkg"]


def test_94_no_file_of_a_model_or_a_data_set_is_an_output(tmp_path: Path, mask: Path, layer: Path) -> None:
    from georoads.model.card import ModelCard
    from georoads.model.checkpoint import save_checkpoint
    from georoads.model.config import ModelConfig

    card = ModelCard("stub", ModelConfig(), (0.5,) * 3, (0.5,) * 3, 0.5, 64, 16, 0.5)
    save_checkpoint(tmp_path, "stub", {}, card)
    model = tmp_path / "stub.json"
    pairs = draw_pairs(tmp_path / "set", list("abcd"), index="name,gsd_m\na,0.5\nb,0.5\nc,0.5\nd,0.5\n")
    asked = "--model", model, "--overwrite"
    with unchanged(tmp_path):
        for command in (
            ("extract", mask, "-o", tmp_path / "n.gpkg", "--json", model),
            ("extract", mask, "-o", model),
            ("predict", mask, "-o", tmp_path / "p.tif", "--json", model.with_suffix(".safetensors")),
            ("evaluate", pairs, "--json", pairs / "index.csv"),
            ("evaluate", pairs, "--json", model),
        ):
            refused(*command, *asked, says="is an input and the output")
        flags = "--roads", layer, "--width", "6"
        refused("tiles", mask, *flags, "-o", tmp_path, *asked, says="the folder to write")


# 95: a second signal


@pytest.mark.slow
@POSIX
@pytest.mark.parametrize(("lock", "codes"), [("free", (130, 143)), ("held", (-signal.SIGKILL,))])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_95_a_second_signal_ends_native_code(lock: str, codes: tuple[int, ...], number: int) -> None:
    from georoads.cli.stop import SAME_WISH_S

    command = [sys.executable, str(FOLDER / "blocked_main.py"), lock]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "blocked\n"  # said by the native code itself
        process.send_signal(number)
        process.send_signal(number)  # as timeout does: the same wish
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(2 * SAME_WISH_S)
        process.send_signal(number)
        assert process.wait(10) in codes
        assert process.stdout.read() == ""  # the process beside it keeps nothing open


@pytest.mark.slow
@POSIX
def test_95_signals_of_children_are_not_ours() -> None:
    """A training ends its workers by SIGTERM; torch listens to their ends."""
    code = """
import os, signal, time
from georoads.cli.stop import SAME_WISH_S, stoppable
with stoppable():
    signal.signal(signal.SIGCHLD, lambda *_: None)
    for _ in range(3):
        reader, writer = os.pipe()
        child = os.fork()
        if child == 0:
            os.write(writer, b"x")
            while True:
                time.sleep(1)
        os.read(reader, 1)  # only now: a signal in mid-fork is lost
        os.kill(child, signal.SIGTERM)
        os.waitpid(child, 0)
        time.sleep(1.5 * SAME_WISH_S)
print("went on")
"""
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and done.stdout.endswith("went on\n"), done.stderr


# 96: secrets of addresses


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("https://h/a b.tif?X-Amz-Signature=s3cr3t/x&y=1 is no file", "https://h/a b.tif is no file"),
        ("/vsicurl/https://h/a.tif?sv=1&sig=s3cr3t: 403", "/vsicurl/https://h/a.tif 403"),
        ("https/h/a.tif?sv=1&sig=s3cr3t", "https/h/a.tif?sv=1"),
        ("(https://s3cr3t@h:80/a@2x.tif)", "(https://…@h:80/a@2x.tif)"),
        ("postgresql//ann:s3/cr3t@h/gis is none", "postgresql//ann:…@h/gis is none"),
        ("postgres:/ann:s3 cr3t'@h/gis", "postgres:/ann:…@h/gis"),
        ("ann:s3cr3t@h", "ann:…@h"),
        ("C:\\a@b\\c.tif", "C:\\a@b\\c.tif"),
        ("is it https://h/x? yes", "is it https://h/x? yes"),
        ("http://h:8080/a@2x.tif", "http://h:8080/a@2x.tif"),
        ("what?a=b.tif", "what?a=b.tif"),
    ],
)
def test_96_an_address_loses_its_secrets(text: str, shown: str) -> None:
    assert without_secrets(text) == shown == without_secrets(shown)
    assert GeoroadsError(text, text).message == shown


def test_96_names_of_files_stay_as_they_are() -> None:
    for name in ("ann:pw@h.tif", "a?b=c.tif", "a!b;c|d&e?"):
        assert source_name(Path("folder") / name) == name
    assert source_name(Path("https://h/a.tif?sig=a/b")) == "a.tif"


def test_96_a_signed_scene_leaves_its_signature_nowhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("georoads.walk.prepared.open_runtime", lambda *_: LocalRuntime())
    content = draw(tmp_path / "served.tif").read_bytes()
    out = tmp_path / "out"
    out.mkdir()
    with serving(lambda r: ranged(content, r)) as server:
        scene = f"http://ann:s3cr3t@127.0.0.1:{server.port}/a.tif?X-Amz-Signature=s3cr3t/x"
        said = [typed("extract", scene, "-o", out / "r.gpkg", "--json", out / "r.json", "--allow-remote")]
        assert said[0].code == 0, said[0].err
        assert server.asked[0].path == "/a.tif?X-Amz-Signature=s3cr3t/x"
    with closing(sqlite3.connect(out / "r.gpkg")) as db:
        assert db.execute("SELECT DISTINCT source FROM roads").fetchall() == [("a.tif",)]
    said += [
        refused("view", out / "r.gpkg", "--scene", scene, "-o", out / f"v.{kind}", says="not a local file")
        for kind in ("html", "qgz")
    ]
    said += [refused("info", scene, says="a.tif is not a local file"), typed("--debug", "info", scene)]
    said += [
        typed("models", scene, scene),
        refused("extract", scene, "-o", out / "n.gpkg", says="not a local"),
    ]
    for text in (*(e.out + e.err for e in said), *(p.read_bytes().decode("latin-1") for p in out.iterdir())):
        assert "s3cr3t" not in text


def test_96_a_misspelt_database_is_not_shown(mask: Path, layer: Path) -> None:
    for address in ("postgresql//ann:s3cr3t@h/gis", "postgres:/ann:s3cr3t@h/gis", "postgis+x//a:s3cr3t@h/g"):
        says = [refused("vectorize", mask, "-o", address, says="not as expected").err]
        says.append(refused("score", address, layer, says="").err)
        says.append(refused("extract", address, "-o", "n.gpkg", says="").err)
        assert not any("s3cr3t" in text for text in says)
        with pytest.raises(GeoroadsError):
            output_of(address)


# 97: links at the places of locks and work


@POSIX
@pytest.mark.parametrize("lay", ["symlink_to", "hardlink_to", "write"])
def test_97_a_lock_is_written_into_nobodys_file(lay: str, mask: Path, tmp_path: Path) -> None:
    victim, lock = tmp_path / "victim", tmp_path / ".n.gpkg.lock"
    victim.write_text("precious")
    if lay == "write":
        lock.write_text("precious")
    else:
        getattr(lock, lay)(victim)
    with unchanged(tmp_path):
        refused("vectorize", mask, "-o", tmp_path / "n.gpkg", says=".n.gpkg.lock", hint="remove it")
    lock.unlink()
    lock.write_text("process 1 on nowhere\n")  # of a run that died
    assert typed("vectorize", mask, "-o", tmp_path / "n.gpkg").code == 0


@POSIX
def test_97_work_is_not_laid_over_a_link(mask: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("georoads.walk.prepared.open_runtime", lambda *_: LocalRuntime())
    elsewhere, work = tmp_path / "elsewhere", tmp_path / "n.gpkg.work"
    elsewhere.mkdir()
    (elsewhere / "ledger.jsonl").write_text("precious")
    work.symlink_to(elsewhere)
    with unchanged(tmp_path):
        for flag in ("--resume", "--restart", "-q"):
            command = "extract", mask, "-o", tmp_path / "n.gpkg", flag
            refused(*command, says="no work folder that a run of yours has made", hint="remove it")
    work.unlink()
    with work_for(tmp_path / "n.gpkg") as made:
        assert made.stat().st_mode & 0o777 == 0o700


# 98: errors that no room foresees


@pytest.mark.parametrize(
    ("error", "says", "hint"),
    [
        (ProjError("no way\nfrom here"), "pyproj: ProjError: no way from here", "--debug"),
        (RasterioIOError("bad"), "rasterio: RasterioIOError: bad", "--debug"),
        (GEOSException("bad"), "shapely: GEOSException: bad", "--debug"),
        (sqlite3.DatabaseError("bad"), "sqlite3: DatabaseError: bad", "--debug"),
        (
            PermissionError(errno.EACCES, "Permission denied", "a\x1b"),
            "a\\x1b: Permission denied",
            "permissions",
        ),
        (OSError(errno.EMFILE, "Too many open files", "a"), "a: Too many open files", "ulimit -n"),
        (MemoryError(), "not enough memory", "smaller"),
        (RuntimeError("std::bad_alloc"), "not enough memory", "smaller"),
        (ImportError("x.so: failed to map segment from shared object"), "not enough memory", "ulimit -v"),
        (ValueError("at https://h/a?sig=s3cr3t"), "a library: ValueError: at https://h/a", "--debug"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_98_what_libraries_throw_is_two_lines(
    error: Exception, says: str, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def throws(*_: object) -> None:
        raise error

    monkeypatch.setattr("georoads.model.checkpoint.shipped_models", throws)
    assert "s3cr3t" not in refused("models", says=says, hint=hint).err
    for debug in (("--debug", "models"), ("models", "--debug")):
        ended = typed(*debug)
        assert ended.code == 1 and "Traceback" in ended.err and "throws" in ended.err
        assert "s3cr3t" not in ended.err and "\x1b" not in ended.err
    monkeypatch.setenv("GEOROADS_DEBUG", "1")
    assert "Traceback" in typed("models").err


def test_98_a_fault_of_ours_is_two_lines_too(tmp_path: Path) -> None:
    code = (
        "from georoads.cli import main\nfrom georoads.model import checkpoint\nimport sys\n"
        "checkpoint.shipped_models = lambda: {}['nothing']\nsys.argv[1:] = ['models']\nmain.main()"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code]
    ended = subprocess.run(
        command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 1
    assert [line.split(":")[0] for line in ended.stderr.splitlines()] == ["error", "hint"]
    assert "a fault of georoads: KeyError: 'nothing'" in ended.stderr


@POSIX
def test_98_surroundings_that_libraries_do_not_bear_are_refused(tmp_path: Path) -> None:
    gone = georoads("models", cwd=tmp_path, before="mkdir gone && cd gone && rmdir ../gone &&")
    assert gone.returncode == 1 and gone.stderr.startswith("error: the current folder does not exist")
    if sys.platform == "linux":
        small = georoads("models", cwd=tmp_path, before="ulimit -v 500000;")
        assert small.returncode == 1 and "limited to 512 MB" in small.stderr


# 99: long names, links in a ring


@POSIX
def test_99_names_of_250_bytes(mask: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("georoads.walk.prepared.open_runtime", lambda *_: LocalRuntime())
    stem = tmp_path / ("é" * 122)
    scene, roads, prediction = (Path(f"{stem}{suffix}") for suffix in (".tif", ".gpkg", ".tiff"))
    mask.rename(scene)
    for command in (
        ("extract", scene, "-o", roads, "--json", f"{stem}.json"),
        ("predict", scene, "-o", prediction),
        ("vectorize", prediction, "-o", f"{stem}.fgb"),
        ("score", roads, f"{stem}.fgb", "--explain", f"{stem}e.gpkg"),
        ("view", roads, "-o", f"{stem}.html"),
    ):
        ended = typed(*command, "-q")
        assert ended.code == 0, ended.err
    assert len(contents(tmp_path)) == 7
    too_long = tmp_path / ("n" * 300 + ".gpkg")
    for refusal in (
        ("vectorize", scene, "-o", too_long), ("score", too_long, roads), ("info", too_long),
        ("train", too_long), ("extract", scene, "-o", tmp_path / "n.gpkg", "--aoi", too_long),
    ):  # fmt: skip
        refused(*refusal, says="File name too long", hint="name")


@POSIX
def test_99_links_in_a_ring(mask: Path, layer: Path, tmp_path: Path) -> None:
    ring = tmp_path / "ring.gpkg"
    ring.symlink_to(tmp_path / "other")
    (tmp_path / "other").symlink_to(ring)
    tiles = "tiles", mask, "--roads", layer, "--width", "6", "-o"
    scored = "score", layer, layer
    for command in (("vectorize", mask, "-o"), (*scored, "--explain"), (*scored, "--json"), tiles):
        refused(*command, ring, says="links lead in a ring", hint="another name")
    for refusal in (("info", ring), ("score", ring, layer), ("vectorize", ring, "-o", tmp_path / "n.gpkg")):
        refused(*refusal, says="ring.gpkg")


# 100: standard streams that are closed or full


@pytest.mark.slow
@POSIX
@pytest.mark.parametrize("stream", ["2>&-", "2>/dev/full", "2>&- >&- <&-"])
def test_100_what_cannot_be_said_stops_no_work(stream: str, mask: Path, tmp_path: Path) -> None:
    if "full" in stream and not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    done = georoads("vectorize", mask, "-o", "n.gpkg", cwd=tmp_path, after=stream)
    assert (done.returncode, done.stderr) == (0, "")
    typed_layer = typed("vectorize", mask, "-o", tmp_path / "t.gpkg")
    assert typed_layer.code == 0
    assert (tmp_path / "n.gpkg").read_bytes() == (tmp_path / "t.gpkg").read_bytes()
    assert georoads("info", "none.tif", cwd=tmp_path, after=stream).returncode == 1
    assert georoads("nothing", cwd=tmp_path, after=stream).returncode == 2


@POSIX
def test_100_a_full_standard_output_is_told(tmp_path: Path) -> None:
    if not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    done = georoads("models", cwd=tmp_path, after=">/dev/full")
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["error: No space left on device", "hint: free some space"]


# 101: seen before the work


@pytest.mark.parametrize("name", ["n.geojson", "n.json"])
def test_101_geojson_needs_a_place(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("georoads.walk.prepared.open_runtime", lambda *_: LocalRuntime())
    local = draw(tmp_path / "local.tif", LOCAL_CRS)
    write_png(tmp_path / "p.png", np.zeros((64, 64, 3), np.uint8))
    with unchanged(tmp_path):
        for command in (
            ("extract", local),
            ("extract", tmp_path / "p.png", "--gsd", "0.5"),
            ("vectorize", local),
        ):
            refused(*command, "-o", tmp_path / name, says="has no place", hint=".gpkg")
    assert typed("extract", local, "-o", tmp_path / "n.gpkg", "-q").code == 0


@pytest.mark.parametrize("command", ["", *cli.commands])
def test_79_help_is_also_asked_for_by_one_letter(command: str) -> None:
    words = [command] if command else []
    assert typed(*words, "-h") == typed(*words, "--help")


def test_43_vectorize_clears_away_what_a_killed_run_left(mask: Path, tmp_path: Path) -> None:
    output = tmp_path / "n.gpkg"
    left = tmp_path / f".{short_stem(output)}-0123abcd.part.gpkg"
    left.write_bytes(b"half")
    assert typed("vectorize", mask, "-o", output).code == 0
    assert sorted(contents(tmp_path)) == ["m.tif", "n.gpkg"]
