"""The shipped model on a drawn scene: predict, stop, resume, extract."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from stub import LocalRuntime

from georoads import walk
from georoads.inference.select import PredictParams
from georoads.model.card import ModelCard
from georoads.model.checkpoint import Checkpoint, find_checkpoint
from georoads.model.config import ModelConfig
from georoads.network.params import VectorizeParams
from georoads.output.read import read_roads
from georoads.scene.scene import SceneParams
from georoads.walk import extract, predict


@pytest.fixture
def scene(tmp_path: Path) -> Path:
    rng = np.random.default_rng(1)
    picture = rng.normal(80, 8, (3, 700, 1100))
    picture[:, 340:356] = 150
    picture[:, :, 500:514] = 150
    path = tmp_path / "field.tif"
    profile = {"driver": "GTiff", "width": 1100, "height": 700, "count": 3, "dtype": "uint8", "nodata": 0}
    transform = Affine(0.5, 0, 500_000, 0, -0.5, 1_500_000)
    picture[:, :100, :100] = 0
    with rasterio.open(path, "w", crs="EPSG:32647", transform=transform, **profile) as out:
        out.write(picture.astype(np.uint8))
    return path


def test_prefetch_depth_does_not_change_a_byte(scene: Path, tmp_path: Path) -> None:
    checkpoint = find_checkpoint("default")
    for name, depth in (("a.tif", 1), ("b.tif", 4)):
        predict(scene, tmp_path / name, checkpoint, SceneParams(), PredictParams(prefetch=depth))
    assert (tmp_path / "a.tif").read_bytes() == (tmp_path / "b.tif").read_bytes()
    with rasterio.open(tmp_path / "a.tif") as raster:
        levels = raster.read(1)
    assert (levels[:100, :100] == 255).all()
    assert (levels[100:] < 255).all()


def test_extract_writes_lines_in_the_scenes_crs(scene: Path, tmp_path: Path) -> None:
    checkpoint = find_checkpoint("default")
    params = PredictParams(), VectorizeParams(threshold=checkpoint.card.threshold)
    done = extract(scene, tmp_path / "roads.gpkg", checkpoint, SceneParams(), params)
    roads = read_roads(tmp_path / "roads.gpkg")
    assert len(roads.lines) == done.roads
    assert "32647" in roads.crs or "UTM zone 47N" in roads.crs


def test_the_python_functions_are_there_when_asked_for() -> None:
    import georoads

    for name in georoads.__all__:
        assert getattr(georoads, name) is not None
    with pytest.raises(AttributeError, match="nothing_such"):
        _ = georoads.nothing_such


def test_overlapping_parts_of_a_scene_become_the_network_of_the_scene(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture = np.random.default_rng(2).normal(120, 5, (3, 480, 640)).astype(np.uint8)
    picture[:, 240:256] = picture[:, :, 300:314] = 220
    profile = {"driver": "GTiff", "count": 3, "dtype": "uint8", "crs": "EPSG:32647"}
    paths = []
    for name, first, last in (("whole", 0, 640), ("west", 0, 350), ("east", 270, 640)):
        transform = Affine(0.5, 0, 500_000 + first / 2, 0, -0.5, 1_500_000)
        paths.append(tmp_path / f"{name}.tif")
        with rasterio.open(
            paths[-1], "w", width=last - first, height=480, transform=transform, **profile
        ) as out:
            out.write(picture[:, :, first:last])
    card = ModelCard("stub", ModelConfig(), (0.5,) * 3, (0.25,) * 3, 0.5, 128, 32, 0.5)
    monkeypatch.setattr(walk, "open_runtime", lambda *_: LocalRuntime())
    params = PredictParams(), VectorizeParams()
    layers = []
    for name, scenes in (("one", paths[:1]), ("two", paths[1:]), ("back", paths[:0:-1])):
        output = tmp_path / f"{name}.gpkg"
        extract(scenes, output, Checkpoint(card, Path("stub.json")), SceneParams(), params)
        layers.append(read_roads(output).lines)
    assert len(layers[0]) >= 4
    for found in layers[1:]:
        assert shapely.equals(found, layers[0]).all()
