"""Scenes: what is refused, what is read, compared with rasterio; windows do not change pixels."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from drawn_rasters import north_up, write_raster

from georoads.errors import SceneError
from georoads.grid import Window
from georoads.scene import read
from georoads.scene.native import read_native
from georoads.scene.open import open_scene
from georoads.scene.read import SceneReader
from georoads.scene.scene import Scene, SceneParams
from georoads.scene.working_grid import working_grid

AWKWARD = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "awkward"
REFUSED = [
    "gen_complex64.tif",
    "gen_epsg4326_antimeridian.tif",
    "gen_gcps_only.tif",
    "gen_nocrs.tif",
    "gen_nocrs_notransform.tif",
    "gen_png_named.tif",
    "gen_text.tif",
    "gen_truncated_header.tif",
    "gen_vrt_good.vrt",
    "gen_vrt_http_source.vrt",
    "gen_zero_bytes.tif",
    "real_gcps_only.tif",
    "real_rotated_nocrs.tif",
]
HALF_METRE = [
    "gen_feet_crs_2263.tif",
    "gen_epsg3857_lat60.tif",
    "gen_rotated_30deg.tif",
    "gen_southup.tif",
    "gen_bigtiff.tif",
    "gen_tiled_planar_separate.tif",
    "gen_uncompressed_bigendian.tif",
    "gen_1x1.tif",
    "gen_5band.tif",
    "gen_palette.tif",
]


def picture(seed: int = 0, shape: tuple[int, int, int] = (3, 200, 260)) -> np.ndarray:
    return np.random.default_rng(seed).integers(60, 200, shape).astype(np.uint8)


@pytest.mark.shared
@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_name(name: str) -> None:
    if not AWKWARD.is_dir():
        pytest.skip("the development data set is not beside the checkout")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # rasterio warns about the missing georeference that we refuse
        with pytest.raises(SceneError, match=name):
            open_scene(AWKWARD / name)


@pytest.mark.shared
@pytest.mark.parametrize("name", HALF_METRE)
def test_metres_within_half_a_percent(name: str) -> None:
    if not AWKWARD.is_dir():
        pytest.skip("the development data set is not beside the checkout")
    assert open_scene(AWKWARD / name).grid.gsd_m == pytest.approx(0.5, rel=0.005)


def test_own_grid_reads_what_rasterio_reads(tmp_path: Path) -> None:
    values = picture()
    scene = open_scene(write_raster(tmp_path / "a.tif", values))
    grid = working_grid(scene, 0.5)
    assert grid == scene.grid
    with SceneReader(scene, grid) as reader:
        rgb, valid = reader.read(Window(10, 20, 50, 60))
    assert (rgb == values[:, 10:60, 20:80]).all()
    assert valid.all()


@pytest.mark.parametrize("gsd", [0.3, 0.7, 1.0, 1.7])
@pytest.mark.parametrize("side", [61, 100])
def test_a_resampled_scene_has_no_rim_without_data(gsd: float, side: int, tmp_path: Path) -> None:
    scene = open_scene(write_raster(tmp_path / "a.tif", picture(shape=(3, side, side)), north_up(gsd)))
    grid = working_grid(scene, 0.5)
    with SceneReader(scene, grid) as reader:
        assert reader.read(grid.window)[1].all()


@pytest.mark.parametrize("step", [0.3, 1.0])
def test_warped_windows_are_crops_of_the_whole(tmp_path: Path, step: float) -> None:
    scene = open_scene(write_raster(tmp_path / "a.tif", picture(), north_up(step)))
    grid = working_grid(scene, 0.5)
    assert grid.gsd_m == pytest.approx(0.5, rel=0.002)
    with SceneReader(scene, grid) as reader:
        whole, valid = reader.read(grid.window)
        rng = np.random.default_rng(3)
        for _ in range(8):
            row, col = int(rng.integers(grid.height - 20)), int(rng.integers(grid.width - 20))
            window = Window(row, col, 20, 20)
            rgb, part = reader.read(window)
            assert (rgb == whole[(slice(None), *window.slices)]).all()
            assert (part == valid[window.slices]).all()


@pytest.mark.parametrize("step", [0.3, 0.5])
def test_bounds_are_a_window_of_the_whole(tmp_path: Path, step: float) -> None:
    scene = open_scene(write_raster(tmp_path / "a.tif", picture(), north_up(step)))
    bounds = 500_010.1, 1_499_970.0, 500_022.4, 1_499_985.0
    whole = working_grid(scene, 0.5)
    part = working_grid(scene, 0.5, SceneParams(bounds=bounds))
    west, north = part.transform.c, part.transform.f
    assert west <= bounds[0] < west + 0.5
    assert north - 0.5 < bounds[3] <= north
    assert (part.width, part.height) in ((25, 30), (26, 30), (25, 31), (26, 31))
    row, col = round((1_500_000 - north) / 0.5), round((west - 500_000) / 0.5)
    with SceneReader(scene, whole) as everything, SceneReader(scene, part) as reader:
        expected, _ = everything.read(Window(row, col, part.height, part.width))
        assert (reader.read(part.window)[0] == expected).all()
    beside = SceneParams(bounds=(0.0, 0.0, 10.0, 10.0))
    with pytest.raises(SceneError, match="do not meet") as refused:
        working_grid(scene, 0.5, beside)
    assert "500000 " in refused.value.hint


def test_degrees_become_utm_metres(tmp_path: Path) -> None:
    values = picture(shape=(3, 300, 300))
    transform = Affine(0.5 / 38_700, 0, 18.9, 0, -0.5 / 111_500, 69.65)
    scene = open_scene(write_raster(tmp_path / "a.tif", values, crs="EPSG:4326", transform=transform))
    grid = working_grid(scene, 0.5)
    assert not grid.is_geographic
    assert all(s == pytest.approx(0.5, rel=0.005) for s in grid.steps_m)


def test_sixteen_bit_is_stretched_alike_everywhere(tmp_path: Path) -> None:
    values = np.random.default_rng(1).integers(200, 1200, (1, 300, 300)).astype(np.uint16)
    values[:, :100] = 0
    scene = open_scene(write_raster(tmp_path / "a.tif", values, nodata=0))
    assert len(scene.stretch) == 3
    with SceneReader(scene, scene.grid) as reader:
        rgb, valid = reader.read(scene.grid.window)
    assert not valid[:100].any()
    assert valid[100:].all()
    assert (rgb[:, :100] == 0).all()
    assert 100 < rgb[:, 100:].mean() < 120


def test_nan_alpha_and_nodata_are_validity(tmp_path: Path) -> None:
    floats = np.full((3, 64, 64), 0.5, dtype=np.float32)
    floats[:, 5, 6] = np.nan
    floats[1, 7, 8] = np.inf
    scene = open_scene(write_raster(tmp_path / "f.tif", floats))
    with SceneReader(scene, scene.grid) as reader:
        _, valid = reader.read(scene.grid.window)
    assert (~valid).sum() == 2
    rgba = np.full((4, 64, 64), 90, dtype=np.uint8)
    rgba[3, :, :10] = 0
    path = write_raster(tmp_path / "a.tif", rgba, photometric="RGB", alpha="YES")
    scene = open_scene(path, SceneParams())
    with SceneReader(scene, scene.grid) as reader:
        _, valid = reader.read(scene.grid.window)
    assert not valid[:, :10].any()
    assert valid[:, 10:].all()


def test_a_nodata_that_the_type_cannot_hold_is_no_pixel(tmp_path: Path) -> None:
    scene = open_scene(
        write_raster(tmp_path / "f.tif", np.full((1, 8, 8), 0.5, dtype=np.float32)), SceneParams(nodata=1e300)
    )
    with SceneReader(scene, scene.grid) as reader:
        assert reader.read(scene.grid.window)[1].all()


def test_too_coarse_is_refused_with_a_way_out(tmp_path: Path) -> None:
    scene = open_scene(write_raster(tmp_path / "a.tif", picture(), north_up(10.0)))
    with pytest.raises(SceneError) as refused:
        working_grid(scene, 0.5)
    assert "--gsd 0.5" in refused.value.hint
    assert working_grid(scene, 0.5, SceneParams(gsd=0.5)).gsd_m == pytest.approx(0.5, rel=0.01)
    assert working_grid(scene, 0.5, SceneParams(gsd="native")) == scene.grid


def test_pixels_that_lie_on_a_line_are_refused(tmp_path: Path) -> None:
    path = write_raster(tmp_path / "a.tif", picture(), transform=Affine(0.0, 1e-300, 0.0, 1.0, 1.0, 0.0))
    with pytest.raises(SceneError, match="no metres"):
        open_scene(path)


LAYOUTS: dict[str, dict[str, Any]] = {
    "blocks": {"tiled": True, "blockxsize": 128, "blockysize": 128, "compress": "deflate"},
    "large blocks": {"tiled": True, "blockxsize": 512, "blockysize": 512, "interleave": "band"},
    "strips": {"compress": "deflate", "blockysize": 16},
    "one strip": {"blockysize": 1300},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_block_is_decoded_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str) -> None:
    values = picture(shape=(3, 1300, 1100))
    scene = open_scene(write_raster(tmp_path / "a.tif", values, **LAYOUTS[layout]))
    decoded: list[Window] = []

    def counted(source: Any, scene: Scene, window: Window) -> Any:
        decoded.append(window)
        return read_native(source, scene, window)

    monkeypatch.setattr(read, "read_native", counted)
    with SceneReader(scene, scene.grid) as reader:
        for row in range(0, 1101, 110):
            for col in range(0, 901, 150):
                rgb, _ = reader.read(Window(row, col, 200, 200))
                assert (rgb == values[:, row : row + 200, col : col + 200]).all()
                reader.forget(row + 110, col + 150 if col < 900 else 1100)
        kept = sum(k.rgb.nbytes for k in reader._blocks._kept.values())
    times = np.zeros((1300, 1100), dtype=int)
    for window in decoded:
        times[window.slices] += 1
    assert (times == 1).all()
    assert kept < values.nbytes / 2  # what lies behind was let go


def test_pixels_do_not_depend_on_what_was_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    values = picture(shape=(3, 1300, 1100))
    values[:, 400:900, 300:420] = 0
    path = write_raster(tmp_path / "a.tif", values, nodata=0, tiled=True, blockxsize=64, blockysize=64)
    scene = open_scene(path)
    monkeypatch.setattr(read, "KEEP_BYTES", 3 * 512 * 512)
    rng = np.random.default_rng(3)
    with SceneReader(scene, scene.grid) as reader:
        for _ in range(30):
            row, col = int(rng.integers(1300 - 300)), int(rng.integers(1100 - 600))
            window = Window(row, col, 300, 600)
            rgb, valid = reader.read(window)
            assert (rgb == values[(slice(None), *window.slices)]).all()
            assert (valid == (values[(slice(None), *window.slices)] > 0).any(axis=0)).all()
            assert reader._blocks._bytes <= read.KEEP_BYTES
