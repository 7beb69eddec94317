"""The example scene: drawn alike each time, its truth on its roads, its files as its README says."""

import importlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from pyproj import Geod, Transformer
from shapely.geometry import LineString

EXAMPLES = Path(__file__).parents[2] / "examples"
SMALL_PX = 512
TWO_MB = 2_000_000


@pytest.fixture(scope="module")
def drawing() -> Iterator[tuple[Any, Any]]:
    """Yield the module and a small drawing; their folder is on the path meanwhile."""
    sys.path.insert(0, str(EXAMPLES))
    try:
        module: Any = importlib.import_module("make_scene")
        yield module, module.draw_scene(SMALL_PX, seed=5)
    finally:
        sys.path.remove(str(EXAMPLES))


def dense_pixels(lines: list[Any], gsd_m: float) -> np.ndarray:
    """Return (N, 2) int rows and columns of points every 0.25 m along lines in metres from the corner."""
    points = [line.interpolate(at).coords[0] for line in lines for at in np.arange(0, line.length, 0.25)]
    return np.floor(np.array(points)[:, ::-1] / gsd_m).astype(int)


@pytest.mark.slow
def test_equal_seeds_draw_equal_pictures_and_truth(drawing: tuple[Any, Any]) -> None:
    module, first = drawing
    again = module.draw_scene(SMALL_PX, seed=5)
    assert np.array_equal(first.picture, again.picture)
    assert np.array_equal(first.road, again.road)
    assert [line.wkb for line, _ in first.truth] == [line.wkb for line, _ in again.truth]
    assert not np.array_equal(first.picture, module.draw_scene(SMALL_PX, seed=6).picture)


def test_truth_lies_on_drawn_road(drawing: tuple[Any, Any]) -> None:
    module, scene = drawing
    rows, cols = dense_pixels([line for line, _ in scene.truth], module.GSD_M).T
    inside = (rows < SMALL_PX) & (cols < SMALL_PX)
    inside[inside] = scene.valid[rows[inside], cols[inside]]
    assert inside.mean() > 0.995
    assert scene.road[rows[inside], cols[inside]].mean() >= 0.99


def test_drawn_road_lies_near_truth(drawing: tuple[Any, Any]) -> None:
    module, scene = drawing
    from scipy.ndimage import distance_transform_edt

    away = np.ones(scene.road.shape, bool)
    rows, cols = dense_pixels([line for line, _ in scene.truth], module.GSD_M).T
    away[np.minimum(rows, SMALL_PX - 1), np.minimum(cols, SMALL_PX - 1)] = False
    widest_m = max(road.width_m for _, road in scene.truth)
    assert (distance_transform_edt(away)[scene.road] * module.GSD_M).max() < widest_m / 2 + 2


def test_truth_is_cut_at_the_flight_edge_and_split_at_junctions(drawing: tuple[Any, Any]) -> None:
    module, scene = drawing
    _, area = module.valid_mask(SMALL_PX)
    lines = [line for line, _ in scene.truth]
    assert all(line.length > 0 and area.buffer(1e-6).covers(line) for line in lines)
    for number, line in enumerate(lines):
        for other in lines[number + 1 :]:
            ends = [line.boundary, other.boundary]
            crossing = line.intersection(other)
            # Simplifying to 2 cm may move a touch by that much, no more.
            assert crossing.is_empty or all(end.distance(crossing) < 0.05 for end in ends)


def test_written_files_say_what_the_drawing_is(drawing: tuple[Any, Any], tmp_path: Path) -> None:
    module, scene = drawing
    module.write_scene(scene, tmp_path / "scene.tif")
    module.write_truth(scene, tmp_path / "truth.geojson")
    with rasterio.open(tmp_path / "scene.tif") as file:
        assert np.array_equal(file.dataset_mask() > 0, scene.valid)
        difference = np.moveaxis(file.read(), 0, 2).astype(int) - scene.picture
        assert np.abs(difference[scene.valid]).mean() < 4
    found = json.loads((tmp_path / "truth.geojson").read_text(encoding="utf-8"))
    assert len(found["features"]) == len(scene.truth)


def test_the_scene_that_ships() -> None:
    path = EXAMPLES / "scene.tif"
    assert path.stat().st_size < TWO_MB
    with rasterio.open(path) as file:
        assert (file.width, file.height, file.count, file.dtypes[0]) == (2048, 2048, 3, "uint8")
        assert file.crs.to_epsg() == 32647
        assert file.res == (0.5, 0.5)
        assert file.block_shapes[0] == (512, 512)
        assert file.compression.name == "jpeg" and file.photometric.name == "ycbcr"
        assert {flag.name for flag in file.mask_flag_enums[0]} == {"per_dataset"}
        seen = file.dataset_mask() > 0
    assert 0.93 < seen.mean() < 0.97
    assert seen[0, 0] and seen[-1, -1] and not seen[0, -1]


def test_the_truth_that_ships_fits_the_scene() -> None:
    text = (EXAMPLES / "roads_truth.geojson").read_text(encoding="utf-8")
    assert len(text) < TWO_MB
    truth = json.loads(text)
    assert "crs" not in truth
    to_metres = Transformer.from_crs("EPSG:4326", "EPSG:32647", always_xy=True)
    geod, length_m, area_m2 = Geod(ellps="WGS84"), 0.0, 0.0
    with rasterio.open(EXAMPLES / "scene.tif") as file:
        seen, bounds = file.dataset_mask() > 0, file.bounds
    for feature in truth["features"]:
        lon, lat = zip(*feature["geometry"]["coordinates"], strict=True)
        x, y = to_metres.transform(lon, lat)
        line = LineString(zip(x, y, strict=True))
        assert bounds.left - 0.02 <= line.bounds[0] and line.bounds[2] <= bounds.right + 0.02
        assert bounds.bottom - 0.02 <= line.bounds[1] and line.bounds[3] <= bounds.top + 0.02
        middle = line.interpolate(0.5, normalized=True)
        assert seen[int((bounds.top - middle.y) / 0.5), int((middle.x - bounds.left) / 0.5)]
        assert feature["properties"]["surface"] in {"asphalt", "concrete", "dirt"}
        assert 3 <= feature["properties"]["width_m"] <= 12
        length_m += geod.line_length(lon, lat)
        area_m2 += line.length * feature["properties"]["width_m"]
    assert 8_000 < length_m < 12_000
    assert 0.04 < area_m2 / (seen.sum() * 0.25) < 0.06
