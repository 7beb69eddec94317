"""The ridge of p: roads whose mask is wider on one side than on the other, and masks with uneven sides."""

from __future__ import annotations

import numpy as np
import pytest
from network_drawings import bar, drawn_network, network_of, same
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from georoads.network.params import VectorizeParams
from georoads.network.types import RoadNetwork

SHAPE = (80, 400)
ROAD = 40.0
"""The row of the road's middle."""
FLAT = VectorizeParams(ridge_m=0.0)


def beside(shoulder: float, width: int = 6) -> NDArray[np.uint8]:
    """A road of 12 pixels with p = 1; south of it a strip of that width and that p."""
    p = np.zeros(SHAPE)
    p[34:46] = 1.0
    p[46 : 46 + width] = shoulder
    return np.asarray(np.rint(254 * p), np.uint8)


def off(network: RoadNetwork) -> NDArray[np.float64]:
    """Rows south of the road's middle, of the one line's points."""
    assert network.n_edges == 1
    return network.line(0)[:, 1] - ROAD


def test_the_ridge_is_followed_where_it_lies_off_the_masks_middle() -> None:
    levels = beside(0.6)
    assert off(network_of(levels, FLAT)) == pytest.approx(3.0, abs=0.1)
    assert off(network_of(levels, VectorizeParams())) == pytest.approx(0.0, abs=0.3)


@pytest.mark.parametrize(("params", "lies"), [(FLAT, 3.0), (VectorizeParams(), 0.0)])
def test_the_ridge_is_followed_along_a_road_aslant(params: VectorizeParams, lies: float) -> None:
    shape, start, stop = (300, 300), np.array([-20.0, 30.0]), np.array([320.0, 230.0])
    south = np.array([-200.0, 340.0]) / np.hypot(340, 200)
    p = np.where(bar(shape, tuple(start + 6 * south), tuple(stop + 6 * south), 12), 0.65, 0.0)
    p[bar(shape, tuple(start), tuple(stop), 12)] = 1.0
    network = network_of(np.rint(254 * p).astype(np.uint8), params)
    assert network.n_edges == 1
    inner = network.line(0)[(network.line(0)[:, 0] > 30) & (network.line(0)[:, 0] < 270)]
    assert (inner - start) @ south == pytest.approx(lies, abs=0.5)
    # The ends move along the scene's edge, so not quite as far.
    assert set(network.line(0)[[0, -1], 0]) == {0.5, 299.5}
    assert (network.line(0)[[0, -1]] - start) @ south == pytest.approx(lies, abs=1.5)


def test_a_wide_surface_beside_the_road_is_no_skirt() -> None:
    levels = beside(0.6, width=16)
    assert same(network_of(levels, VectorizeParams()), network_of(levels, FLAT))


def test_a_road_that_is_as_sure_on_both_sides_stays_in_the_middle() -> None:
    levels = beside(1.0)
    assert off(network_of(levels, VectorizeParams())) == pytest.approx(3.0, abs=0.1)


@pytest.mark.parametrize("seed", range(8))
def test_masks_of_nought_and_one_have_no_ridge(seed: int) -> None:
    drawn = drawn_network(seed)
    levels = np.where((drawn >= 128) & (drawn != 255), np.uint8(254), np.where(drawn == 255, drawn, 0))
    assert same(network_of(levels, VectorizeParams()), network_of(levels, FLAT))


def wobbly(seed: int) -> NDArray[np.uint8]:
    """A straight road of 12 pixels. Both its sides stray, each for itself, by 0.8 pixels (0.4 m) from their
    places, over some 3 pixels alike."""
    strays = gaussian_filter1d(np.random.default_rng(seed).normal(size=(2, SHAPE[1])), 1.5, axis=1)
    north, south = 0.8 * strays / strays.std(axis=1, keepdims=True)
    row = np.arange(SHAPE[0])[:, None] + 0.5
    return np.where((row > ROAD - 6 + north) & (row < ROAD + 6 + south), np.uint8(254), np.uint8(0))


@pytest.mark.parametrize("seed", range(6))
def test_a_straight_road_is_straight_though_its_sides_wobble(seed: int) -> None:
    line = network_of(wobbly(seed), VectorizeParams()).line(0)
    row = np.interp(np.arange(20, SHAPE[1] - 20), line[:, 0], line[:, 1])
    assert np.abs(row - ROAD).max() * 0.5 <= 0.4
