"""Threads that read one scene: the pixels of one thread, each block once, a handle each, the same errors."""

from __future__ import annotations

import time
import warnings
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from threading import Lock, Semaphore
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from drawn_rasters import north_up, write_raster
from numpy.typing import NDArray
from rasterio.shutil import copy

from georoads.errors import SceneError
from georoads.grid import Grid, Window
from georoads.inference.tiles import TilePlan
from georoads.scene import read
from georoads.scene.mosaic import AnyScene, common_grid, open_reader, open_scenes
from georoads.scene.native import read_native
from georoads.scene.open import open_scene
from georoads.scene.read import SceneReader
from georoads.scene.scene import Scene, SceneParams
from georoads.scene.working_grid import working_grid
from georoads.workers.threads import Threads

SHAPE = 1300, 1500
Read = tuple[NDArray[np.uint8], NDArray[np.bool_]]


@pytest.fixture(scope="module")
def picture() -> NDArray[np.uint8]:
    """Noise with a hole."""
    values = np.random.default_rng(4).integers(60, 190, (3, *SHAPE)).astype(np.uint8)
    values[:, 200:590, 300:450] = 0
    return values


def tiles(reader: Any, grid: Grid, threads: int) -> Iterator[Read]:
    """All tiles of a grid, read in their order; what is not needed any more is let go of."""
    plan = TilePlan(grid.height, grid.width, 448, 128)
    windows = [plan.window(i).intersect(grid.window) for i in range(len(plan))]
    for i, tile in enumerate(Threads(threads)(reader.read, windows)):
        reader.forget(*plan.needed_from(i))
        yield tile


def read_all(scene: AnyScene, grid: Grid, threads: int) -> list[Read]:
    with open_reader(scene, grid, threads=threads) as reader:
        return list(tiles(reader, grid, threads))


def assert_same(some: list[Read], others: list[Read]) -> None:
    for (rgb, valid), (rgb_2, valid_2) in zip(some, others, strict=True):
        assert (rgb == rgb_2).all()
        assert (valid == valid_2).all()


LAYOUTS: dict[str, dict[str, Any]] = {
    "blocks": {"tiled": True, "blockxsize": 128, "blockysize": 128, "compress": "deflate"},
    "planes": {"tiled": True, "blockxsize": 256, "blockysize": 256, "interleave": "band"},
    "strips": {"compress": "deflate", "blockysize": 16},
    "one strip": {"compress": "deflate", "blockysize": 1300},
    "one strip of lines": {"blockysize": 1300},
}


@pytest.mark.parametrize("threads", [2, 5])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_pixels_are_those_of_one_thread_and_each_block_is_decoded_once(
    tmp_path: Path, picture: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch, layout: str, threads: int
) -> None:
    scene = open_scene(write_raster(tmp_path / "a.tif", picture, nodata=0, **LAYOUTS[layout]))
    expected = read_all(scene, scene.grid, 1)
    decoded: list[Window] = []
    busy: Counter[int] = Counter()
    handles: set[int] = set()
    lock = Lock()

    def watched(source: Any, scene: Scene, window: Window) -> Any:
        with lock:
            decoded.append(window)
            handles.add(id(source))
            busy[id(source)] += 1
            assert busy[id(source)] == 1, "two threads use one handle"
        time.sleep(0.005)
        pixels = read_native(source, scene, window)
        with lock:
            busy[id(source)] -= 1
        return pixels

    monkeypatch.setattr(read, "read_native", watched)
    assert_same(read_all(scene, scene.grid, threads), expected)
    times = np.zeros(SHAPE, dtype=int)
    for window in decoded:
        times[window.slices] += 1
    assert (times == 1).all()
    # Where a block is larger than what is asked for at once, several handles would decode it again.
    assert 1 <= len(handles) <= (1 if layout == "one strip" else threads)
    assert len(handles) > 1 or layout == "one strip"


@pytest.mark.parametrize("step_m", [0.3, 1.0])
def test_resampled_pixels_are_those_of_one_thread(
    tmp_path: Path, picture: NDArray[np.uint8], step_m: float
) -> None:
    path = write_raster(tmp_path / "a.tif", picture, north_up(step_m), nodata=0, **LAYOUTS["blocks"])
    scene = open_scene(path)
    grid = working_grid(scene, 0.5).crop(Window(0, 0, 500, 600))
    assert_same(read_all(scene, grid, 4), read_all(scene, grid, 1))


