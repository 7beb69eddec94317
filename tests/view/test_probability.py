"""Levels in the plane of a page."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from command_line import refused
from drawn_map import NORTH, UTM, WEST, draw_roads
from drawn_rasters import north_up
from numpy.typing import NDArray

from georoads.errors import SceneError
from georoads.grid import Grid, Window
from georoads.levels import NODATA
from georoads.view.layer import read_layer
from georoads.view.probability import levels_in_plane


@dataclass(frozen=True)
class DrawnLevels:
    """Levels in memory, as a raster of them."""

    levels: NDArray[np.uint8]
    grid: Grid

    def read(self, window: Window) -> NDArray[np.uint8]:
        return self.levels[window.slices]


def drawn(px_m: float, side: int) -> DrawnLevels:
    """A road of level 200 from west to east, 100 m south of the corner and 20 m wide; no data in the east."""
    levels = np.zeros((side, side), np.uint8)
    levels[round(90 / px_m) : round(110 / px_m)] = 200
    levels[:, side * 3 // 4 :] = NODATA
    return DrawnLevels(levels, Grid(UTM, north_up(px_m, WEST, NORTH), side, side))


@pytest.mark.parametrize(("px_m", "side"), [(0.5, 400), (4.0, 50)])
def test_a_page_holds_means_of_two_metres(tmp_path: Path, px_m: float, side: int) -> None:
    plane = read_layer(draw_roads(tmp_path / "r.gpkg")).plane  # its middle is that of the raster
    found = levels_in_plane(drawn(px_m, side), plane, None)
    height, width = found.levels.shape
    assert height == pytest.approx(100, abs=2) and width == pytest.approx(100, abs=2)
    assert pytest.approx((-100, -100, 100, 100), abs=3) == found.bounds
    west = found.levels[:, 10 : width // 2]
    assert [float(np.median(west[rows])) for rows in (slice(46, 54), slice(40), slice(60, 100))] == [
        200,
        0,
        0,
    ]
    assert (found.levels[2:-2, width * 3 // 4 + 3 :] == NODATA).all()


def test_a_part_of_a_raster_is_enough(tmp_path: Path) -> None:
    plane = read_layer(draw_roads(tmp_path / "r.gpkg")).plane
    found = levels_in_plane(drawn(0.5, 400), plane, (-50.0, -20.0, 0.0, 20.0))
    assert found.levels.shape == (20, 25) and found.bounds == (-50.0, -20.0, 0.0, 20.0)
    with pytest.raises(SceneError, match="lies elsewhere"):
        levels_in_plane(drawn(0.5, 400), plane, (500.0, 0.0, 600.0, 10.0))


def test_only_a_page_takes_a_probability_raster(tmp_path: Path) -> None:
    roads, mask = draw_roads(tmp_path / "r.gpkg"), tmp_path / "no.tif"
    refused("view", roads, "--probability", mask, "-o", tmp_path / "m.html", says="no.tif")
