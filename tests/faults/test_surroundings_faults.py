"""File names, closed pipes, locales, homes. The numbers are those of docs/faults.md."""

from __future__ import annotations

import json
import locale
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from command_line import contents, refused, typed, unchanged
from drawn_evaluation import BrightIsRoad
from drawn_pairs import draw_pairs

from georoads.compiled import compiled
from georoads.model.card import ModelCard
from georoads.model.checkpoint import SHIPPED_DEFAULT, save_checkpoint
from georoads.model.config import ModelConfig

pytestmark = pytest.mark.slow

ROOT = Path(__file__).resolve().parents[2]
POSIX = pytest.mark.skipif(os.name != "posix", reason="Windows has no such names, pipes and homes")


def draw_mask(path: Path) -> Path:
    """A mask with a crossroads."""
    place = rasterio.Affine(0.5, 0, 500_000, 0, -0.5, 5_000_000)
    profile = {"driver": "GTiff", "width": 150, "height": 150, "count": 1, "dtype": "uint8"}
    roads = np.zeros((150, 150), np.uint8)
    roads[73:78, 10:140] = roads[10:140, 73:78] = 255
    drawn = path.with_name("drawn.tif")
    with rasterio.open(drawn, "w", **profile, crs="EPSG:32632", transform=place) as out:
        out.write(roads, 1)
    return drawn.rename(path)


