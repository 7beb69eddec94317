"""What a search sees ahead of a dead end, beside the whole window looked at with SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation, gaussian_filter

from georoads.grid import Points
from georoads.levels import FULL, NODATA
from georoads.network.graph.ahead import (
    BASE_COST,
    BLUR_PX,
    BLUR_REACH_PX,
    Ground,
    ground_ahead,
    is_on_road,
    mark_roads,
    see,
    window_around,
)

SHAPE = (90, 120)


def look(
    level: NDArray[np.uint8], tip: Points, direction: Points, reach: float
) -> tuple[Ground, tuple[int, int]]:
    """The ground ahead of a tip, all seen, without roads; and the window's corner."""
    box = window_around(tip, reach, level.shape)
    ground = ground_ahead(level[box.slices], box, tip, direction, reach)
    see_all(ground)
    return ground, (box.row, box.col)


def see_all(ground: Ground) -> None:
    """Look at every pixel that was not seen."""
    while len(unseen := np.argwhere(ground.cost == 0)):
        see(ground, *unseen[0])


def within(ground: Ground, corner: tuple[int, int]) -> tuple[slice, slice]:
    """The window's rows and columns of the raster."""
    height, width = ground.level.shape
    return slice(corner[0], corner[0] + height), slice(corner[1], corner[1] + width)


@pytest.mark.parametrize("tip", [(60.5, 45.5), (4.2, 3.9), (120.0, 90.0), (118.5, 30.5)])
def test_a_pixel_costs_what_p_says_when_it_is_blurred(tip: tuple[float, float]) -> None:
    random = np.random.default_rng(5)
    level = random.integers(0, 256, SHAPE, dtype=np.uint8)
    ground, corner = look(level, np.array(tip), np.array([-2.0, 1.0]), 40.0)
    p = np.where(level == NODATA, 0, level / np.float32(FULL)).astype(np.float32)
    expected = 1 / (BASE_COST + gaussian_filter(p, BLUR_PX, radius=BLUR_REACH_PX))[within(ground, corner)]
    walkable = np.isfinite(ground.cost)
    assert walkable.sum() > 200
    np.testing.assert_allclose(ground.cost[walkable], expected[walkable], rtol=1e-6)


def test_only_what_lies_ahead_and_within_reach_is_walked() -> None:
    level = np.zeros(SHAPE, np.uint8)
    level[50, 70:80] = NODATA
    ground, (top, left) = look(level, np.array([60.5, 45.5]), np.array([3.0, 0.0]), 20.0)

    def is_open(row: int, col: int) -> bool:
        return bool(np.isfinite(ground.cost[row - top, col - left]))

    assert is_open(45, 80)
    assert not is_open(45, 81)  # beyond reach
    assert is_open(45 + 15, 60 + 9)  # 59 degrees aside
    assert not is_open(45 + 15, 60 + 4)  # 75 degrees
    assert is_open(43, 58)  # out of the tip anywhere
    assert not is_open(45, 57)  # behind
    assert not is_open(50, 72)  # nodata


@pytest.mark.parametrize(("x", "y"), [(88.5, 45.5), (20.5, 45.5), (60.5, 15.5), (60.5, 80.5)])
def test_ways_end_at_nodata_and_at_the_rasters_edge_but_not_right_beside_the_tip(x: float, y: float) -> None:
    level = np.zeros(SHAPE, np.uint8)
    level[40:44, 90] = NODATA
    ground, corner = look(level, np.array([x, y]), np.array([x - 60, y - 45.8]), 40.0)
    edge = binary_dilation(level == NODATA, np.ones((3, 3))) & (level != NODATA)
    edge[[0, -1]] = edge[:, [0, -1]] = True
    beside = np.zeros(SHAPE, np.bool_)
    beside[int(y) - 2 : int(y) + 3, int(x) - 2 : int(x) + 3] = True
    walkable = np.isfinite(ground.cost)
    np.testing.assert_array_equal(ground.target, (edge & ~beside)[within(ground, corner)] & walkable)
    assert ground.target.sum() > 10


@pytest.mark.parametrize("seed", range(5))
def test_other_roads_are_targets_up_to_their_sides_and_the_own_one_is_closed(seed: int) -> None:
    random = np.random.default_rng(seed)
    level = np.full(SHAPE, 100, np.uint8)
    tip, direction, reach = np.array([40.5, 45.5]), np.array([1.0, 0.3]), 45.0
    points = random.random((60, 2)) * (140, 110) - 10
    edge = random.integers(0, 3, len(points))
    side = np.array([2.0, 4.7, 9.0])
    box = window_around(tip, reach, SHAPE)
    ground = ground_ahead(level[box.slices], box, tip, direction, reach)
    mark_roads(ground, (box.row, box.col), points, edge, side, 0)
    see_all(ground)

    row, col = np.mgrid[: SHAPE[0], : SHAPE[1]]
    own, road = np.zeros(SHAPE, np.bool_), np.zeros(SHAPE, np.bool_)
    for (x, y), one in zip(np.floor(points), edge, strict=True):
        if one == 0:
            own |= (abs(row - y) <= 1) & (abs(col - x) <= 1)
        else:
            road |= (row - y) ** 2 + (col - x) ** 2 <= np.floor(side[one]) ** 2
    clear, corner = look(level, tip, direction, reach)
    inside = within(clear, corner)
    beside = (abs(row - 45) <= 2) & (abs(col - 40) <= 2)
    np.testing.assert_array_equal(
        np.isfinite(ground.cost), np.isfinite(clear.cost) & ~(own & ~beside)[inside]
    )
    reached = np.isfinite(ground.cost) & ~beside[inside]
    np.testing.assert_array_equal(ground.target[reached], (road[inside] | clear.target)[reached])
    found = np.argwhere(ground.target & ~clear.target)
    assert len(found)
    assert all(is_on_road(ground, *place) for place in found)
