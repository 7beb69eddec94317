"""The predictor: tiled equals whole, and no interruption, prefetch depth or batch size changes a byte."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from stub import REACH, LocalRuntime

from georoads.errors import GeoroadsError
from georoads.inference.local import LocalPredictor
from georoads.inference.predict import predict_raster
from georoads.inference.raster import ProbabilityRaster
from georoads.model.card import ModelCard
from georoads.model.checkpoint import Checkpoint
from georoads.model.config import ModelConfig
from georoads.scene.open import open_scene
from georoads.scene.scene import Scene


def checkpoint(tile: int, overlap: int) -> Checkpoint:
    card = ModelCard("stub", ModelConfig(), (0.5,) * 3, (0.25,) * 3, 0.5, tile, overlap, 0.5)
    return Checkpoint(card, Path("stub.json"))


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    values = np.random.default_rng(5).integers(60, 190, (3, 210, 333)).astype(np.uint8)
    values[:, 120:180, 40:130] = 0
    path = tmp_path / "scene.tif"
    transform = Affine(0.5, 0, 500_000, 0, -0.5, 1_500_000)
    profile = {"driver": "GTiff", "width": 333, "height": 210, "count": 3, "dtype": "uint8", "nodata": 0}
    with rasterio.open(path, "w", crs="EPSG:32647", transform=transform, **profile) as out:
        out.write(values)
    return open_scene(path)


def levels(path: Path) -> np.ndarray:
    with rasterio.open(path) as raster:
        return raster.read(1)


@pytest.mark.parametrize("tile", [64, 96, 128])
def test_tiled_equals_whole(scene: Scene, tmp_path: Path, tile: int) -> None:
    overlap = 4 * REACH
    for name, side in (("whole", 384), ("tiled", tile)):
        predict_raster(
            scene, scene.grid, checkpoint(side, overlap), LocalPredictor(LocalRuntime()),
            (tmp_path / f"{name}.tif", tmp_path / f"{name}.work"),
        )  # fmt: skip
    # South and east of the scene the tiles end at different places, and zero padding begins there.
    inside = slice(0, -REACH), slice(0, -REACH)
    assert (levels(tmp_path / "whole.tif")[inside] == levels(tmp_path / "tiled.tif")[inside]).all()


def test_nodata_stays_nodata_and_the_tags_say_what_it_is(scene: Scene, tmp_path: Path) -> None:
    out = tmp_path / "p.tif"
    predictor = LocalPredictor(LocalRuntime())
    predict_raster(scene, scene.grid, checkpoint(64, 16), predictor, (out, tmp_path / "w"))
    invalid = np.zeros((210, 333), dtype=bool)
    invalid[120:180, 40:130] = True
    assert ((levels(out) == 255) == invalid).all()
    with rasterio.open(out) as raster:
        assert raster.scales == (1 / 254,)
        assert raster.descriptions == ("road_probability",)
        assert raster.nodata == 255
        assert raster.tags()["GEOROADS_TILE"] == "64"
        assert raster.profile["blockxsize"] == 512
    with ProbabilityRaster(out) as raster:
        assert (raster.read(raster.grid.window) == levels(out)).all()


def test_interrupted_and_resumed_gives_the_same_bytes(scene: Scene, tmp_path: Path) -> None:
    model = checkpoint(64, 16)
    whole, cut = tmp_path / "whole.tif", tmp_path / "cut.tif"
    first = LocalPredictor(LocalRuntime(batch=2), prefetch=1)
    predict_raster(scene, scene.grid, model, first, (whole, tmp_path / "a"))
    for stop in (3, 5, None):
        runtime = LocalRuntime(stop_after=stop, batch=2)
        try:
            predict_raster(
                scene, scene.grid, model, LocalPredictor(runtime, prefetch=4), (cut, tmp_path / "b")
            )
        except KeyboardInterrupt:
            assert not cut.exists()
    assert runtime.calls < 15  # what was finished was not done again
    assert cut.read_bytes() == whole.read_bytes()


def test_damaged_tiles_are_done_again(scene: Scene, tmp_path: Path) -> None:
    model = checkpoint(64, 16)
    whole, cut = tmp_path / "whole.tif", tmp_path / "cut.tif"
    predict_raster(scene, scene.grid, model, LocalPredictor(LocalRuntime()), (whole, tmp_path / "a"))
    with pytest.raises(KeyboardInterrupt):
        predict_raster(scene, scene.grid, model, LocalPredictor(LocalRuntime(10)), (cut, tmp_path / "b"))
    raw = tmp_path / "b" / "tiles.raw"
    content = bytearray(raw.read_bytes())
    content[3 * 64 * 64 + 7] ^= 0xFF
    raw.write_bytes(content)
    with (tmp_path / "b" / "ledger.jsonl").open("a") as ledger:
        ledger.write('{"batch": 11, "ti')  # the line that a power cut tore
    predict_raster(scene, scene.grid, model, LocalPredictor(LocalRuntime()), (cut, tmp_path / "b"))
    assert cut.read_bytes() == whole.read_bytes()


def test_resume_with_another_model_is_refused(scene: Scene, tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        predict_raster(
            scene, scene.grid, checkpoint(64, 16), LocalPredictor(LocalRuntime(2)),
            (tmp_path / "p", tmp_path / "w"),
        )  # fmt: skip
    with pytest.raises(GeoroadsError, match="tile"):
        predict_raster(
            scene, scene.grid, checkpoint(96, 16), LocalPredictor(LocalRuntime()),
            (tmp_path / "p", tmp_path / "w"),
        )  # fmt: skip


@pytest.mark.parametrize("nodata", [None, 0])
@pytest.mark.parametrize("full", [1, 255])
def test_anyones_mask_is_read_as_levels(tmp_path: Path, full: int, nodata: int | None) -> None:
    mask = np.zeros((40, 50), dtype=np.uint8)
    mask[10:14] = full
    path = tmp_path / "mask.tif"
    profile = {"driver": "GTiff", "width": 50, "height": 40, "count": 1, "dtype": "uint8", "nodata": nodata}
    with rasterio.open(
        path, "w", crs="EPSG:32647", transform=Affine(1, 0, 1000, 0, -1, 2000), **profile
    ) as out:
        out.write(mask, 1)
    with ProbabilityRaster(path) as raster:
        assert (raster.read(raster.grid.window) == np.where(mask > 0, 254, 0)).all()
        assert len(raster.messages) == (nodata == 0)