def run(
    *arguments: str | Path, cwd: Path, encoding: str = "utf-8", **environment: str | None
) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own; None takes a variable out of its environment."""
    changed = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    given = {k: v for k, v in changed.items() if v is not None}
    command = [sys.executable, "-m", "georoads", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=given, capture_output=True, encoding=encoding, check=False)


# 18: file names


@POSIX
@pytest.mark.parametrize(
    "stem",
    [
        " two  words ",
        'it\'s "so"',
        "100%s%20",
        "new\nline\ttab",
        "emoji 🛣 é e\u0301",
        "-o",
        "a!b;c|d&e?",
        "zip:s3:a",
        "#?*[1]\\",
        "\x1b[31mred\x07",
        "n" * 230,
    ],
)
def test_18_any_name_is_carried_through(stem: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / f"in {stem[:40]}"
    folder.mkdir()
    monkeypatch.chdir(folder)
    draw_mask(Path(f"{stem}.tif"))
    for suffix in (".gpkg", ".geojson", ".fgb"):
        ended = typed("vectorize", "-q", "-o", stem + suffix, "--", f"{stem}.tif")
        assert ended.code == 0, ended.err
    layers = f"{stem}.fgb", f"{stem}.gpkg"
    ended = typed("score", "--json", f"{stem}.json", "--explain", f"{stem}.e.gpkg", "--", *layers)
    assert ended.code == 0, ended.err
    assert all(line.isprintable() for line in (ended.out + ended.err).splitlines())
    assert json.loads(Path(f"{stem}.json").read_text())["f1"] == 1.0
    (feature, *_) = json.loads(Path(f"{stem}.geojson").read_text())["features"]
    assert feature["properties"]["source"] == f"{stem}.tif"
    with closing(sqlite3.connect(f"{stem}.gpkg")) as db:
        assert db.execute("SELECT DISTINCT source FROM roads").fetchall() == [(f"{stem}.tif",)]
    suffixes = (".tif", ".gpkg", ".geojson", ".fgb", ".json", ".e.gpkg")
    assert {p.name for p in folder.iterdir()} == {stem + suffix for suffix in suffixes}


@POSIX
def test_18_a_path_is_never_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # To GDAL's bindings "a!roads.gpkg" is roads.gpkg in an archive "a", and "http:" is no folder.
    monkeypatch.chdir(tmp_path)
    draw_mask(tmp_path / "m.tif")
    assert typed("vectorize", "m.tif", "-o", "roads.gpkg").code == 0
    Path("a!roads.gpkg").write_bytes(b"SQLite format 3\0" + bytes(84))
    refused("score", "a!roads.gpkg", "roads.gpkg", says="a!roads.gpkg cannot be read")
    (tmp_path / "http:").mkdir()
    Path("roads.gpkg").rename("http:/roads.gpkg")
    assert typed("score", "http:/roads.gpkg", "http:/roads.gpkg", "-q").code == 0


@POSIX
def test_18_a_name_that_is_not_utf8_is_refused_and_escaped(tmp_path: Path) -> None:
    name = os.fsdecode(os.fsencode(tmp_path) + b"/lat\xe9in")
    draw_mask(tmp_path / "m.tif").rename(f"{name}.tif")
    with unchanged(tmp_path):
        for command in (
            ("vectorize", f"{name}.tif", "-o", tmp_path / "r.gpkg"),
            ("info", f"{name}.tif"),
            ("score", f"{name}.gpkg", f"{name}.gpkg"),
        ):
            refused(*command, says="lat\\udce9in.", hint="rename the file")


@POSIX
@pytest.mark.parametrize(
    "words",
    [
        "vectorize @scene.tif -o @out.gpkg",
        "predict @scene.tif -o @out.tif --model @stub.safetensors",
        "extract @scene.tif -o @out.gpkg --model @stub.safetensors",
        "info @scene.tif --model @stub.safetensors",
        "info @set",
        "tiles @scene.tif --roads @roads.gpkg -o @out --size 64 --overlap 16 --model @stub.safetensors",
        "evaluate @set --model @stub.safetensors --report @out",
        "train @set --dry-run --set model.encoder_weights=none",
        "score @roads.gpkg @roads.gpkg --explain @out.gpkg",
        "view @roads.gpkg -o @out.html",
    ],
)
def test_18_no_command_prints_what_a_terminal_would_obey(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("inference.select", "walk.prepared"):
        monkeypatch.setattr(f"georoads.{module}.open_runtime", lambda *arguments: BrightIsRoad())
    named = {w: tmp_path / f"\x1b[2J\x9b0m\r{w[1:]}" for w in [*words.split(), "@roads.gpkg"] if w[0] == "@"}
    for word, path in named.items():
        if word == "@scene.tif":
            draw_mask(path)
        elif word == "@set":
            draw_pairs(path, list("abcd"), index="name,gsd_m\na,0.5\nb,0.5\nc,0.5\nd,0.5\n")
        elif word == "@stub.safetensors":
            card = ModelCard("stub", ModelConfig(), (0.5,) * 3, (0.5,) * 3, 0.5, 64, 16, 0.5)
            save_checkpoint(tmp_path, path.stem, {}, card)
        elif word == "@roads.gpkg":
            mask = draw_mask(tmp_path / "mask.tif")
            assert typed("vectorize", mask, "-o", path, "-q").code == 0
    ended = typed(*(named.get(word, word) for word in words.split()))
    assert ended.code == 0, ended.err
    escaped = "\\u001b[2J\\u009b0m\\r" if words.startswith("train") else "\\x1b[2J\\x9b0m\\r"
    assert escaped in ended.out + ended.err  # train prints JSON
    assert all(line.isprintable() for line in (ended.out + ended.err).split("\n"))


# 50: nobody reads our output


@POSIX
@pytest.mark.parametrize("words", ["models", "--help", "extract --help", f"models {SHIPPED_DEFAULT}"])
def test_50_a_reader_that_leaves_ends_the_command_quietly(words: str) -> None:
    reader, writer = os.pipe()
    os.close(reader)  # as when head has seen enough, but without its haste
    command = [sys.executable, "-m", "georoads", *words.split()]
    ended = subprocess.run(command, cwd=ROOT, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert (ended.returncode, ended.stderr) == (141, "")


@POSIX
def test_50_head_takes_its_line(tmp_path: Path) -> None:
    command = f"{sys.executable} -m georoads models | head -1"
    shown = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True, check=False)
    assert shown.stdout.count("\n") == 1 and shown.stdout.startswith(f"{SHIPPED_DEFAULT}: ")
    assert shown.stderr == ""


# 56: locale, time zone, home, caches


@pytest.fixture(scope="module")
def usual(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """A mask, and what ``georoads vectorize`` makes of it in this process."""
    mask = draw_mask(tmp_path_factory.mktemp("mask") / "mask.tif")
    folder = tmp_path_factory.mktemp("usual")
    for name in ("roads.gpkg", "roads.geojson"):
        assert typed("vectorize", mask, "-o", folder / name).code == 0
    return mask, contents(folder)


SURROUNDINGS: dict[str, dict[str, Any]] = {
    "C": {
        "LANG": "C",
        "LC_ALL": "C",
        "PYTHONUTF8": "0",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONIOENCODING": "ascii",
        "TZ": "Asia/Kathmandu",
    },
    "German": {"LANG": "de_DE.UTF-8", "LC_ALL": "de_DE.UTF-8", "LC_NUMERIC": "de_DE.UTF-8", "TZ": "<-12>12"},
    "no home": {
        "HOME": None,
        "XDG_CACHE_HOME": "/proc/none",
        "MPLCONFIGDIR": "/proc/none",
        "NUMBA_CACHE_DIR": "/proc/none",
        "GEOROADS_CACHE": "/proc/none",
    },
    "a home that is a file": {"HOME": os.devnull, "XDG_CACHE_HOME": None, "TMPDIR": "."},
}


@POSIX
@pytest.mark.parametrize("name", SURROUNDINGS)
def test_56_the_same_bytes_wherever_it_runs(
    name: str, usual: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    mask, expected = usual
    output = "roads.geojson" if name == "C" else "roads.gpkg"  # numbers as text, and as bytes
    ended = run("vectorize", mask, "-o", output, cwd=tmp_path, **SURROUNDINGS[name])
    assert ended.returncode == 0, ended.stderr
    assert contents(tmp_path) == {output: expected[output]}


def test_56_a_comma_as_decimal_sign_changes_nothing(
    usual: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    mask, expected = usual
    before = locale.setlocale(locale.LC_ALL)
    for name in ("de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "German_Germany.1252", "de_DE"):
        try:
            locale.setlocale(locale.LC_ALL, name)
        except locale.Error:
            continue
        break
    else:
        pytest.skip("no locale with a comma is installed")
    try:
        assert locale.localeconv()["decimal_point"] == ","
        assert typed("vectorize", mask, "-o", tmp_path / "roads.gpkg").code == 0
        assert typed("vectorize", mask, "-o", tmp_path / "roads.geojson").code == 0
    finally:
        locale.setlocale(locale.LC_ALL, before)
    assert contents(tmp_path) == expected


def test_56_signs_that_a_terminal_lacks_are_escaped(tmp_path: Path) -> None:
    draw_mask(tmp_path / "m.tif")
    assert typed("vectorize", tmp_path / "m.tif", "-o", tmp_path / "≥.gpkg").code == 0
    ended = run("score", "≥.gpkg", "≥.gpkg", cwd=tmp_path, encoding="cp1252", PYTHONIOENCODING="cp1252")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.startswith("\\u2265.gpkg") and "° between nodes" in ended.stdout


def test_56_code_is_compiled_where_no_cache_can_be() -> None:
    # Numba finds no place for a function that comes from no file, as where no folder can be written.
    made: dict[str, Any] = {}
    exec("def twice(x):\n    return 2 * x\n", made)
    assert compiled(made["twice"])(21) == 42
