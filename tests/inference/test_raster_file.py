"""The raster's file: whole for GDAL, in order, and the same bytes whoever compresses."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from numpy.typing import NDArray

from georoads.grid import Grid, Window
from georoads.inference.raster import BLOCK, ProbabilityRaster
from georoads.inference.raster_file import Block, write_raster
from georoads.scene.blocks import block_offset
from georoads.workers.threads import Threads

HERE = Affine(0.5, 0, 500_000, 0, -0.5, 1_500_000)


def drawn(height: int, width: int) -> NDArray[np.uint8]:
    """Levels, without those of a block's worth of nodata."""
    levels = np.random.default_rng(1).integers(0, 256, (height, width)).astype(np.uint8)
    levels[:BLOCK, BLOCK : 2 * BLOCK] = 255
    return levels


def blocks(levels: NDArray[np.uint8], grid: Grid) -> Iterator[Block]:
    for window in grid.blocks(BLOCK):
        yield window, partial(levels.__getitem__, window.slices)


@pytest.mark.parametrize(("height", "width"), [(1300, 1700), (300, 200), (512, 1024)])
def test_gdal_reads_what_was_written(tmp_path: Path, height: int, width: int) -> None:
    grid, levels, path = Grid("EPSG:32631", HERE, width, height), drawn(height, width), tmp_path / "p.tif"
    write_raster(path, grid, blocks(levels, grid), {"SAID": "so"})
    with rasterio.open(path) as raster:
        assert (raster.read(1) == levels).all()
        assert (raster.crs.to_epsg(), raster.transform, raster.nodata) == (32631, HERE, 255)
        assert raster.tags()["SAID"] == "so"
        assert raster.descriptions == ("road_probability",)
        assert raster.scales == (1 / 254,)
        # Blocks lie in reading order, one behind the other, and nodata takes no room.
        places = [block_offset(raster, w.row // BLOCK, w.col // BLOCK, 1) for w in grid.blocks(BLOCK)]
        lacking = [bool((levels[w.slices] == 255).all()) for w in grid.blocks(BLOCK)]
        assert [place is None for place in places] == lacking
        there = [place for place in places if place is not None]
        assert there == sorted(set(there))
        profile = raster.profile
    # It is about as small as when GDAL writes it.
    with rasterio.open(tmp_path / "gdal.tif", "w", **profile | {"predictor": 2}) as out:
        out.write(levels, 1)
    assert path.stat().st_size < 1.05 * (tmp_path / "gdal.tif").stat().st_size + 2000


@pytest.mark.parametrize("threads", [2, 5])
def test_the_bytes_do_not_depend_on_the_threads(tmp_path: Path, threads: int) -> None:
    grid, levels = Grid("EPSG:32631", HERE, 1700, 1300), drawn(1300, 1700)
    one, several = tmp_path / "1.tif", tmp_path / "n.tif"
    write_raster(one, grid, blocks(levels, grid), {})
    write_raster(several, grid, blocks(levels, grid), {}, Threads(threads))
    assert one.read_bytes() == several.read_bytes()


def test_a_large_raster_is_a_bigtiff_and_holds_what_it_was_given(tmp_path: Path) -> None:
    grid, path = Grid("EPSG:32631", HERE, 100_000, 60_000), tmp_path / "p.tif"
    window = Window(117 * BLOCK, 195 * BLOCK, 96, 160)  # the last block
    assert window.row + window.height == grid.height
    assert window.col + window.width == grid.width
    levels = np.random.default_rng(1).integers(0, 255, (96, 160)).astype(np.uint8)
    write_raster(path, grid, iter([(window, lambda: levels)]), {})
    assert path.read_bytes()[2] == 43
    with ProbabilityRaster(path) as raster:
        assert (raster.read(window) == levels).all()
        assert raster.holds(window)
        assert not raster.holds(window.moved(-BLOCK, 0))
        assert (raster.read(Window(0, 0, 40, 40)) == 255).all()


def test_what_cannot_be_made_ends_the_writing(tmp_path: Path) -> None:
    grid, levels = Grid("EPSG:32631", HERE, 1700, 1300), drawn(1300, 1700)

    def torn() -> NDArray[np.uint8]:
        raise OSError(28, "No space left on device")

    def some() -> Iterator[Block]:
        yield from blocks(levels, grid)
        yield Window(0, 0, BLOCK, BLOCK), torn

    with pytest.raises(OSError, match="No space"):
        write_raster(tmp_path / "p.tif", grid, some(), {}, Threads(3))