def test_resampling_takes_no_more_memory_than_it_may(
    tmp_path: Path, picture: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = open_scene(write_raster(tmp_path / "a.tif", picture, north_up(0.3), nodata=0))
    grid = working_grid(scene, 0.5).crop(Window(0, 0, 500, 600))
    monkeypatch.setattr(read, "WARP_BYTES", 1)  # one at a time
    together: list[int] = []
    with SceneReader(scene, grid, threads=4) as reader:
        plain = reader._read_warped

        def watched(window: Window) -> Read:
            together.append(1)
            assert len(together) == 1
            time.sleep(0.005)
            done = plain(window)
            together.pop()
            return done

        monkeypatch.setattr(reader, "_read_warped", watched)
        assert len(list(tiles(reader, grid, 4))) == 4


def test_pixels_of_another_crs_are_those_of_one_thread(tmp_path: Path, picture: NDArray[np.uint8]) -> None:
    scene = open_scene(write_raster(tmp_path / "a.tif", picture, nodata=0, **LAYOUTS["blocks"]))
    lon, lat = scene.grid.to_lonlat(scene.grid.corners_px).mean(axis=0)
    degrees = Grid("EPSG:4326", Affine(5e-6, 0, lon - 2e-3, 0, -5e-6, lat + 2e-3), 520, 500)
    found = read_all(scene, degrees, 4)
    assert np.mean([valid.mean() for _, valid in found]) > 0.5
    assert_same(found, read_all(scene, degrees, 1))


def test_scenes_beside_each_other_are_read_as_by_one_thread(
    tmp_path: Path, picture: NDArray[np.uint8]
) -> None:
    paths = [
        write_raster(tmp_path / f"{i}.tif", picture, north_up(0.5, 500_000 + 400 * i), nodata=0)
        for i in range(3)
    ]
    params = SceneParams(gsd="native")
    mosaic = open_scenes(paths, params)
    grid = common_grid(mosaic, 0.5, params)
    assert_same(read_all(mosaic, grid, 4), read_all(mosaic, grid, 1))


@pytest.mark.parametrize("name", ["a.vrt", "a.png", "masked.tif"])
def test_what_only_one_thread_decodes_is_read_by_several(
    tmp_path: Path, picture: NDArray[np.uint8], name: str
) -> None:
    source = write_raster(tmp_path / "masked.tif", picture, compress="deflate")
    if name == "masked.tif":
        mask = np.where(picture.any(axis=0), 255, 0).astype(np.uint8)[None]
        write_raster(tmp_path / "masked.tif.msk", mask, compress="deflate")
    else:
        with rasterio.Env(GDAL_PAM_ENABLED="NO"):
            copy(source, tmp_path / name, driver=name[2:].upper(), WORLDFILE="YES")
    params = SceneParams(gsd="native", allow_vrt=True, assume_crs="EPSG:32647")
    scene = open_scene(tmp_path / name, params)
    expected = read_all(scene, scene.grid, 1)
    assert_same(read_all(scene, scene.grid, 3), expected)
    with SceneReader(scene, scene.grid, threads=3) as reader:
        assert len(list(tiles(reader, scene.grid, 3))) == len(expected)
        assert reader._handles._opened == 1
    assert (name == "masked.tif") == any(not valid.all() for _, valid in expected)


def test_a_nodata_value_beside_an_alpha_band_makes_no_thread_warn(
    tmp_path: Path, picture: NDArray[np.uint8]
) -> None:
    seen = np.where(picture.any(axis=0), 255, 0).astype(np.uint8)[None]
    values = np.concatenate([picture, seen])
    scene = open_scene(write_raster(tmp_path / "a.tif", values, nodata=0, alpha="yes", **LAYOUTS["blocks"]))
    before = list(warnings.filters)  # those of pytest: every warning is an error
    found = read_all(scene, scene.grid, 4)
    assert list(warnings.filters) == before
    assert_same(found, read_all(scene, scene.grid, 1))


def test_a_scene_that_is_passed_stays_open_while_it_is_read(
    tmp_path: Path, picture: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Damaged tiles that are done again may come behind later ones."""
    paths = [write_raster(tmp_path / f"{i}.tif", picture, nodata=0) for i in range(2)]
    params = SceneParams(gsd="native")
    mosaic = open_scenes(paths, params)
    grid = common_grid(mosaic, 0.5, params)
    with open_reader(mosaic, grid, threads=2) as reader:

        def passed_meanwhile(source: Any, scene: Scene, window: Window) -> Any:
            reader.forget(grid.height, grid.width)
            return read_native(source, scene, window)

        monkeypatch.setattr(read, "read_native", passed_meanwhile)
        rgb, valid = reader.read(Window(0, 0, 100, 100))
        assert valid.all()
        assert (rgb == picture[:, :100, :100]).all()
        monkeypatch.undo()
        assert (reader.read(Window(500, 0, 100, 100))[0] == picture[:, 500:600, :100]).all()


@pytest.mark.parametrize("threads", [1, 4])
def test_the_first_tile_that_cannot_be_read_is_named(
    tmp_path: Path, picture: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    scene = open_scene(write_raster(tmp_path / "a.tif", picture, nodata=0, **LAYOUTS["blocks"]))

    def torn(source: Any, scene: Scene, window: Window) -> Any:
        if window.row + window.col > 0:
            time.sleep(0 if window.row else 0.02)  # the later one fails first
            raise SceneError(f"row {window.row}, column {window.col}", "copy it again")
        return read_native(source, scene, window)

    monkeypatch.setattr(read, "read_native", torn)
    with pytest.raises(SceneError, match="row 0, column 512"):
        read_all(scene, scene.grid, threads)


def test_where_no_more_files_may_be_open_threads_wait(tmp_path: Path, picture: NDArray[np.uint8]) -> None:
    scene = open_scene(write_raster(tmp_path / "a.tif", picture, nodata=0, **LAYOUTS["blocks"]))
    spare = Semaphore(1)
    with SceneReader(scene, scene.grid, threads=4, spare=spare) as reader:
        found = list(tiles(reader, scene.grid, 4))
        assert reader._handles._opened <= 2
    assert_same(found, read_all(scene, scene.grid, 1))
    assert spare.acquire(blocking=False)  # given back
