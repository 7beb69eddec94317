"""Several scenes seen as one: side by side, overlapping, in other zones."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from drawn_rasters import north_up, write_raster
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import Transformer

from georoads.errors import SceneError
from georoads.grid import Grid, Window
from georoads.scene.mosaic import Mosaic, MosaicReader, common_grid, open_reader, open_scenes
from georoads.scene.open import open_scene
from georoads.scene.read import SceneReader
from georoads.scene.scene import SceneParams

STEP = 0.3  # not a binary fraction: corners agree but for the last digits
WEST, NORTH = 499_900.0, 1_500_000.0


def whole(height: int = 300, width: int = 500) -> np.ndarray:
    return np.random.default_rng(7).integers(40, 220, (3, height, width)).astype(np.uint8)


def save(
    path: Path, values: np.ndarray, row: int, col: int, crs: str = "EPSG:32647", **profile: object
) -> Path:
    """A part of the whole, which begins at a row and column of it."""
    place = north_up(STEP, WEST + col * STEP, NORTH - row * STEP)
    return write_raster(path, values, place, crs, **profile)


PARTS = {"a.tif": (0, 0, 300, 260), "b.tif": (0, 200, 180, 300), "c.tif": (150, 230, 150, 270)}
NATIVE = SceneParams(gsd="native")


@pytest.fixture(scope="module")
def parts(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder, values = tmp_path_factory.mktemp("parts"), whole()
    return [
        save(folder / name, values[:, row : row + height, col : col + width], row, col)
        for name, (row, col, height, width) in PARTS.items()
    ]


@settings(max_examples=25, deadline=None)
@given(order=st.permutations([0, 1, 2]), row=st.integers(0, 240), col=st.integers(0, 400))
def test_parts_of_a_scene_are_read_as_the_scene(
    parts: list[Path], order: list[int], row: int, col: int
) -> None:
    mosaic = open_scenes([parts[i] for i in order], NATIVE)
    grid = common_grid(mosaic, 0.5, NATIVE)
    assert (grid.height, grid.width) == (300, 500)
    with open_reader(mosaic, grid) as reader:
        rgb, valid = reader.read(Window(row, col, 60, 100))
    assert valid.all()
    assert (rgb == whole()[:, row : row + 60, col : col + 100]).all()


def test_the_first_scene_that_is_valid_wins(tmp_path: Path) -> None:
    dark, light = np.full((3, 50, 60), 60, np.uint8), np.full((3, 50, 60), 200, np.uint8)
    dark[:, 20:30] = 0
    paths = [save(tmp_path / "d.tif", dark, 0, 0, nodata=0), save(tmp_path / "l.tif", light, 10, 30)]
    params = SceneParams(gsd="native", rescale=(0.0, 255.0))
    for order in (paths, paths[::-1]):
        mosaic = open_scenes(order, params)
        with open_reader(mosaic, common_grid(mosaic, 0.5, params)) as reader:
            rgb, valid = reader.read(Window(0, 0, 60, 90))
        both = rgb[0, 10:50, 30:60]  # where they overlap
        seen = np.unique(both[:10]), np.unique(both[10:20])
        first = rgb[0, 0, 0] if order is paths else rgb[0, 55, 80]
        assert seen[0].tolist() == [first]
        assert seen[1].tolist() == [rgb[0, 55, 80]]  # where the dark one is not valid
        assert not valid[20:30, :30].any()
        assert not valid[50:, :30].any()


def test_a_scene_of_another_zone_lies_where_it_is(tmp_path: Path) -> None:
    """The meridian between zones 47 and 48, 102° E."""
    east, north = 823_900.0, 1_500_000.0
    there = Transformer.from_crs("EPSG:32647", "EPSG:32648", always_xy=True).transform(east, north)
    picture = np.full((3, 200, 200), 120, np.uint8)
    for name, crs, (x, y) in (("w", "EPSG:32647", (east, north)), ("e", "EPSG:32648", there)):
        profile = {"driver": "GTiff", "width": 200, "height": 200, "count": 3, "dtype": "uint8"}
        transform = Affine(0.5, 0, x - 50, 0, -0.5, y + 50)
        with rasterio.open(tmp_path / f"{name}.tif", "w", crs=crs, transform=transform, **profile) as out:
            marked = picture.copy()
            marked[:, 98:102, 98:102] = 250  # on the same ground
            out.write(marked)
    params = SceneParams(rescale=(0.0, 255.0))
    paths = [tmp_path / "w.tif", tmp_path / "e.tif"]
    mosaic = open_scenes(paths[::-1], params)
    assert isinstance(mosaic, Mosaic)
    grid = common_grid(mosaic, 0.5, params)
    assert "48" in grid.crs
    marks = []
    for member in mosaic.members:
        with MosaicReader(Mosaic((member,)), grid) as reader:
            rgb, valid = reader.read(grid.window)
        assert 0.9 * 200**2 < valid.sum() < 1.1 * 200**2
        rows, cols = np.nonzero(rgb[0] > 0.9 * rgb[0].max())
        marks.append((rows.mean(), cols.mean()))
    assert math.dist(*marks) < 1.0


def test_what_cannot_be_one_is_refused(parts: list[Path], tmp_path: Path) -> None:
    with pytest.raises(SceneError, match="twice"):
        open_scenes([parts[0], parts[0].parent / "." / "a.tif"], NATIVE)
    far = save(tmp_path / "far.tif", whole(20, 20), 3_000_000, 3_000_000)
    with pytest.raises(SceneError, match="the scenes span"):
        common_grid(open_scenes([parts[0], far], NATIVE), 0.5, NATIVE)


def test_a_grid_of_the_scenes_own_pixels_is_read_without_resampling(parts: list[Path]) -> None:
    scene = open_scene(parts[1], NATIVE)
    moved = Grid(scene.grid.crs, scene.grid.transform * Affine.translation(1e-6, -1e-6), 300, 180)
    with SceneReader(scene, moved) as reader:
        assert (reader.read(moved.window)[0] == whole()[:, :180, 200:]).all()
