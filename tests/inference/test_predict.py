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
        return np.asarray(raster.read(1))


def predict(
    scene: Scene, model: Checkpoint, out: Path, runtime: LocalRuntime | None = None, prefetch: int = 2
) -> bytes:
    """The bytes of the raster, whose work lies beside it."""
    predictor = LocalPredictor(runtime or LocalRuntime(), prefetch)
    predict_raster(scene, scene.grid, model, predictor, raster=out, work=out.with_suffix(".work"))
    return out.read_bytes()


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
    with ProbabilityRaster(out) as raster:
        assert (raster.read(raster.grid.window) == levels(out)).all()


def test_interrupted_and_resumed_gives_the_same_bytes(scene: Scene, tmp_path: Path) -> None:
    model, cut = checkpoint(64, 16), tmp_path / "cut.tif"
    whole = predict(scene, model, tmp_path / "whole.tif", LocalRuntime(batch=2), prefetch=1)
    for stop in (3, 5):
        with pytest.raises(KeyboardInterrupt):
            predict(scene, model, cut, LocalRuntime(stop, batch=2), prefetch=4)
        assert not cut.exists()
    rest = LocalRuntime(batch=2)
    assert predict(scene, model, cut, rest, prefetch=4) == whole
    assert rest.calls < 15  # what was finished was not done again


def test_damaged_tiles_are_done_again(scene: Scene, tmp_path: Path) -> None:
    model, cut = checkpoint(64, 16), tmp_path / "cut.tif"
    with pytest.raises(KeyboardInterrupt):
        predict(scene, model, cut, LocalRuntime(10))
    raw = tmp_path / "cut.work" / "tiles.raw"
    content = bytearray(raw.read_bytes())
    content[3 * 64 * 64 + 7] ^= 0xFF
    raw.write_bytes(content)
    with (tmp_path / "cut.work" / "ledger.jsonl").open("a") as ledger:
        ledger.write('{"batch": 11, "ti')  # the line that a power cut tore
    assert predict(scene, model, cut) == predict(scene, model, tmp_path / "whole.tif")


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
    path = tmp_path / "mask.tif"
    profile = {"driver": "GTiff", "width": 50, "height": 40, "count": 1, "dtype": "uint8", "nodata": nodata}
    with rasterio.open(
        path, "w", crs="EPSG:32647", transform=Affine(1, 0, 1000, 0, -1, 2000), **profile
    ) as out:
        out.write(mask, 1)
    with ProbabilityRaster(path) as raster:
        assert (raster.read(raster.grid.window) == np.where(mask > 0, 254, 0)).all()
        assert len(raster.messages) == (nodata == 0)
