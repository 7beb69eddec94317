"""The ground between two roads, on drawn ones of 2 m a sign."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from georoads.training.strips import between_roads

# # road, = road with a strip beside it: s is what is to be found.
DRAWN = """
    ..............................
    ##############################
    ssssssssssssssssssssssssssssss
    ssssssssssssssssssssssssssssss
    ##############################
    ..............................
    ..............................
    ..............................
    ..............................
    ..............................
    ..............................
    ..............................
    ..............................
    ..............................
    ..............................
    ..............................
    ##############################
    ..............................
"""


def signs(wanted: str, metres: float, gsd_m: float) -> NDArray[np.bool_]:
    rows = np.array([[sign in wanted for sign in line.strip()] for line in DRAWN.split()])
    side = round(metres / gsd_m)
    return np.kron(rows, np.ones((side, side))).astype(bool)


@pytest.mark.parametrize("gsd_m", [0.25, 0.5, 1.0])
def test_the_strip_of_a_dual_carriageway_is_found_and_the_block_beside_it_not(gsd_m: float) -> None:
    found = between_roads(signs("#", 2.0, gsd_m), gsd_m)
    wrong = found != signs("s", 2.0, gsd_m)
    assert not wrong[:, 8:-8].any()


def test_blank_ground_and_all_road_have_no_strip() -> None:
    assert not between_roads(np.zeros((30, 30), bool), 0.5).any()
    assert not between_roads(np.ones((30, 30), bool), 0.5).any()
    assert not between_roads(signs("#s", 2.0, 0.5), 0.5).any()
