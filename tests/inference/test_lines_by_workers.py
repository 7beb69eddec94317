"""Lines that workers trace, on an engine that pickles but stays in this process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from in_process import InProcessEngine, InProcessPool

from georoads.errors import SceneError
from georoads.grid import Grid, Window
from georoads.inference import raster as rasters
from georoads.inference.raster import ProbabilityRaster
from georoads.inference.raster_file import write_raster
from georoads.network.params import VectorizeParams
from georoads.network.vectorize import trace_network
from georoads.scene.guard import find_raster
from georoads.workers import pool_map
from georoads.workers.pool_map import PickledFunction, PoolMap

SIDE, BLOCK = 256, 32


@pytest.fixture
def raster(tmp_path: Path) -> Path:
    """Roads that cross, one with a faint gap, and a corner without data; 64 blocks of 32 px."""
    level = np.full((SIDE, SIDE), 20, dtype=np.uint8)
    level[60:70] = level[:, 120:132] = level[180:188, 20:240] = 240
    level[180:188, 60:75] = 110
    level[200:, 200:] = 255
    grid = Grid("EPSG:32647", Affine(1, 0, 500_000, 0, -1, 1_500_000), SIDE, SIDE)
    path = tmp_path / "p.tif"
    write_raster(path, grid, [(Window(0, 0, SIDE, SIDE), lambda: level)], {})
    return path


@pytest.fixture
def pool() -> Iterator[InProcessPool[Any, Any]]:
    with InProcessEngine().start(PickledFunction(b"N.")) as opened:  # None, pickled
        yield opened


def trace(path: Path, parallel_map: Any) -> list[bytes]:
    with ProbabilityRaster(path) as opened:
        network = trace_network(
            opened.read, opened.grid, VectorizeParams(), block_px=BLOCK, parallel_map=parallel_map
        )
    assert network.n_edges > 4
    return [network.node_xy.tobytes(), network.points.tobytes(), network.confidence.tobytes()]


@pytest.fixture
def openings(raster: Path, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The times that the raster has been looked for."""
    found: list[Any] = []

    def counted(path: Path) -> Any:
        found.append(path)
        return find_raster(path)

    monkeypatch.setattr(rasters, "find_raster", counted)
    monkeypatch.setattr(pool_map, "MIN_ITEMS", 2)
    return found


def test_they_are_those_of_this_process(
    raster: Path, pool: InProcessPool[Any, Any], openings: list[Any]
) -> None:
    expected = trace(raster, map)
    openings.clear()
    assert trace(raster, PoolMap(pool)) == expected
    assert len(openings) > 1


def test_where_workers_do_not_see_the_raster_this_process_traces(
    raster: Path, pool: InProcessPool[Any, Any], openings: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    def found_once(path: Path) -> Any:
        if openings:
            raise SceneError(f"{path} does not exist")
        openings.append(path)
        return find_raster(path)

    expected = trace(raster, map)
    openings.clear()
    monkeypatch.setattr(rasters, "find_raster", found_once)
    assert trace(raster, PoolMap(pool)) == expected
    assert pool.kind == "unable"


def test_another_raster_in_its_place_is_not_taken(raster: Path) -> None:
    with ProbabilityRaster(raster) as opened:
        again, what = opened.__reduce__()
        again(*what).__exit__(None, None, None)
        raster.write_bytes(raster.read_bytes() + b" ")
        with pytest.raises(SceneError, match="another file here"):
            again(*what)
