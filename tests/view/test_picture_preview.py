"""The scene under a map, and the preview as PNG."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from drawn_map import BLUE, CROSS, GREEN, draw_roads, draw_scene
from drawn_rasters import write_raster
from rasterio.warp import reproject
from skimage.io import imread

from georoads.errors import GeoroadsError, SceneError
from georoads.picture_files import write_png
from georoads.scene.open import open_scene
from georoads.scene.scene import SceneParams
from georoads.view.picture import BACKGROUND, Picture, brightened, jpeg_of, lift_of, picture_of, plane_of
from georoads.view.preview import write_preview
from georoads.view.request import LineWidth
from georoads.view.write import write_view


def colours(rgb: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """(H, W) bool: where a picture has a colour, nearly."""
    return np.asarray(np.all(np.abs(rgb.astype(int) - colour) <= 12, axis=2))


def test_a_scene_is_north_up_in_the_plane_and_nodata_is_background(tmp_path: Path) -> None:
    scene = open_scene(draw_scene(tmp_path / "s.tif"))
    found = picture_of([scene], plane_of([scene]), None)
    assert found.bounds == pytest.approx((-100, -100, 100, 100), abs=0.2)
    assert found.rgb.shape == (200, 200, 3)
    assert colours(found.rgb[5:95, 5:95], BACKGROUND).all()
    assert colours(found.rgb[105:195, 5:195], GREEN).all()


def test_in_degrees_it_lies_where_it_lies_in_metres(tmp_path: Path) -> None:
    scene = open_scene(draw_scene(tmp_path / "s.tif"))
    with rasterio.open(tmp_path / "s.tif") as source:
        values, place = reproject(rasterio.band(source, [1, 2, 3]), dst_crs="EPSG:4326")
    write_raster(tmp_path / "d.tif", values, place, "EPSG:4326", nodata=0)
    plane, area = plane_of([scene]), (-80.0, -80.0, 80.0, 80.0)
    metres = picture_of([scene], plane, area, 80)
    degrees = picture_of([open_scene(tmp_path / "d.tif")], plane, area, 80)
    assert degrees.bounds == pytest.approx(metres.bounds)
    ours, theirs = (colours(p.rgb, GREEN) for p in (metres, degrees))
    assert theirs.shape == ours.shape
    assert (ours != theirs).mean() < 0.03


def test_a_part_of_a_scene_at_fewer_pixels(tmp_path: Path) -> None:
    scene = open_scene(draw_scene(tmp_path / "s.tif"))
    found = picture_of([scene], plane_of([scene]), (-50.0, -90.0, 500.0, -10.0), side_px=50)
    assert found.bounds == pytest.approx((-50, -90, 100, -10), abs=0.2)
    assert found.rgb.shape == (27, 50, 3)
    assert colours(found.rgb, GREEN).mean() > 0.9


def test_of_several_scenes_the_first_is_on_top(tmp_path: Path) -> None:
    green = open_scene(draw_scene(tmp_path / "green.tif"))
    blue = open_scene(draw_scene(tmp_path / "blue.tif", BLUE, east_m=100))
    found = picture_of([green, blue], plane_of([green]), None)
    assert found.rgb.shape == (200, 300, 3)
    assert colours(found.rgb[105:195, 5:195], GREEN).all()
    assert colours(found.rgb[105:195, 205:295], BLUE).all()
    assert colours(found.rgb[5:95, 105:195], GREEN).all()


def test_a_scene_elsewhere_is_refused(tmp_path: Path) -> None:
    scene = open_scene(draw_scene(tmp_path / "s.tif"))
    with pytest.raises(SceneError, match=r"s\.tif lies elsewhere than the lines"):
        picture_of([scene], plane_of([scene]), (900.0, 0.0, 1000.0, 100.0))


def test_pixels_that_lie_nowhere_are_shown_all_the_same(tmp_path: Path) -> None:
    write_png(tmp_path / "p.png", np.full((40, 40, 3), 150, np.uint8))
    scene = open_scene(tmp_path / "p.png", SceneParams(gsd=0.5))
    found = picture_of([scene], plane_of([scene]), None)
    assert found.rgb.shape == (40, 40, 3)
    assert colours(found.rgb, (150, 150, 150)).all()


def test_a_jpeg_is_as_good_as_fits() -> None:
    noise = np.random.default_rng(1).integers(0, 256, (300, 300, 3), dtype=np.uint8)
    picture = Picture(noise, (0, 0, 1, 1))
    assert len(jpeg_of(picture, 60_000)) <= 60_000 < len(jpeg_of(picture))


@pytest.mark.parametrize(
    ("grey", "lift"),
    [(0, 1), (7, 1), (20, 4), (28, 3), (45, 2), (50, 1), (57, 1), (250, 1)],  # 57: the darkest of DeepGlobe
)
def test_only_dark_pictures_are_lifted(grey: int, lift: int) -> None:
    rgb = np.full((10, 10, 3), grey, np.uint8)
    rgb[:, 4:] = BACKGROUND  # where the scene has no pixel
    found = lift_of(Picture(rgb, (0, 0, 1, 1)))
    assert found == lift
    assert (brightened(rgb, found) == rgb).all() == (lift == 1)
    assert lift_of(Picture(rgb[:, 4:], (0, 0, 1, 1))) == 1


def test_what_is_mostly_bridged_is_dashed(tmp_path: Path) -> None:
    # Two roads of 120 m, side by side; of the southern one 70 m were bridged, of the northern one 50 m.
    lines = [[(40, 80), (160, 80)], [(40, 120), (160, 120)]]
    roads = draw_roads(tmp_path / "r.gpkg", lines, {"confidence": [0.95, 0.95], "bridged_m": [50.0, 70.0]})
    write_preview(tmp_path / "p.png", roads, (open_scene(draw_scene(tmp_path / "s.tif")),))
    shown = colours(imread(tmp_path / "p.png")[:, 300:1200, :3], (250, 246, 92))
    half = len(shown) // 2
    assert shown[:half].any(axis=0).mean() == 1.0
    assert shown[half:].any(axis=0).mean() == pytest.approx(0.6, abs=0.05)  # dashes of 3, gaps of 2


def test_a_preview_shows_lines_over_the_scene(tmp_path: Path) -> None:
    scene, roads = draw_scene(tmp_path / "s.tif"), draw_roads(tmp_path / "r.gpkg")
    opened = (open_scene(scene),)
    write_preview(tmp_path / "p.png", roads, opened, width=LineWidth.ROAD)
    shown = imread(tmp_path / "p.png")[:, :, :3]
    assert max(shown.shape) == 2000
    shown = shown[:, :1500]  # without the legend
    middle = shown.shape[0] // 2
    yellow, purple = colours(shown, (250, 246, 92)), colours(shown, (186, 44, 178))
    assert yellow[middle:].any() and not yellow[: middle - 60].any()  # the southern road is the most certain
    assert purple[: middle - 60].any() and not purple[middle + 60 :].any()
    assert yellow[middle + 200].sum() == pytest.approx(4 * 2000 / 160, rel=0.2)  # as wide as the road
    write_preview(tmp_path / "p.png", roads, opened, overwrite=True)
    thin = colours(imread(tmp_path / "p.png")[:, :1500, :3], (250, 246, 92))
    assert thin[middle + 200].sum() == 4
    with pytest.raises(GeoroadsError, match="exists"):
        write_preview(tmp_path / "p.png", roads, (open_scene(scene),))


def test_a_preview_of_no_lines_is_the_scene(tmp_path: Path) -> None:
    scene, roads = draw_scene(tmp_path / "s.tif"), draw_roads(tmp_path / "r.gpkg", [], {})
    write_preview(tmp_path / "p.png", roads, (open_scene(scene),))
    assert imread(tmp_path / "p.png").shape[:2] == pytest.approx((2000, 2000), abs=2)


def test_a_narrow_preview_has_room_for_its_legend(tmp_path: Path) -> None:
    scene = draw_scene(tmp_path / "s.tif")
    roads = draw_roads(tmp_path / "r.gpkg", [CROSS[1], CROSS[2]])
    write_preview(tmp_path / "p.png", roads, (open_scene(scene),))
    assert imread(tmp_path / "p.png").shape[:2] == (1000, 2000)


def test_a_picture_without_a_scene_has_plain_ground(tmp_path: Path) -> None:
    made = write_view(draw_roads(tmp_path / "r.gpkg"), tmp_path / "p.png")
    assert (made.lines, made.file_bytes) == (4, (tmp_path / "p.png").stat().st_size)
    shown = imread(tmp_path / "p.png")[:, :1500, :3]
    assert colours(shown, (250, 246, 92)).any() and colours(shown, BACKGROUND).mean() > 0.7
    write_view(draw_roads(tmp_path / "none.gpkg", [], {}), tmp_path / "none.png")
    assert colours(imread(tmp_path / "none.png")[:900, :1500, :3], BACKGROUND).all()
