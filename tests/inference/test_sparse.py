"""Empty ground costs nothing: what a sparse file lacks is neither read nor predicted nor kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from drawn_rasters import write_raster
from numpy.typing import NDArray
from stub import LocalRuntime, checkpoint

from georoads.grid import Window
from georoads.inference.local import LocalPredictor
from georoads.inference.mask_params import MaskParams
from georoads.inference.predict import predict_raster
from georoads.inference.raster import ProbabilityRaster
from georoads.inference.tiles import TilePlan
from georoads.network.params import VectorizeParams
from georoads.network.vectorize import trace_network
from georoads.scene import read
from georoads.scene.open import open_scene

SIDE, TILE, OVERLAP = 2048, 128, 32
GROUND = Window(1100, 300, 150, 420)
TILED: dict[str, Any] = {"tiled": True, "blockxsize": 128, "blockysize": 128, "compress": "deflate"}


@pytest.fixture
def picture() -> NDArray[np.uint8]:
    """A small stretch of noise on wide empty ground."""
    values = np.zeros((3, SIDE, SIDE), np.uint8)
    rng = np.random.default_rng(3)
    values[(slice(None), *GROUND.slices)] = rng.integers(60, 190, (3, GROUND.height, GROUND.width))
    return values


def predict(scene: Path, out: Path) -> list[int]:
    """Predict a scene; the tiles that the reader asked for."""
    opened = open_scene(scene)
    asked: list[int] = []
    plan = TilePlan(SIDE, SIDE, TILE, OVERLAP)
    index = {plan.window(i).intersect(opened.grid.window): i for i in range(len(plan))}

    class Watched(read.SceneReader):
        def read(self, window: Window) -> read.RgbPixels:
            asked.append(index[window])
            return super().read(window)

    predictor = LocalPredictor(LocalRuntime(batch=3), reader=Watched(opened, opened.grid))
    model = checkpoint(TILE, OVERLAP)
    predict_raster(opened, opened.grid, model, predictor, raster=out, work=out.with_suffix(".work"))
    return asked


def test_a_sparse_scene_gives_the_bytes_of_a_dense_one_and_reads_only_what_it_holds(
    picture: NDArray[np.uint8], tmp_path: Path
) -> None:
    dense = write_raster(tmp_path / "dense.tif", picture, nodata=0, **TILED)
    sparse = write_raster(tmp_path / "sparse.tif", picture, nodata=0, SPARSE_OK=True, **TILED)
    everything, asked = predict(dense, tmp_path / "d.tif"), predict(sparse, tmp_path / "s.tif")
    assert len(everything) == len(TilePlan(SIDE, SIDE, TILE, OVERLAP))
    assert set(asked) < set(everything)
    assert len(asked) < len(everything) / 5
    lines = (tmp_path / "s.work" / "ledger.jsonl").read_text().splitlines()[1:]
    named = [b for line in lines for b in json.loads(line)["batches"]]
    assert sum(len(b["tiles"]) + len(b["empty"]) for b in named) == len(asked)
    with rasterio.open(tmp_path / "d.tif") as one, rasterio.open(tmp_path / "s.tif") as other:
        assert (one.read() == other.read()).all()
        assert (one.read() < 255).any()


def test_a_scene_without_a_block_asks_for_nothing(tmp_path: Path) -> None:
    empty = write_raster(
        tmp_path / "e.tif", np.zeros((3, SIDE, SIDE), np.uint8), nodata=0, SPARSE_OK=True, **TILED
    )
    assert predict(empty, tmp_path / "p.tif") == []
    with rasterio.open(tmp_path / "p.tif") as raster:
        assert (raster.read() == 255).all()


def levels() -> NDArray[np.uint8]:
    """A road that leads through nodata's middle, and nodata around."""
    drawn = np.full((SIDE, SIDE), 255, np.uint8)
    drawn[GROUND.slices] = 0
    drawn[1160:1172, 300:720] = 254
    return drawn


def test_lines_are_traced_without_reading_what_is_not_there(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "p.tif", levels()[None], nodata=255, SPARSE_OK=True, **TILED)
    blocks: list[Window] = []
    with ProbabilityRaster(path, MaskParams(road=254)) as raster:

        def watched(window: Window) -> NDArray[np.uint8]:
            blocks.append(window)
            return raster.read(window)

        params = VectorizeParams()
        thrifty = trace_network(watched, raster.grid, params, block_px=128, holds=raster.holds)
        assert max(w.size for w in blocks) <= 400 * 400
        assert all(w.pad(200).intersect(GROUND).size for w in blocks)
        whole = trace_network(raster.read, raster.grid, params, block_px=128)
    assert thrifty.n_edges == whole.n_edges == 1
    assert (thrifty.line(0) == whole.line(0)).all()


@pytest.mark.parametrize("nodata", [None, 0])
def test_blocks_that_a_mask_lacks_are_ground_where_nothing_says_nodata(
    tmp_path: Path, nodata: int | None
) -> None:
    mask = (levels() == 254).astype(np.uint8)
    path = write_raster(tmp_path / "m.tif", mask[None], nodata=nodata, SPARSE_OK=True, **TILED)
    with ProbabilityRaster(path) as raster:
        corner = Window(0, 0, 64, 64)
        assert raster.holds(corner)
        assert (raster.read(corner) == 0).all()
