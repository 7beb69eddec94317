"""The predictor: tiled equals whole, and the raster says what it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from drawn_rasters import write_raster
from stub import REACH, LocalRuntime, checkpoint

from georoads.errors import GeoroadsError
from georoads.inference.local import LocalPredictor
from georoads.inference.predict import predict_raster
from georoads.inference.raster import ProbabilityRaster
from georoads.model.checkpoint import Checkpoint
from georoads.scene.open import open_scene
from georoads.scene.scene import Scene


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    values = np.random.default_rng(5).integers(60, 190, (3, 210, 333)).astype(np.uint8)
    values[:, 120:180, 40:130] = 0
    return open_scene(write_raster(tmp_path / "scene.tif", values, nodata=0))


def levels(path: Path) -> np.ndarray:
    with rasterio.open(path) as raster:
        return np.asarray(raster.read(1))


def predict(scene: Scene, model: Checkpoint, out: Path, runtime: LocalRuntime | None = None) -> None:
    """Write the raster, whose work lies beside it."""
    predictor = LocalPredictor(runtime or LocalRuntime(), io_threads=3)
    predict_raster(scene, scene.grid, model, predictor, raster=out, work=out.with_suffix(".work"))


@pytest.mark.parametrize("tile", [64, 96, 128])
def test_tiled_equals_whole(scene: Scene, tmp_path: Path, tile: int) -> None:
    overlap = 4 * REACH
    predict(scene, checkpoint(384, overlap), tmp_path / "whole.tif")
    predict(scene, checkpoint(tile, overlap), tmp_path / "tiled.tif")
    # South and east of the scene the tiles end at different places, and zero padding begins there.
    inside = slice(0, -REACH), slice(0, -REACH)
    assert (levels(tmp_path / "whole.tif")[inside] == levels(tmp_path / "tiled.tif")[inside]).all()


def test_nodata_stays_nodata_and_the_tags_say_what_it_is(scene: Scene, tmp_path: Path) -> None:
    out = tmp_path / "p.tif"
    predict(scene, checkpoint(64, 16), out)
    invalid = np.zeros((210, 333), dtype=bool)
    invalid[120:180, 40:130] = True
    assert ((levels(out) == 255) == invalid).all()
    with rasterio.open(out) as raster:
        assert raster.scales == (1 / 254,)
        assert raster.descriptions == ("road_probability",)
        assert raster.nodata == 255
        assert raster.tags()["GEOROADS_TILE"] == "64"
        assert raster.profile["blockxsize"] == 512


def test_resume_with_another_model_is_refused(scene: Scene, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        predict(scene, checkpoint(64, 16), tmp_path / "p.tif", LocalRuntime(2))
    with pytest.raises(GeoroadsError, match="tile"):
        predict(scene, checkpoint(96, 16), tmp_path / "p.tif")


@pytest.mark.parametrize("nodata", [None, 0])
@pytest.mark.parametrize("full", [1, 255])
def test_anyones_mask_is_read_as_levels(tmp_path: Path, full: int, nodata: int | None) -> None:
    mask = np.zeros((40, 50), dtype=np.uint8)
    mask[10:14] = full
    path = write_raster(tmp_path / "mask.tif", mask[None], nodata=nodata)
    with ProbabilityRaster(path) as raster:
        assert (raster.read(raster.grid.window) == np.where(mask > 0, 254, 0)).all()
        assert len(raster.messages) == (nodata == 0)
