"""predict --cog: the same pixels and tags, with overviews."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine

from georoads.grid import Grid
from georoads.inference.raster import ProbabilityRaster, with_overviews
from georoads.inference.raster_file import write_raster


def test_a_cloud_optimized_raster_has_the_same_pixels_and_overviews_of_the_valid_ones(tmp_path: Path) -> None:
    grid = Grid("EPSG:32647", Affine(0.5, 0, 500_000, 0, -0.5, 1_500_000), 1500, 1100)
    levels = np.random.default_rng(1).integers(0, 255, (1100, 1500)).astype(np.uint8)
    levels[:600, :600] = 255
    levels[:600:2, 300:600] = 100  # rows of 100 between rows of nodata
    path = tmp_path / "p.tif"
    blocks = ((w, partial(levels.__getitem__, w.slices)) for w in grid.blocks(512))
    write_raster(path, grid, blocks, {"GEOROADS_TILE": "64"})
    with_overviews(path, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["p.tif"]
    with ProbabilityRaster(path) as raster:
        assert raster.grid.transform == grid.transform
        assert (raster.read(raster.grid.window) == levels).all()
    with rasterio.open(path) as raster:
        assert raster.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert raster.tags()["GEOROADS_TILE"] == "64"
        assert (raster.scales, raster.descriptions, raster.nodata) == ((1 / 254,), ("road_probability",), 255)
        assert raster.overviews(1)[0] == 2
        half = raster.read(1, out_shape=(550, 750))
    assert (half[:300, :150] == 255).all()
    assert (half[:300, 150:300] == 100).all()
