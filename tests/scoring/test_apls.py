"""APLS: drawn cases by hand, what does not count, a slow oracle, and the authors' example."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from drawn_layers import LOCAL, graph, moved, random_town, redrawn, roads, town
from slow_scores import SlowGraph, slow_apls

from georoads.output.read import read_roads
from georoads.scoring.apls import Apls, apls, control_points
from georoads.scoring.matching import harmonic
from georoads.scoring.nodes import match_nodes
from georoads.scoring.params import ScoreParams
from georoads.scoring.places import locate
from georoads.scoring.road_graph import RoadGraph, road_graph
from georoads.scoring.score import score
from georoads.scoring.topo import topo

DEFAULT = ScoreParams()
EXAMPLE = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "apls_example"
MAIN = [(0, 0), (100, 0), (200, 0)]
SIDE = [(100, 0), (100, 100)]


def both(found: Apls) -> tuple[float, float]:
    return found.reference_onto_proposal.score, found.proposal_onto_reference.score


def drawn(found: RoadGraph, spacing: float = 50.0, curvature: float = 0.0) -> list[tuple[float, float]]:
    return sorted(map(tuple, locate(found, control_points(found, spacing, curvature)).round(6).tolist()))


def test_control_points() -> None:
    assert drawn(graph([(0, 0), (200, 0)])) == [(0, 0), (50, 0), (100, 0), (150, 0), (200, 0)]
    # 180 m: four equal parts, from whichever end; 40 m: halves; 37 m: below 0.75 of the spacing
    assert drawn(graph([(180, 0), (0, 0)])) == [(0, 0), (45, 0), (90, 0), (135, 0), (180, 0)]
    assert drawn(graph([(0, 0), (40, 0)])) == [(0, 0), (20, 0), (40, 0)]
    assert drawn(graph([(0, 0), (37, 0)])) == [(0, 0), (37, 0)]
    # A ring of 30 m: its node, and the place opposite
    assert drawn(graph([(0, 0), (10, 0), (10, 5), (0, 5), (0, 0)])) == [(0, 0), (10, 5)]
    # An L of 100 + 100 m has a box with a diagonal of 141.4 m: curvature 0.293
    bend = graph([(0, 0), (100, 0), (100, 100)])
    assert len(drawn(bend, 50, 0.29)) == 5
    assert len(drawn(bend, 50, 0.30)) == 2


def test_straight_road_with_a_gap() -> None:
    #  reference  0-----------------------400     9 control points
    #  proposal   0---------180  220------400     that at 200 m has no partner
    # Of the 36 pairs, the 6 + 6 within either half have a route; the proposal's routes all exist.
    gap = graph([(0, 0), (180, 0)], [(220, 0), (400, 0)])
    found = apls(gap, graph([(0, 0), (400, 0)]), DEFAULT)
    assert both(found) == pytest.approx((12 / 36, 1.0))
    assert found.score == pytest.approx(1 / 2)
    there = found.reference_onto_proposal
    assert (there.control_points, there.snapped, there.sources) == (9, 8, 9)
    assert (there.pairs, there.missing) == (72, 48)


def test_missing_side_street() -> None:
    #        |  100 m: two of the seven control points lie on it
    #  ------+------
    found = apls(graph(MAIN), graph(MAIN, SIDE), DEFAULT)
    assert both(found) == pytest.approx((10 / 21, 1.0))
    assert found.score == pytest.approx(20 / 31)
    false = apls(graph(MAIN, SIDE), graph(MAIN), DEFAULT)
    assert (*both(false), false.score) == pytest.approx((1.0, 10 / 21, 20 / 31))


def test_ring_that_was_opened() -> None:
    #  +-----+ 100   reference: 8 control points, each 50 m around
    #  |     |       proposal: without the southern side, 7 of them
    #  +- - -+       Pairs 250 m apart along the U are 150 m apart on the ring (2), those 300 m are 100 m (1).
    ring = graph([(0, 0), (100, 0), (100, 100), (0, 100), (0, 0)])
    u = graph([(0, 0), (0, 100), (100, 100), (100, 0)])
    found = apls(u, ring, DEFAULT)
    forth = 1 - (2 * (100 / 150) + 1 + 7) / 28  # the last is cut off at 1; 7 pairs lack a partner
    back = 1 - (2 * (100 / 250) + 200 / 300) / 21
    assert both(found) == pytest.approx((forth, back))
    assert found.score == pytest.approx(harmonic(2 / 3, 293 / 315))


def test_crossing_without_a_vertex_is_no_junction() -> None:
    #  The reference crosses on two levels; the proposal has a junction. Its 9 control points make 36 pairs:
    #  16 lead from arm to arm of the other road, 4 from the junction to the road on which it was not snapped.
    bridge = graph([(0, 0), (200, 0)], [(100, -100), (100, 100)])
    junction = graph(MAIN, [(100, -100), (100, 0), (100, 100)])
    found = apls(junction, bridge, DEFAULT)
    assert both(found) == pytest.approx((1.0, 1 - 20 / 36))
    assert found.score == pytest.approx(8 / 13)
    assert apls(bridge, bridge, DEFAULT).score == 1.0
    swapped = apls(bridge, junction, DEFAULT)
    assert both(swapped) == pytest.approx((1 - 20 / 36, 1.0))


def test_doubled_road_has_the_routes_of_the_shorter_one() -> None:
    #  --+====+--   The two ways of 100 m have a control point in the middle each, 0.6 m apart: the route from
    #               one to the other is 100 m, but in the reference both are one place. One pair of 28.
    single = graph([(-50, 0), (0, 0), (100, 0), (150, 0)])
    double = graph([(-50, 0), (0, 0), (100, 0), (150, 0)], [(0, 0), (50, 0.6), (100, 0)])
    found = apls(double, single, DEFAULT)
    assert both(found) == pytest.approx((1.0, 27 / 28), abs=1e-4)


def test_shifted_beyond_the_snap() -> None:
    road = graph([(0, 0), (100, 0)])
    assert apls(graph([(0, 3.9), (100, 3.9)]), road, DEFAULT).score == pytest.approx(1.0)
    assert apls(graph([(0, 4.1), (100, 4.1)]), road, DEFAULT).score == 0.0
    assert apls(graph([(0, 4.1), (100, 4.1)]), road, ScoreParams(apls_snap_m=5)).score == pytest.approx(1.0)


def test_empty() -> None:
    road, none = graph([(0, 0), (100, 0)]), graph()
    found = [apls(a, b, DEFAULT).score for a, b in ((none, none), (road, none), (none, road))]
    assert found == [1.0, 0.0, 0.0]
    assert apls(none, road, DEFAULT).reference_onto_proposal.missing == 6


@pytest.mark.parametrize("seed", range(6))
def test_identity_is_exactly_one(seed: int) -> None:
    same = town(seed)
    assert apls(same, same, DEFAULT).score == topo(same, same, DEFAULT).f1 == 1.0
    assert match_nodes(same, same, 8.0).f1 == 1.0


def test_identity_where_roads_overlap() -> None:
    #  Equally near, equally parallel: the ends decide.
    layer = graph([(0, 0), (100, 0)], [(50, 0), (150, 0)], [(75, 0), (175, 0)], [(60, -50), (60, 50)])
    assert apls(layer, layer, DEFAULT).score == 1.0


@pytest.mark.parametrize("seed", [*range(8), 114, 226])
def test_identity_of_tangles(seed: int) -> None:
    #  Lines on a coarse lattice, which cross, overlap, fold back and touch without a vertex
    rng = np.random.default_rng(seed)
    count, step = rng.integers(1, 12), rng.choice([1.0, 10.0, 50.0])
    lines = [step * rng.integers(-4, 5, (rng.integers(2, 6), 2)) for _ in range(count)]
    tangle = graph(*[line.astype(float) for line in lines])
    assert apls(tangle, tangle, DEFAULT).score == 1.0
    assert topo(tangle, tangle, ScoreParams(topo_step_m=10.0)).f1 == 1.0


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("spacing", [50.0, 15.0])
def test_agrees_with_the_slow_one(seed: int, spacing: float) -> None:
    reference, proposal = random_town(10 * seed), random_town(10 * seed + 1)
    params = ScoreParams(apls_spacing_m=spacing, apls_snap_m=3.0)
    found = both(apls(road_graph(proposal, LOCAL), road_graph(reference, LOCAL), params))
    a, b = (SlowGraph([list(line.coords) for line in layer.lines]) for layer in (reference, proposal))
    assert found == pytest.approx((slow_apls(a, b, spacing, 3.0), slow_apls(b, a, spacing, 3.0)), abs=1e-9)
    assert 0.02 < min(found) < 0.999


def test_direction_and_density_do_not_count() -> None:
    dense = road_graph(redrawn(random_town(71), 2.0), LOCAL)
    expected, found = (both(apls(proposal, town(70), DEFAULT)) for proposal in (town(71), dense))
    assert found == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:32632", "EPSG:3857"])
def test_crs_does_not_count(crs: str) -> None:
    reference, proposal = random_town(70), random_town(71)
    expected = both(score(proposal, reference).apls)
    assert both(score(moved(proposal, crs), reference).apls) == pytest.approx(expected, abs=1e-3)
    assert both(score(moved(proposal, crs), moved(reference, crs)).apls) == pytest.approx(expected, abs=1e-3)


def test_many_control_points_are_sampled() -> None:
    reference, proposal = (town(seed, size=5) for seed in (80, 81))
    whole = apls(proposal, reference, DEFAULT).reference_onto_proposal
    some = ScoreParams(apls_all_pairs=20, apls_sources=15)
    found = apls(proposal, reference, some).reference_onto_proposal
    assert found == apls(proposal, reference, some).reference_onto_proposal
    assert (whole.sources, found.sources) == (whole.control_points, 15)
    assert found.pairs < whole.pairs / 3
    seeds = [ScoreParams(apls_all_pairs=20, apls_sources=15, seed=s) for s in range(30)]
    drawn_scores = [apls(proposal, reference, p).reference_onto_proposal.score for p in seeds]
    assert np.std(drawn_scores) > 0
    assert np.mean(drawn_scores) == pytest.approx(whole.score, abs=0.03)
    every = ScoreParams(apls_all_pairs=20, apls_sources=10_000)
    assert apls(proposal, reference, every).reference_onto_proposal == whole


def test_chunks_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    proposal, reference = town(71), town(70)
    whole = apls(proposal, reference, DEFAULT)
    monkeypatch.setattr("georoads.scoring.routes._CELLS", 40)
    monkeypatch.setattr("georoads.scoring.places._CHUNK", 7)
    assert apls(proposal, reference, DEFAULT) == whole


@pytest.mark.shared
@pytest.mark.parametrize(
    ("params", "forth", "back", "total"),
    [
        (ScoreParams(apls_spacing_m=200, apls_min_curvature=0.12), 0.80068, 0.68347, 0.73745),
        (ScoreParams(), 0.81216, 0.70769, 0.75634),
    ],
)
def test_the_authors_example(params: ScoreParams, forth: float, back: float, total: float) -> None:
    if not EXAMPLE.is_dir():
        pytest.skip("the published example is not beside the checkout")
    proposal, reference = (read_roads(EXAMPLE / name) for name in ("proposal.geojson", "gt.geojson"))
    found = score(proposal, reference, params).apls
    assert both(found) == pytest.approx((forth, back), abs=0.01)
    assert found.score == pytest.approx(total, abs=0.01)


def test_roads_of_no_length_are_nothing() -> None:
    speck = roads([(5, 5), (5, 5)])
    assert score(speck, speck).apls.score == 1.0
