"""Gaps over faint road: what is joined, along which way, and what is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from network_drawings import RAW, bar, network_of, same
from numpy.typing import NDArray

from georoads.network.params import VectorizeParams
from georoads.network.types import NodeKind

JOIN = replace(RAW, reach_m=40.0, faint_p=0.1, spur_m=5.0)
FAINT, ROAD = 60, 254
"""p = 0.24 and 1."""


def levels_of(shape: tuple[int, int], road: NDArray[np.bool_], faint: NDArray[np.bool_]) -> NDArray[np.uint8]:
    return np.where(road, ROAD, np.where(faint, FAINT, 0)).astype(np.uint8)


def straight_with_gap(gap_px: int, faint: int = FAINT) -> NDArray[np.uint8]:
    """A road of 8 px from west to east, broken in the middle where only p = faint / 254 is left."""
    levels = np.zeros((80, 300), np.uint8)
    levels[36:44] = ROAD
    levels[36:44, 150 - gap_px // 2 : 150 + gap_px // 2] = faint
    return levels


def test_a_straight_gap_is_joined_and_its_length_recorded() -> None:
    network = network_of(straight_with_gap(40), JOIN)
    assert network.n_edges == 1
    line = network.line(0)
    assert np.abs(line[:, 1] - 40).max() < 1.0
    # From end to end of the lines, which stop half a road's width before the gap.
    assert network.bridged_m[0] == pytest.approx(0.5 * (40 + 8), abs=2.5)


@pytest.mark.parametrize(
    ("levels", "params"),
    [
        (straight_with_gap(40, faint=4), JOIN),  # p = 0.016 is nothing
        (straight_with_gap(40), replace(JOIN, join_p=0.95)),
        (straight_with_gap(40, faint=255), JOIN),  # nodata
        (straight_with_gap(40), replace(JOIN, reach_m=15.0)),
        (straight_with_gap(40), replace(JOIN, reach_m=0.0)),
    ],
)
def test_what_is_too_faint_unknown_or_too_far_stays_open(
    levels: NDArray[np.uint8], params: VectorizeParams
) -> None:
    assert network_of(levels, params).n_edges == 2


@pytest.mark.parametrize("beyond", ["the raster's end", "nodata"])
@pytest.mark.parametrize("faint", [FAINT, 4])
def test_a_road_that_grows_faint_before_the_scenes_edge_leaves_the_scene(beyond: str, faint: int) -> None:
    levels = np.zeros((80, 200), np.uint8)
    levels[36:44] = ROAD
    levels[36:44, 180:] = faint
    if beyond == "nodata":
        levels = np.pad(levels, ((0, 0), (0, 40)), constant_values=255)
    network = network_of(levels, JOIN)
    east = network.node_xy[:, 0].argmax()
    seen = faint == FAINT  # p = 0.016 is nothing
    assert network.node_kind[east] == (NodeKind.SCENE_EDGE if seen else NodeKind.END)
    assert (network.node_xy[east, 0] == 199.5) == seen
    assert abs(network.node_xy[east, 1] - 40) < 2


def test_the_way_follows_the_faint_road_around_a_bend() -> None:
    # A road comes from the west, bends by 45 degrees unseen, and goes on to the south-east.
    shape = (220, 300)
    road = bar(shape, (0, 60.5), (120, 60.5), 8) | bar(shape, (196, 116.5), (290, 210.5), 8)
    faint = bar(shape, (118, 60.5), (142, 60.5), 8) | bar(shape, (138, 58.5), (200, 120.5), 8)
    network = network_of(levels_of(shape, road, faint), replace(JOIN, reach_m=60.0))
    assert network.n_edges == 1
    line = network.line(0)
    inside = line[(line[:, 0] > 125) & (line[:, 0] < 190)]
    true_y = np.where(inside[:, 0] < 140, 60.5, 60.5 + inside[:, 0] - 140)
    assert np.abs(inside[:, 1] - true_y).max() < 4.0


def test_a_side_road_is_joined_to_the_road_that_it_leads_to() -> None:
    """
    ==================      the road
             :              faint
             |              a side road
    """
    shape = (200, 200)
    road = bar(shape, (0, 40.5), (200, 40.5), 10) | bar(shape, (100.5, 90), (100.5, 200), 8)
    faint = bar(shape, (100.5, 40), (100.5, 92), 8)
    network = network_of(levels_of(shape, road, faint), JOIN)
    assert network.n_edges == 3
    junction = network.node_xy[network.node_kind == NodeKind.JUNCTION]
    assert junction.shape == (1, 2)
    assert np.hypot(*(junction[0] - (100.5, 40.5))) < 2.5


def test_two_ends_that_see_each_other_and_a_third_are_one_junction_without_doubles() -> None:
    # Three arms of a Y end before their junction; what is left there is faint.
    shape = (240, 240)
    arms = [(120 + 110 * np.cos(a), 120 + 110 * np.sin(a)) for a in np.radians((90, 210, 330))]
    inner = [(120 + 30 * np.cos(a), 120 + 30 * np.sin(a)) for a in np.radians((90, 210, 330))]
    road, faint = np.zeros(shape, bool), np.zeros(shape, bool)
    for outer, near in zip(arms, inner, strict=True):
        road |= bar(shape, outer, near, 8)
        faint |= bar(shape, near, (120, 120), 8)
    network = network_of(levels_of(shape, road, faint), JOIN)
    assert sorted(network.degree().tolist()) == [1, 1, 1, 3]
    assert network.n_edges == 3
    # Together as long as the three arms: nothing runs beside anything.
    assert network.length_m.sum() == pytest.approx(0.5 * 3 * 110, rel=0.08)


def test_an_end_does_not_turn_back_into_its_own_road() -> None:
    # A hook: its end points at its own stem, over faint ground.
    shape = (160, 160)
    road = (
        bar(shape, (30.5, 20), (30.5, 140), 8)
        | bar(shape, (26, 20.5), (104, 20.5), 8)
        | bar(shape, (100.5, 20), (100.5, 84), 8)
        | bar(shape, (70, 80.5), (104, 80.5), 8)
    )
    faint = bar(shape, (30, 80.5), (74, 80.5), 8)
    network = network_of(levels_of(shape, road, faint), JOIN)
    assert network.n_edges == 1
    assert network.bridged_m[0] == 0


def test_an_end_does_not_turn_back_to_the_junction_that_it_comes_from() -> None:
    # A side road bends round until it points at its own beginning.
    shape = (160, 220)
    road = (
        bar(shape, (0, 40.5), (220, 40.5), 10)
        | bar(shape, (100.5, 40), (100.5, 94), 8)
        | bar(shape, (97, 90.5), (134, 90.5), 8)
        | bar(shape, (132, 92), (116, 66), 8)
    )
    faint = bar(shape, (116, 66), (102, 42), 8)
    network = network_of(levels_of(shape, road, faint), JOIN)
    assert network.n_edges == 3
    assert (network.edge_nodes[:, 0] != network.edge_nodes[:, 1]).all()
    assert network.bridged_m.sum() == 0


def test_even_ground_is_no_road_and_a_ridge_is() -> None:
    # As bright along the gap; but in the first there is nothing beside it.
    ridge = straight_with_gap(40, faint=30)
    even = np.maximum(straight_with_gap(40, faint=30), 30)
    assert network_of(ridge, replace(JOIN, join_p=0.72)).n_edges == 1
    assert network_of(even, replace(JOIN, join_p=0.72)).n_edges == 2


def test_a_tree_over_a_street_is_closed_and_the_corner_of_a_wall_beside_it_is_not() -> None:
    """
    =====================::::====================      the street, and a tree
                      _______
                             :                         a wall, unsure of, and faint round its corner
                             :
                             |
    """
    shape = (220, 400)
    levels = np.zeros(shape, np.uint8)
    for faint in (bar(shape, (196, 92.5), (224.5, 92.5), 3), bar(shape, (222.5, 90), (222.5, 130), 3)):
        levels[faint] = 45
    for wall in (bar(shape, (120, 92.5), (198, 92.5), 3), bar(shape, (222.5, 128), (222.5, 170), 3)):
        levels[wall] = 150
    levels[36:44] = ROAD
    levels[36:44, 180:220] = FAINT
    network = network_of(levels, replace(JOIN, spur_m=0.0, join_p=0.6))
    bridged = network.bridged_m > 0
    assert bridged.sum() == 1
    assert np.abs(network.line(int(np.flatnonzero(bridged)[0]))[:, 1] - 40).max() < 1.5
    assert network.n_edges == 3


def test_a_longer_reach_closes_the_same_gap_as_one_that_suffices() -> None:
    far = replace(JOIN, reach_m=120.0)
    for gap_px in (40, 90, 160):
        near, wide = (network_of(straight_with_gap(gap_px), replace(far, reach_m=m)) for m in (100.0, 120.0))
        assert same(near, wide)
        assert near.n_edges == 1


@pytest.mark.parametrize("down", [100, 206, 216, 232, 256, 300, 420])
def test_a_gap_is_closed_wherever_in_the_raster_it_lies(down: int) -> None:
    """From a dead end to the side of a road above it: whatever the rows by which points are looked up."""
    levels = np.zeros((600, 160), np.uint8)
    levels[down + 10 : down + 18] = ROAD
    levels[down + 18 : down + 50, 76:84] = FAINT
    levels[down + 50 : down + 80, 76:84] = ROAD
    network = network_of(levels, JOIN)
    assert network.n_edges == 3
    (joined,) = np.flatnonzero(network.bridged_m > 0)
    line = network.line(int(joined))
    assert np.abs(line[:, 0] - 80).max() < 1.5
    assert line[:, 1].min() == pytest.approx(down + 14, abs=1.5)


@pytest.mark.parametrize("block_px", [64, 100])
def test_blocks_do_not_matter(block_px: int) -> None:
    rng = np.random.default_rng(3)
    shape = (300, 300)
    road, faint = np.zeros(shape, bool), np.zeros(shape, bool)
    for _ in range(14):
        a, b = rng.uniform(0, 300, (2, 2))
        faint |= bar(shape, tuple(a), tuple(b), 6)
        road |= bar(shape, tuple(a), tuple(a + 0.4 * (b - a)), 6)
        road |= bar(shape, tuple(a + 0.6 * (b - a)), tuple(b), 6)
    levels = levels_of(shape, road, faint)
    whole, tiled = (network_of(levels, VectorizeParams(rim_m=0), block_px=n) for n in (1024, block_px))
    assert whole.bridged_m.sum() > 0
    assert same(whole, tiled)
