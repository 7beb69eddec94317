"""Junctions as a road engineer would draw them: bars of known middles, and where their lines meet."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from network_drawings import bar, network_of
from numpy.typing import NDArray
from soundness import check_sound

from georoads.network.params import VectorizeParams
from georoads.network.types import NodeKind, RoadNetwork

Place = tuple[float, float]
Road = tuple[Place, Place, float]
SHAPE = (240, 240)
GSD = 0.5


def network_with(*roads: Road) -> RoadNetwork:
    """The network of bars, each from one (x, y) to another and so many pixels wide."""
    mask = np.zeros(SHAPE, bool)
    for start, stop, width in roads:
        mask |= bar(SHAPE, start, stop, width)
    network = network_of(mask, VectorizeParams(), GSD)
    check_sound(network)
    return network


def towards(x: float, y: float, degrees: float, length: float = 400.0) -> Place:
    """The place so far from (x, y), counted from east over south."""
    return x + length * float(np.cos(np.radians(degrees))), y + length * float(np.sin(np.radians(degrees)))


def junctions(network: RoadNetwork) -> list[list[float]]:
    """Where they are, in reading order."""
    found: list[list[float]] = network.node_xy[network.node_kind == NodeKind.JUNCTION].tolist()
    return found


def arms(network: RoadNetwork) -> list[tuple[int, NDArray[np.float64]]]:
    """Node id and points, outwards, of every arm of a junction."""
    at = set(network.node_id[network.node_kind == NodeKind.JUNCTION].tolist())
    lines = [(network.edge_nodes[i], network.line(i)) for i in range(network.n_edges)]
    both = [(int(ends[k]), line[:: 1 - 2 * k]) for ends, line in lines for k in (0, 1)]
    return [(node, line) for node, line in both if node in at]


def place(line: NDArray[np.float64], metres: float) -> NDArray[np.float64]:
    """The place on a line so far from its first point."""
    along = np.concatenate(([0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T)))) * GSD
    return np.array([np.interp(metres, along, line[:, k]) for k in (0, 1)])


def worst_kink_deg(network: RoadNetwork) -> float:
    """The largest angle between an arm's first 5 m and its course from 10 to 25 m."""
    worst = 0.0
    for _, line in arms(network):
        near, far = place(line, 5) - place(line, 0), place(line, 25) - place(line, 10)
        cos = near @ far / (np.hypot(*near) * np.hypot(*far))
        worst = max(worst, float(np.degrees(np.arccos(min(1.0, cos)))))
    return worst


def least_apart_px(network: RoadNetwork, metres: float) -> float:
    """How near two arms of a junction still are so far from it."""
    pairs = [(a, b) for (m, a), (n, b) in combinations(arms(network), 2) if m == n]
    return min(float(np.hypot(*(place(a, metres) - place(b, metres)))) for a, b in pairs)


MAIN: Road = ((-9, 120.5), (249, 120.5), 12)
"""A road of 6 m from west to east."""


@pytest.mark.parametrize(("degrees", "off_px"), [(90, 1.0), (55, 2.0), (40, 4.5)])
def test_a_side_street_meets_the_road_where_its_own_middle_leads(degrees: float, off_px: float) -> None:
    """Also an acute one: it is not bent square, and the road beside it stays straight."""
    network = network_with(MAIN, ((110.5, 120.5), towards(110.5, 120.5, degrees), 8))
    (x, y), *others = junctions(network)
    assert not others
    assert np.hypot(x - 110.5, y - 120.5) < off_px
    assert worst_kink_deg(network) < 15


@pytest.mark.parametrize("degrees", [90, 50, 35])
def test_two_roads_that_cross_meet_once(degrees: float) -> None:
    """Aslant, their skeleton forks twice, farther apart than either road is wide."""
    start, stop = towards(120.5, 120.5, degrees, -400), towards(120.5, 120.5, degrees)
    network = network_with(MAIN, (start, stop, 10))
    assert junctions(network) == [pytest.approx([120.5, 120.5], abs=1.5)]
    assert worst_kink_deg(network) < 15


@pytest.mark.parametrize(("shift", "count"), [(0, 1), (6, 1), (30, 2)])
def test_side_streets_that_overlap_across_the_road_are_one_crossing(shift: float, count: int) -> None:
    """Of 5 m each: with middles 3 m apart they are an X, with 15 m between them two Ts."""
    north, south = ((120.5, 120.5), (120.5, -9), 10), ((120.5 + shift, 120.5), (120.5 + shift, 249), 10)
    network = network_with(MAIN, north, south)
    assert len(junctions(network)) == count
    assert worst_kink_deg(network) < 35


def test_where_carriageways_part_both_leave_gently_and_not_side_by_side() -> None:
    one, other = ((118, 113.5), (249, 113.5), 10.0), ((118, 127.5), (249, 127.5), 10.0)
    network = network_with(((-9, 120.5), (118, 120.5), 24), one, other)
    assert len(junctions(network)) == 1
    assert worst_kink_deg(network) < 35
    assert least_apart_px(network, 15) > 10


def test_a_corner_close_to_a_junction_stays_a_corner() -> None:
    """A street that turns square 12 m from its junction is no bend of the skeleton."""
    network = network_with(MAIN, ((80.5, 120.5), (80.5, 148.5), 8), ((76.5, 144.5), (249, 144.5), 8))
    ends = [line for _, line in arms(network) if line[:, 1].max() > 140]
    assert len(ends) == 1
    corner = np.hypot(*(ends[0] - [80.5, 144.5]).T).min()
    assert corner < 4
