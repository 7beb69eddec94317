"""GeoPackages that another program has open, or left with a journal. The number is that of docs/faults.md."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import numpy as np
import pytest
import rasterio
from command_line import refused, typed

from georoads.output.geopackage import finish_geopackage

ROAD_COUNT = "SELECT count(*) FROM roads"
HOLD = """
import os, sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
for statement in sys.argv[2].split(";"):
    db.execute(statement).fetchone()
print("held", flush=True)
sys.stdin.read()
os._exit(0)  # as a crash does: nothing is rolled back, no journal is taken away
"""
WAL = "PRAGMA journal_mode=WAL"
SPILL = "PRAGMA cache_size=1;PRAGMA cache_spill=1"
HELD = {
    "a reader": f"BEGIN;{ROAD_COUNT}",
    "a writer": "BEGIN IMMEDIATE;DELETE FROM roads",
    "half written": f"{SPILL};BEGIN;DELETE FROM roads;UPDATE layer_styles SET styleQML = ''",
    "WAL, idle": f"{WAL};{ROAD_COUNT}",
    "WAL, a reader": f"{WAL};BEGIN;{ROAD_COUNT}",
    "WAL, a writer": f"{WAL};BEGIN IMMEDIATE;DELETE FROM roads",
    "WAL, written": f"{WAL};DELETE FROM roads WHERE road_id = 1;BEGIN;{ROAD_COUNT}",
}


@contextmanager
def held(path: Path, statements: str) -> Iterator[None]:
    """Another process has the file open, and has done this."""
    command = [sys.executable, "-c", HOLD, str(path), statements]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield


def asked(path: Path, query: str) -> object:
    with closing(sqlite3.connect(path)) as db:
        return db.execute(query).fetchone()[0]


@pytest.fixture
def mask(tmp_path: Path) -> Path:
    """A crossroads, and beside it ``roads.gpkg`` with its four roads."""
    path = tmp_path / "m.tif"
    place = rasterio.Affine(0.5, 0, 500_000, 0, -0.5, 5_000_000)
    profile = {"driver": "GTiff", "width": 150, "height": 150, "count": 1, "dtype": "uint8"}
    roads = np.zeros((150, 150), np.uint8)
    roads[73:78, 10:140] = roads[10:140, 73:78] = 255
    with rasterio.open(path, "w", **profile, crs="EPSG:32632", transform=place) as out:
        out.write(roads, 1)
    assert typed("vectorize", path, "-o", tmp_path / "roads.gpkg").code == 0
    return path


@pytest.mark.slow
@pytest.mark.parametrize("statements", HELD.values(), ids=HELD)
def test_49_a_geopackage_that_is_open_elsewhere_stays_as_it_is(mask: Path, statements: str) -> None:
    output = mask.with_name("roads.gpkg")
    whole = output.read_bytes()
    with held(output, statements):
        wal = output.with_name("roads.gpkg-wal")
        before = output.read_bytes(), wal.read_bytes() if wal.exists() else None
        assert (WAL in statements) == (before[1] is not None)
        assert (before[0] != whole) == (WAL in statements or SPILL in statements)
        for flags in (("--overwrite",), ("--append", "--layer", "more")):
            refused(
                "vectorize", mask, "-o", output, *flags,
                says=f"{output} is open in another program (QGIS?)", hint="close the program",
            )  # fmt: skip
        refused("vectorize", mask, "-o", output, says=f"{output} exists")
        refused("score", output, output, "--explain", output, "--overwrite", says="an input")
        assert (output.read_bytes(), wal.read_bytes() if wal.exists() else None) == before
    # The other program has crashed. What it had committed is there, and what is written then is whole.
    left = 3 if "road_id = 1" in statements else 4
    done = typed("vectorize", mask, "-o", output, "--append", "--layer", "more")
    assert done.code == 0, done.err
    assert asked(output, ROAD_COUNT) == left
    assert asked(output, "SELECT count(*) FROM more") == 4
    assert asked(output, "PRAGMA integrity_check") == "ok"
    assert typed("vectorize", mask, "-o", output, "--overwrite").code == 0
    assert asked(output, ROAD_COUNT) == 4
    assert {p.name for p in mask.parent.iterdir()} == {"m.tif", "roads.gpkg"}


@pytest.mark.parametrize("flags", [("--overwrite",), ("--append", "--layer", "more")])
def test_49_a_geopackage_that_is_opened_during_the_work_stays_as_it_is(
    mask: Path, flags: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    output = mask.with_name("roads.gpkg")
    with ExitStack() as opened:

        def finish(*arguments: object) -> None:
            finish_geopackage(*arguments)  # type: ignore[arg-type]
            opened.enter_context(held(output, HELD["a reader"]))

        monkeypatch.setattr("georoads.output.write.finish_geopackage", finish)
        before = output.read_bytes()
        refused("vectorize", mask, "-o", output, *flags, says=f"{output} is open in another program")
        assert output.read_bytes() == before
        assert {p.name for p in mask.parent.iterdir()} == {"m.tif", "roads.gpkg"}


def test_49_errors_are_not_written_over_an_open_layer(mask: Path) -> None:
    roads, errors = mask.with_name("roads.gpkg"), mask.with_name("errors.gpkg")
    assert typed("score", roads, roads, "--explain", errors).code == 0
    with held(errors, f"{WAL};BEGIN IMMEDIATE"):
        before = errors.read_bytes()
        refused(
            "score", roads, roads, "--explain", errors, "--overwrite", says=f"{errors} is open in another"
        )
        assert errors.read_bytes() == before


def test_49_a_layer_that_is_open_elsewhere_can_be_read(mask: Path) -> None:
    roads = mask.with_name("roads.gpkg")
    with held(roads, HELD["WAL, a writer"]):
        done = typed("score", roads, roads, "-q", "--json", "-")
        assert done.code == 0, done.err
        assert (
            json.loads(done.out)["reference_km"] > 0.1
        )  # what the other one has not yet committed is not seen
