"""Wide roads are two: drawn roads of 30 m and what joins them, leaves them and only looks like one."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from network_drawings import bar, drawn_levels, drawn_network, network_of, same
from network_steps import run_mask
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter
from soundness import check_sound

from georoads.network.mask.points import holds, steps_inside
from georoads.network.params import VectorizeParams
from georoads.network.types import Carriageway, NodeKind, RoadNetwork

SHAPE = (500, 700)
WIDE, MIDDLE = 60, 250.5
"""Pixels of half a metre: a road of 30 m along a row."""
SINGLE = VectorizeParams(dual_m=0)
LEFT, RIGHT, UNTOLD = Carriageway.LEFT, Carriageway.RIGHT, Carriageway.UNTOLD
Mask = NDArray[np.bool_]


def road(start: float = -10, stop: float = 710, width: float = WIDE) -> Mask:
    """From west to east."""
    return bar(SHAPE, (start, MIDDLE), (stop, MIDDLE), width)


def street(x: float, y: float, to_x: float, to_y: float, width: float = 14) -> Mask:
    return bar(SHAPE, (x, y), (to_x, to_y), width)


def traced(mask: Mask, **changes: Any) -> RoadNetwork:
    """The network of a drawing as a model would see it: not quite sharp."""
    soft = gaussian_filter(mask.astype(float), 2, mode="nearest")
    network = network_of(np.rint(254 * soft).astype(np.uint8), replace(VectorizeParams(), **changes))
    check_sound(network)
    return network


def kinds(network: RoadNetwork) -> tuple[int, int, int]:
    """Numbers of junctions, of ends and of places where roads leave the scene."""
    count = np.bincount(network.node_kind, minlength=4)
    return int(count[NodeKind.JUNCTION]), int(count[NodeKind.END]), int(count[NodeKind.SCENE_EDGE])


def rows_at(network: RoadNetwork, x: float) -> list[float]:
    """Where the lines pass a column, from north to south."""
    found = []
    for edge in range(network.n_edges):
        line = network.line(edge)
        for a, b in pairwise(line):
            if min(a[0], b[0]) <= x < max(a[0], b[0]):
                found.append(a[1] + (b[1] - a[1]) * (x - a[0]) / (b[0] - a[0]))
    return sorted(float(row) for row in found)


APART = pytest.approx([MIDDLE - 15, MIDDLE + 15], abs=1.5)
"""The middles of both carriageways."""


def test_a_wide_road_is_two_lines_that_leave_the_scene_apart() -> None:
    network = traced(road())
    assert (network.n_edges, kinds(network)) == (2, (0, 0, 4))
    assert rows_at(network, 100) == rows_at(network, 600) == APART
    assert network.width_m == pytest.approx([14.5, 14.5], abs=0.6)
    # Both lead from west to east: the northern one is on the left.
    assert network.carriageway.tolist() == [LEFT, RIGHT]


def test_without_the_parameter_it_is_one() -> None:
    network = traced(road(), dual_m=0)
    assert network.n_edges == 1
    assert network.width_m == pytest.approx([30], abs=0.6)
    assert network.carriageway.tolist() == [UNTOLD]


@pytest.mark.parametrize("width", [36, 48, 56])
def test_the_width_decides(width: int) -> None:
    assert traced(road(width=width)).n_edges == (2 if width / 2 > VectorizeParams().dual_m else 1)


def test_a_road_aslant_leaves_the_scene_apart() -> None:
    network = traced(bar(SHAPE, (-10, 80), (710, 420), WIDE))
    assert (network.n_edges, kinds(network)) == (2, (0, 0, 4))
    # Along each line the distance from the middle is the same.
    way = np.array([720, 340]) / np.hypot(720, 340)
    for edge in range(2):
        away = (network.line(edge) - [-10, 80]) @ [-way[1], way[0]]
        assert np.abs(np.abs(away) - 15).max() < 2.5


def test_a_bend_keeps_both_carriageways_beside_each_other() -> None:
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]] + 0.5
    network = traced(np.abs(np.hypot(x - 350, y - 700) - 450) < 30)
    assert (network.n_edges, kinds(network)) == (2, (0, 0, 4))
    radii = [np.hypot(*(network.line(edge) - [350, 700]).T) for edge in range(2)]
    assert sorted(float(np.median(r)) for r in radii) == pytest.approx([435, 465], abs=1.5)
    assert max(float(np.ptp(r)) for r in radii) < 4
    assert sorted(network.carriageway.tolist()) == [LEFT, RIGHT]


def test_a_narrower_road_begins_where_both_carriageways_end() -> None:
    network = traced(road(stop=350) | road(start=340, width=16))
    assert (network.n_edges, kinds(network)) == (3, (1, 0, 3))
    assert rows_at(network, 200) == APART
    assert rows_at(network, 500) == pytest.approx([MIDDLE], abs=0.5)
    single = np.argmin(network.width_m)
    assert network.carriageway[single] == UNTOLD
    assert (np.delete(network.carriageway, single) > 0).all()


@pytest.mark.parametrize("to_x", [300.5, 420])
def test_a_side_street_joins_the_nearer_carriageway_only(to_x: float) -> None:
    network = traced(road() | street(300.5, MIDDLE, to_x, 510))
    assert (network.n_edges, kinds(network)) == (4, (1, 0, 5))
    junction = network.node_xy[network.node_kind == NodeKind.JUNCTION][0]
    assert junction[1] == pytest.approx(MIDDLE + 15, abs=2)
    assert rows_at(network, 310)[:2] == pytest.approx([MIDDLE - 15, MIDDLE + 15], abs=2.5)


@pytest.mark.parametrize(("top", "bottom", "width"), [(300, 300, 14), (300, 300, 24), (250, 400, 14)])
def test_a_street_that_crosses_crosses_both(top: float, bottom: float, width: float) -> None:
    network = traced(road() | street(top + 0.5, -10, bottom + 0.5, 510, width))
    assert (network.n_edges, kinds(network)) == (7, (2, 0, 6))
    junctions = network.node_xy[network.node_kind == NodeKind.JUNCTION]
    assert junctions[:, 1].tolist() == pytest.approx([MIDDLE - 15, MIDDLE + 15], abs=1.5)
    # The short piece between them is a part of the street.
    between = network.edge_nodes.tolist().index(network.node_id[network.node_kind == 0].tolist())
    assert network.length_m[between] == pytest.approx(15, abs=2)
    assert network.carriageway[between] == UNTOLD


def test_streets_that_do_not_face_each_other_do_not_cross() -> None:
    network = traced(road() | street(300.5, -10, 300.5, MIDDLE) | street(400.5, MIDDLE, 400.5, 510))
    assert (network.n_edges, kinds(network)) == (6, (2, 0, 6))


def test_two_wide_roads_cross_in_four_nodes() -> None:
    network = traced(road() | street(350.5, -10, 350.5, 510, WIDE))
    assert (network.n_edges, kinds(network)) == (12, (4, 0, 8))
    junctions = network.node_xy[network.node_kind == NodeKind.JUNCTION] - [350.5, MIDDLE]
    assert np.abs(junctions) == pytest.approx(15, abs=1.5)


def test_a_wide_road_that_ends_at_another_joins_its_nearer_carriageway() -> None:
    network = traced(road() | street(350.5, MIDDLE, 350.5, 510, WIDE))
    assert (network.n_edges, kinds(network)) == (6, (2, 0, 6))
    assert (network.node_xy[network.node_kind == NodeKind.JUNCTION][:, 1] > MIDDLE + 10).all()


def test_a_wide_road_that_ends_at_a_street_joins_it_twice() -> None:
    network = traced(road(stop=500) | street(500.5, -10, 500.5, 510, 16))
    assert (network.n_edges, kinds(network)) == (5, (2, 0, 4))


def test_carriageways_that_part_go_on_without_a_node() -> None:
    network = traced(road(stop=350) | street(330, 236, 710, 150, 28) | street(330, 265, 710, 350, 28))
    assert (network.n_edges, kinds(network)) == (2, (0, 0, 4))


def test_where_a_road_is_wide_for_a_short_way_it_is_one() -> None:
    assert traced(road(300, 400) | road(width=16)).n_edges == 1


def test_where_it_is_narrow_for_a_short_way_it_is_two() -> None:
    mask = road()
    mask[:, 340:360] &= road(width=32)[:, 340:360]
    assert (traced(mask).n_edges, kinds(traced(mask))) == (2, (0, 0, 4))


@pytest.mark.parametrize("size", [(200, 200), (300, 90)])
def test_a_plaza_and_a_car_park_are_no_road(size: tuple[int, int]) -> None:
    length, width = size
    network = traced(road(350 - length / 2, 350 + length / 2, width) | road(width=16))
    assert network.n_edges == 1


def test_a_ring_stays_one() -> None:
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]] + 0.5
    network = traced(np.abs(np.hypot(x - 350, y - 250) - 180) < 30)
    assert (network.n_edges, network.carriageway.tolist()) == (1, [UNTOLD])


def test_a_road_is_divided_where_its_median_is_seen_and_beyond() -> None:
    """A dip of p for a part of the way, which alone makes a loop."""
    p = gaussian_filter(road().astype(float), 2, mode="nearest")
    p[246:255, 60:330] = 0.7
    levels = np.rint(254 * p).astype(np.uint8)
    single, network = (network_of(levels, params) for params in (SINGLE, VectorizeParams()))
    assert kinds(single) == (1, 0, 1)
    assert (network.n_edges, kinds(network)) == (2, (0, 0, 4))


@pytest.mark.parametrize("block_px", [40, 97])
def test_blocks_do_not_matter(block_px: int) -> None:
    mask = road() | street(250.5, -10, 400.5, 510) | street(500.5, MIDDLE, 500.5, 510, WIDE)
    levels = np.where(mask, 254, 0).astype(np.uint8)
    levels[:, 30:50] = 255
    whole, tiled = (network_of(levels, VectorizeParams(), block_px=n) for n in (1024, block_px))
    assert (whole.carriageway > 0).any()
    assert same(whole, tiled)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(0, 40, 2))
def test_whatever_is_divided_the_network_is_sound(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken, bent and noisy roads, of which those of 5 m are taken for wide ones."""
    monkeypatch.setattr("georoads.network.carriageways.stretches.LEAST_M", 30.0)
    for levels in (drawn_levels(seed), drawn_network(seed)):
        params = VectorizeParams(dual_m=5)
        network = network_of(levels, params)
        check_sound(network)
        assert same(network, network_of(levels, params, block_px=64))


def test_places_in_a_mask() -> None:
    mask = road(100.5, 200.5, 20)
    places = np.array([[[99.5, 250.0], [101.5, 241.5]], [[150.0, 240.0], [-5.0, 1e6]]])
    assert holds(run_mask(mask), places).tolist() == [[False, True], [False, False]]
    steps = steps_inside(run_mask(mask), np.array([[150.5, 250.5]] * 2), np.array([[0, -0.5], [1, 0]]), 30)
    assert steps.tolist() == [19, 30]
