"""TOPO and nodes: drawn cases by hand, what does not count, and slow oracles."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from drawn_layers import LOCAL, graph, moved, random_town, redrawn, town
from slow_scores import SlowGraph, slow_matches, slow_reached, slow_topo

from georoads.scoring.matching import matched_count
from georoads.scoring.nodes import match_nodes
from georoads.scoring.params import ScoreParams
from georoads.scoring.places import Places
from georoads.scoring.road_graph import RoadGraph, road_graph
from georoads.scoring.routes import Routes
from georoads.scoring.score import score
from georoads.scoring.topo import Topo, _find_reached, topo

DEFAULT = ScoreParams()
MAIN = [(0, 0), (50, 0), (100, 0)]
SIDE = [(50, 0), (50, 50)]


def counts(found: Topo) -> tuple[int, int, int]:
    return found.holes, found.marbles, found.matched


def reached(found: RoadGraph, along_m: float, params: ScoreParams) -> list[tuple[float, float]]:
    """Places reached from a seed on the first edge."""
    seed = Places(np.array([0]), np.array([along_m]))
    rows = Routes(found).lengths_to_nodes(seed, params.topo_radius_m)
    return sorted(map(tuple, _find_reached(found, seed, rows[0], params).round(6).tolist()))


def test_places_at_whole_steps() -> None:
    step = ScoreParams(topo_step_m=10, topo_radius_m=25)
    assert reached(graph([(0, 0), (100, 0)]), 50, step) == [(30, 0), (40, 0), (50, 0), (60, 0), (70, 0)]
    # The end of the road is reached at a whole step: once. A step further there is nothing.
    assert reached(graph([(0, 0), (100, 0)]), 10, step) == [(0, 0), (10, 0), (20, 0), (30, 0)]
    assert reached(graph([(0, 0), (100, 0)]), 0, step) == [(0, 0), (10, 0), (20, 0)]


def test_places_beyond_a_junction() -> None:
    #         |
    #  --20-- + -----    the junction lies at a whole step: one place, not one per road
    step = ScoreParams(topo_step_m=10, topo_radius_m=30)
    star = graph([(0, 0), (40, 0)], [(40, 0), (80, 0)], [(40, 0), (40, 40)])
    assert reached(star, 20, step) == [(0, 0), (10, 0), (20, 0), (30, 0), (40, 0), (40, 10), (50, 0)]


def test_a_ring_is_gone_around_from_both_sides_once() -> None:
    ring, params = graph([(0, 0), (20, 0), (20, 20), (0, 20), (0, 0)]), ScoreParams(topo_step_m=10)
    around = [(0, 0), (0, 10), (0, 20), (10, 0), (10, 20), (20, 0), (20, 10), (20, 20)]
    assert reached(ring, 0, params) == reached(ring, 10, params) == around
    assert len(reached(ring, 3, params)) == 8


def test_half_of_the_road_is_missing() -> None:
    #  seeds at 25 and 75 m, holes each 10 m up to 20 m: 5 each. The second seed has no partner.
    params = ScoreParams(topo_step_m=10, topo_radius_m=20, topo_match_m=4)
    found = topo(graph([(0, 0), (50, 0)]), graph([(0, 0), (100, 0)]), params)
    assert counts(found) == (10, 5, 5)
    assert (found.precision, found.recall, found.f1) == pytest.approx((1.0, 0.5, 2 / 3))
    assert (found.seeds, found.possible_seeds, found.unmatched_seeds) == (2, 2, 1)


def test_missing_side_street() -> None:
    #  Seeds in the middle of three roads of 50 m, 9 holes each up to 40 m. Those on the main road find the
    #  7 on it; that on the side street has no partner.
    params = ScoreParams(topo_step_m=10, topo_radius_m=40, topo_match_m=4)
    found = topo(graph(MAIN), graph(MAIN, SIDE), params)
    assert counts(found) == (27, 14, 14)
    assert (found.precision, found.recall) == (1.0, 14 / 27)
    # The other way around the street is false: from two seeds on the one road, 2 of 9 marbles are wrong.
    false = topo(graph(MAIN, SIDE), graph(MAIN), params)
    assert counts(false) == (14, 18, 14)
    assert (false.precision, false.recall) == (14 / 18, 1.0)


def test_a_gap_hides_what_lies_behind() -> None:
    #  0----48  52----100   seeds at 25 and 75: each sees its own half of the 11 holes within 50 m
    params = ScoreParams(topo_step_m=10, topo_radius_m=50, topo_match_m=4)
    found = topo(graph([(0, 0), (48, 0)], [(52, 0), (100, 0)]), graph([(0, 0), (100, 0)]), params)
    assert counts(found) == (16, 10, 10)


def test_crossing_without_a_vertex_leads_nowhere() -> None:
    params = ScoreParams(topo_step_m=10, topo_radius_m=60, topo_match_m=4)
    bridge = graph([(0, 0), (100, 0)], [(50, -50), (50, 50)])
    assert topo(bridge, bridge, params).f1 == 1.0
    junction = graph(MAIN, [(50, -50), (50, 0), (50, 50)])
    found = topo(junction, bridge, params)
    # Each of the four seeds lies 25 m from an end of its road: itself, 2 places on one side, 6 on the other.
    # With the junction also those at 30, 40, 50 and 60 m on both arms of the other road: 8 false ones.
    assert counts(found) == (4 * 9, 4 * 17, 4 * 9)


def test_empty() -> None:
    road, none = graph([(0, 0), (100, 0)]), graph()
    for score_of in (lambda a, b: topo(a, b, DEFAULT), lambda a, b: match_nodes(a, b, 8.0)):
        found = [score_of(a, b) for a, b in ((none, none), (road, none), (none, road))]
        assert [(f.precision, f.recall, f.f1) for f in found] == [(1, 1, 1), (0, 0, 0), (0, 0, 0)]


def test_nothing_near_is_zero() -> None:
    found = topo(graph([(0, 90), (100, 90)]), graph([(0, 0), (100, 0)]), DEFAULT)
    assert (found.precision, found.recall, found.f1, found.unmatched_seeds) == (0, 0, 0, 2)


@pytest.mark.parametrize("seed", range(4))
def test_agrees_with_the_slow_one(seed: int) -> None:
    layers = random_town(10 * seed, size=3), random_town(10 * seed + 1, size=3)
    params = ScoreParams(topo_radius_m=90, topo_step_m=6.5, topo_match_m=5)
    reference, proposal = (road_graph(layer, LOCAL) for layer in layers)
    ours, other = (SlowGraph([list(line.coords) for line in layer.lines]) for layer in layers)
    found = topo(proposal, reference, params)
    assert counts(found) == slow_topo(ours, other, params)
    assert 0.1 < found.f1 < 0.999


@pytest.mark.parametrize("seed", range(4))
def test_places_agree_with_the_slow_ones(seed: int) -> None:
    layer = random_town(seed, size=3)
    params = ScoreParams(topo_radius_m=200)
    slow = SlowGraph([list(line.coords) for line in layer.lines])
    fast = road_graph(layer, LOCAL)
    for e in range(0, len(slow.edges), 3):
        expected = sorted((round(x, 4), round(y, 4)) for x, y in slow_reached(slow, (e, 11.0), 5.5, 200.0))
        start = slow.point_at(e, 11.0)
        own = int(fast.pieces.tree.nearest(shapely.Point(start)))
        edge = int(fast.pieces.line[own])
        along = fast.piece_from_m[own] + float(np.hypot(*(np.array(start) - fast.pieces.start[own])))
        seed_place = Places(np.array([edge]), np.array([along]))
        rows = Routes(fast).lengths_to_nodes(seed_place, 200.0)
        found = _find_reached(fast, seed_place, rows[0], params)
        assert np.array(sorted(map(tuple, found.round(4).tolist()))) == pytest.approx(np.array(expected))


def test_direction_density_and_crs_do_not_count() -> None:
    layer, other = random_town(70), random_town(71)
    expected = topo(town(71), town(70), DEFAULT)
    dense = road_graph(redrawn(other, 2.0), LOCAL)
    assert counts(topo(dense, town(70), DEFAULT)) == counts(expected)
    for crs in ("EPSG:4326", "EPSG:32632"):
        found = score(moved(other, crs), moved(layer, crs))
        assert found.topo.f1 == pytest.approx(expected.f1, abs=2e-3)
        assert found.nodes == match_nodes(town(71), town(70), 8.0)


def test_seeds_are_drawn_and_said() -> None:
    layer, other = town(70), town(71)
    whole = topo(other, layer, DEFAULT)
    assert whole.seeds == whole.possible_seeds > 20
    some = topo(other, layer, ScoreParams(topo_seeds=8))
    assert (some.seeds, some.possible_seeds) == (8, whole.possible_seeds)
    assert some == topo(other, layer, ScoreParams(topo_seeds=8))
    assert some != topo(other, layer, ScoreParams(topo_seeds=8, seed=1))


def test_one_to_one() -> None:
    #  reference  a  b      b fits both, a only the first: greedy by distance would match but one
    a, b = np.array([[0.0, 0.0], [2.0, 0.0]]), np.array([[1.5, 0.0], [4.5, 0.0]])
    assert matched_count(a, b, 2.6) == 2
    assert matched_count(a, b[:1], 9.0) == 1
    assert matched_count(a, b[:0], 9.0) == 0
    assert matched_count(a, a, 1e-9) == 2


@pytest.mark.parametrize("seed", range(10))
def test_matching_agrees_with_the_slow_one(seed: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.uniform(0, 30, (40, 2)), rng.uniform(0, 30, (35, 2))
    found = matched_count(a, b, 3.0)
    assert found == slow_matches(list(map(tuple, a.tolist())), list(map(tuple, b.tolist())), 3.0)
    assert 5 < found < 35


def test_nodes_by_hand() -> None:
    #  reference: a T with 4 nodes. Proposal: its junction is two, 6 m apart, and the street ends 20 m early.
    reference = graph(MAIN, SIDE)
    split = graph([(0, 0), (47, 0), (53, 0), (100, 0)], [(47, 0), (47, 30)], [(53, 0), (53, -30)])
    found = match_nodes(split, reference, 8.0)
    assert (found.reference, found.proposal, found.matched) == (4, 6, 3)
    assert (found.precision, found.recall, found.f1) == pytest.approx((0.5, 0.75, 0.6))
    # A bend and a joint of two lines are no nodes.
    assert match_nodes(graph([(0, 0), (30, 9)], [(30, 9), (60, 0)]), graph(), 8.0).proposal == 2
