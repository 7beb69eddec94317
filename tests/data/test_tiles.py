"""Training pairs from a scene and its road lines."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from pyproj import Transformer

from georoads.data.burn import road_areas
from georoads.data.dataset import open_dataset
from georoads.data.pictures import read_image, read_mask, read_valid
from georoads.data.split import split_dataset
from georoads.data.tiles import (
    TilesParams,
    TilesReport,
    covering_windows,
    divide_grid,
    overlapping_windows,
    write_tiles,
)
from georoads.errors import DatasetError, GeoroadsError
from georoads.grid import Grid, Window
from georoads.output.read import RoadLines
from georoads.scene.open import open_scene
from georoads.scene.scene import Scene, SceneParams

UTM = "EPSG:32633"
TO_GROUND = Affine(0.5, 0, 500_000, 0, -0.5, 5_000_000)
GRID = Grid(UTM, TO_GROUND, 400, 300)


def lines(*places: list[tuple[float, float]], widths: list[float] | None = None) -> RoadLines:
    """Roads by pixel coordinates of GRID."""
    drawn = [shapely.LineString([TO_GROUND * p for p in line]) for line in places]
    stated = None if widths is None else np.array(widths, dtype=np.float64)
    return RoadLines(np.array(drawn, dtype=object), UTM, "drawn", stated)


def draw_scene(path: Path, nodata_rows: int = 0) -> Scene:
    """400 x 300 px of noise, the lowest rows white."""
    values = np.random.default_rng(0).integers(40, 220, (3, 300, 400)).astype(np.uint8)
    if nodata_rows:
        values[:, -nodata_rows:] = 255
    with rasterio.open(
        path, "w", driver="GTiff", width=400, height=300, count=3, dtype="uint8", crs=UTM, transform=TO_GROUND
    ) as out:
        out.write(values)
    return open_scene(path, SceneParams(nodata=255 if nodata_rows else None))


def test_roads_are_burnt_at_their_width() -> None:
    areas = road_areas(
        lines([(0, 100), (400, 100)], [(200.5, 0), (200.5, 300)], widths=[10.0, np.nan]), GRID, 3.5
    )
    road = areas.burn(GRID.window)
    assert road[:, 50].sum() == 20  # 10 m at 0.5 m
    assert road[250].sum() == 7  # 3.5 m, of --width
    assert np.flatnonzero(road[:, 50])[[0, -1]].tolist() == [90, 109]


def test_windows_fit_together() -> None:
    areas = road_areas(lines([(-20, 30), (170, 180), (420, 20)], widths=[6.3]), GRID)
    whole = areas.burn(GRID.window)
    parts = np.zeros_like(whole)
    for window in covering_windows(GRID.window, TilesParams(64, 0)):
        parts[window.slices] = areas.burn(window)
    assert (whole == parts).all()
    assert whole.any()


def test_a_road_thinner_than_a_pixel_is_not_torn() -> None:
    road = road_areas(lines([(10, 10), (390, 290)], widths=[0.1]), GRID).burn(GRID.window)
    count, _ = cv2.connectedComponents(road.astype(np.uint8), connectivity=8)
    assert count == 2  # background and one road


def test_lines_of_another_crs_lie_where_they_are() -> None:
    here = lines([(0, 40), (400, 260)], widths=[8.0])
    change = Transformer.from_crs(UTM, "EPSG:4326", always_xy=True)
    there = shapely.transform(here.lines, lambda p: np.column_stack(change.transform(p[:, 0], p[:, 1])))
    lonlat = RoadLines(there, "EPSG:4326", "lonlat", np.array([8.0]))
    far = RoadLines(
        np.append(there, shapely.LineString([(-120, 80), (-100, -80)])), "EPSG:4326", "l", np.array([8, 8.0])
    )
    expected = road_areas(here, GRID).burn(GRID.window)
    for roads in (lonlat, far):
        differs = road_areas(roads, GRID).burn(GRID.window) != expected
        assert differs.sum() <= 0.003 * expected.sum()  # pixels whose centre lies on the very edge


def test_no_line_on_the_scene_and_no_width_are_refused() -> None:
    with pytest.raises(DatasetError, match="none of its 1 lines lies on the scene"):
        road_areas(lines([(2000, 2000), (2100, 2000)]), GRID, 7.0)
    with pytest.raises(DatasetError, match="1 of 2 lines on the scene do not say how wide") as e:
        road_areas(lines([(0, 5), (9, 5)], [(0, 9), (9, 9)], widths=[4.0, np.nan]), GRID)
    assert "--width" in e.value.hint
    with pytest.raises(DatasetError, match="holds no line"):
        road_areas(lines(), GRID, 7.0)


@pytest.mark.parametrize(
    ("side", "train", "val"),
    [
        ("east", Window(0, 0, 300, 300), Window(0, 300, 300, 100)),
        ("west", Window(0, 100, 300, 300), Window(0, 0, 300, 100)),
        ("south", Window(0, 0, 225, 400), Window(225, 0, 75, 400)),
        ("north", Window(75, 0, 225, 400), Window(0, 0, 75, 400)),
    ],
)
def test_the_cut_lies_where_a_share_of_the_roads_is_passed(side: str, train: Window, val: Window) -> None:
    even = lines([(0, 60), (400, 60)], [(0, 240), (400, 240)])
    if side in ("south", "north"):
        even = lines([(60, 0), (60, 300)], [(240, 0), (240, 300)])
    params = TilesParams(val_side=side, val_share=0.25)
    found = divide_grid(road_areas(even, GRID, 4.0), GRID, params)
    for a, b in zip(found, (train, val), strict=True):
        assert (
            np.abs(np.array([a.row, a.col, a.height, a.width]) - (b.row, b.col, b.height, b.width)).max() <= 8
        )
    assert found[0].size + found[1].size == 400 * 300
    assert found[0].intersect(found[1]).size == 0


def test_a_side_is_never_a_sliver() -> None:
    areas = road_areas(lines([(395, 0), (395, 300)]), GRID, 4.0)
    assert divide_grid(areas, GRID, TilesParams())[1] == Window(0, 336, 300, 64)
    small = Grid(UTM, TO_GROUND, 100, 300)
    with pytest.raises(DatasetError, match="100 x 300 px: too small"):
        divide_grid(road_areas(lines([(0, 50), (100, 50)]), small, 4.0), small, TilesParams())


def test_plans_cover_their_side() -> None:
    side = Window(10, 20, 300, 410)
    seen = np.zeros((400, 500), int)
    params = TilesParams(128, 32)
    plan = overlapping_windows(side, params)
    for w in plan:
        assert max(w.height, w.width) <= 128
        seen[w.slices] += 1
    assert (seen[10:310, 20:430] >= 1).all()
    assert seen.sum() == seen[10:310, 20:430].sum()
    neighbours = plan[0].intersect(plan[1])
    assert neighbours.width >= 32
    once = np.zeros((400, 500), int)
    for w in covering_windows(side, params):
        assert max(w.height, w.width) <= 128
        once[w.slices] += 1
    assert (once[10:310, 20:430] == 1).all()
    assert once.sum() == 300 * 410
    assert overlapping_windows(Window(0, 0, 90, 128), params) == [Window(0, 0, 90, 128)]


def make(
    tmp_path: Path, params: TilesParams, nodata_rows: int = 0, *, overwrite: bool = False
) -> TilesReport:
    scene = draw_scene(tmp_path / "a scene.tif", nodata_rows)
    roads = lines([(0, 50), (400, 50)], [(20, 0), (20, 300)], [(380, 0), (380, 300)], widths=[6.0, 6.0, 6.0])
    return write_tiles(scene, scene.grid, roads, tmp_path / "out", params, overwrite=overwrite)


def test_a_data_set_is_written_that_training_can_read(tmp_path: Path) -> None:
    report = make(tmp_path, TilesParams(128, 16, keep_empty=1.0, val_share=0.3), nodata_rows=40)
    data = open_dataset(tmp_path / "out")
    split = split_dataset(data)
    assert (len(split.train), len(split.val), split.method) == (report.train, report.val, "index.csv")
    assert [s.gsd_m for s in data.samples] == pytest.approx([report.gsd_m] * len(data.samples), rel=1e-5)
    assert report.gsd_m == pytest.approx(0.5, rel=1e-3)
    with rasterio.open(tmp_path / "a scene.tif") as source:
        values = source.read()
    train, val = Window(*report.train_window), Window(*report.val_window)
    assert train.intersect(val).size == 0
    valid_val = 0
    for sample in data.samples:
        row, col = (int(part[1:]) for part in sample.name.split("_")[-2:])
        image, road = read_image(sample), read_mask(sample)
        valid = read_valid(sample, image)
        window = Window(row, col, *road.shape)
        assert window.intersect(val if sample.split == "val" else train) == window
        expected = values[:, window.slices[0], window.slices[1]].transpose(1, 2, 0) * valid[..., None]
        assert (image == expected).all()
        assert (valid == (np.arange(row, row + window.height) < 260)[:, None]).all()
        assert not road[~valid].any()
        assert (sample.valid is None) == valid.all()
        valid_val += int(valid.sum()) if sample.split == "val" else 0
    assert valid_val == 260 * val.width
    stated = json.loads((tmp_path / "out" / "tiles.json").read_text(encoding="utf-8"))
    assert stated["report"]["val"] == report.val
    assert stated["scene"] == "a scene.tif"


def test_empty_train_chips_are_thinned_out_by_the_seed(tmp_path: Path) -> None:
    def names(share: float, seed: int = 42) -> set[str]:
        make(tmp_path, TilesParams(64, 0, keep_empty=share, seed=seed, val_share=0.3), overwrite=True)
        return {s.name for s in open_dataset(tmp_path / "out").samples}

    every, none, half = names(1.0), names(0.0), names(0.5)
    assert none < half < every
    assert half == names(0.5)
    assert half != names(0.5, seed=1)
    roads = {
        s.name for s in open_dataset(tmp_path / "out").samples if s.split == "train" and read_mask(s).any()
    }
    assert roads <= none


def test_chips_without_ground_are_left_out(tmp_path: Path) -> None:
    report = make(tmp_path, TilesParams(100, 0, keep_empty=1.0, val_share=0.3), nodata_rows=100)
    assert report.invalid_left_out > 0
    assert all(read_valid(s, read_image(s)).any() for s in open_dataset(tmp_path / "out").samples)


def test_a_side_without_roads_on_valid_ground_is_refused_and_nothing_is_left(tmp_path: Path) -> None:
    scene = draw_scene(tmp_path / "s.tif", nodata_rows=100)
    roads = lines([(0, 20), (400, 20)], [(0, 280), (400, 280)], widths=[6.0, 6.0])
    params = TilesParams(128, 0, val_side="south", val_share=0.4)
    with pytest.raises(DatasetError, match=r"val side \(40% val in the south\) has no road"):
        write_tiles(scene, scene.grid, roads, tmp_path / "out", params)
    assert [p.name for p in tmp_path.iterdir()] == ["s.tif"]


def test_only_what_tiles_made_is_replaced(tmp_path: Path) -> None:
    params = TilesParams(128, 16, val_share=0.3)
    first = make(tmp_path, params)
    with pytest.raises(GeoroadsError, match="exists"):
        make(tmp_path, params)
    assert make(tmp_path, params, overwrite=True) == first
    (tmp_path / "out" / "tiles.json").unlink()
    with pytest.raises(GeoroadsError, match=r"holds no tiles\.json"):
        make(tmp_path, params, overwrite=True)


def test_validity_of_another_size_or_without_a_picture_is_refused(tmp_path: Path) -> None:
    make(tmp_path, TilesParams(128, 16, val_share=0.3), nodata_rows=40)
    sample = next(s for s in open_dataset(tmp_path / "out").samples if s.valid)
    assert sample.valid is not None
    cv2.imwrite(str(sample.valid), np.zeros((3, 3), np.uint8))
    with pytest.raises(DatasetError, match="3 x 3"):
        read_valid(sample, read_image(sample))
    sample.valid.write_bytes(b"x")
    with pytest.raises(DatasetError, match="cannot be decoded"):
        read_valid(sample, read_image(sample))
    sample.valid.rename(sample.valid.with_name("nobody.png"))
    with pytest.raises(DatasetError, match="nobody"):
        open_dataset(tmp_path / "out")


@pytest.mark.parametrize(
    "values",
    [
        {"size_px": 8},
        {"overlap_px": 1024},
        {"keep_empty": 1.5},
        {"val_share": 1.0},
        {"val_side": "up"},
        {"width_m": 0.0},
    ],
)
def test_parameters_out_of_range(values: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="must"):
        TilesParams(**values)  # type: ignore[arg-type]
