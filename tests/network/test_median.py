"""Dual carriageways: the strip between them, rungs across it, and what looks like one and is none."""

from __future__ import annotations

import numpy as np
import pytest
from network_drawings import bar, network_of, same
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from georoads.network.params import VectorizeParams
from georoads.network.types import NodeKind, RoadNetwork

SHAPE = (120, 320)
ROADS = (45.5, 69.5)
"""Rows of the two middle lines: roads of 14 pixels, and 10 pixels of grass."""
JOINED = VectorizeParams(median_m=0.0)


def dual_carriageway(strip: float, rungs: dict[int, float], width: int = 8) -> NDArray[np.uint8]:
    """p = 1 on both roads and ``strip`` between them; rungs of other p across it, by column. Soft."""
    p = np.zeros(SHAPE)
    for row in ROADS:
        p[bar(SHAPE, (-5, row), (325, row), 14)] = 1.0
    p[52:63] = np.where(p[52:63] == 1, 1, strip)
    for col, value in rungs.items():
        p[52:63, col - width // 2 : col + width // 2] = value
    return np.asarray(np.rint(254 * gaussian_filter(p, 1.0, mode="nearest")), np.uint8)


def junctions(network: RoadNetwork) -> int:
    return int((network.node_kind == NodeKind.JUNCTION).sum())


@pytest.mark.parametrize("strip", [0.0, 0.45, 0.6, 0.85])
def test_carriageways_with_a_dip_between_them_are_two_lines(strip: float) -> None:
    network = network_of(dual_carriageway(strip, {}), VectorizeParams())
    assert (network.n_edges, junctions(network)) == (2, 0)
    rows = sorted(float(np.median(network.line(i)[:, 1])) for i in range(2))
    assert rows == pytest.approx(ROADS, abs=2.0)


def test_without_it_they_are_one_line_in_the_middle_of_both() -> None:
    network = network_of(dual_carriageway(0.6, {}), JOINED)
    assert network.n_edges == 1
    assert np.median(network.points[:, 1]) == pytest.approx(np.mean(ROADS), abs=2.0)


def test_faint_rungs_go() -> None:
    levels = dual_carriageway(0.1, {60: 0.7, 110: 0.8, 200: 0.6, 260: 0.75})
    assert junctions(network_of(levels, JOINED)) == 8
    network = network_of(levels, VectorizeParams())
    assert (network.n_edges, junctions(network)) == (2, 0)


@pytest.mark.parametrize("strip", [0.1, 0.6])
def test_a_crossing_as_sure_as_the_roads_stays(strip: float) -> None:
    levels = dual_carriageway(strip, {80: 0.7, 160: 1.0, 240: 0.7}, width=14)
    network = network_of(levels, VectorizeParams())
    assert (network.n_edges, junctions(network)) == (5, 2)
    assert network.node_xy[network.node_kind == NodeKind.JUNCTION][:, 0] == pytest.approx(160, abs=2.0)


def test_a_ladder_of_sure_rungs_stays() -> None:
    levels = dual_carriageway(0.0, {60: 1.0, 160: 1.0, 260: 1.0}, width=14)
    assert junctions(network_of(levels, VectorizeParams())) == 6


def test_a_shadow_across_a_road_does_not_cut_it() -> None:
    p = np.where(bar(SHAPE, (-5, 60.5), (325, 60.5), 20), 1.0, 0.0)
    p[:, 150:158] *= 0.6
    levels = np.rint(254 * gaussian_filter(p, 1.0)).astype(np.uint8)
    assert network_of(levels, VectorizeParams()).n_edges == 1


def test_a_short_dip_along_a_road_does_not_divide_it() -> None:
    p = np.where(bar(SHAPE, (-5, 60.5), (325, 60.5), 24), 1.0, 0.0)
    p[57:64, 150:175] = 0.6  # 12.5 m: a lorry, a tree
    assert network_of(np.rint(254 * p).astype(np.uint8), VectorizeParams()).n_edges == 1


def test_of_a_mask_nothing_is_taken() -> None:
    levels = np.where(dual_carriageway(0.0, {100: 1.0, 200: 1.0}) >= 127, 254, 0).astype(np.uint8)
    whole, cut = (network_of(levels, p) for p in (JOINED, VectorizeParams()))
    assert same(whole, cut)


@pytest.mark.parametrize("block_px", [9, 50, 64])
def test_blocks_do_not_matter(block_px: int) -> None:
    levels = dual_carriageway(0.6, {80: 0.7, 160: 1.0, 240: 0.7}, width=14)
    levels[40:75, 20:24] = 255
    whole, tiled = (network_of(levels, VectorizeParams(), block_px=n) for n in (1024, block_px))
    assert junctions(whole) == 2
    assert same(whole, tiled)
