"""Scores as papers have them: drawn cases by hand, slow oracles, and SpaceNet's published example."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely
from drawn_layers import LOCAL, graph, random_town, roads, town
from slow_protocols import slow_cityscale, slow_spacenet
from slow_scores import SlowGraph

from georoads.errors import GeoroadsError
from georoads.output.read import RoadLines, read_roads
from georoads.scoring.apls import Apls
from georoads.scoring.cityscale import apls_cityscale, cut_into_hops
from georoads.scoring.matching import harmonic
from georoads.scoring.params import ScoreParams
from georoads.scoring.protocols import PROTOCOLS, params_of
from georoads.scoring.road_graph import RoadGraph
from georoads.scoring.score import score
from georoads.scoring.spacenet import apls_spacenet, without_specks
from georoads.scoring.table import table
from georoads.scoring.topo import topo

EXAMPLE = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "apls_example"
SPACENET, CITYSCALE = params_of("spacenet"), params_of("cityscale")
SPACENET_FAR = ScoreParams(apls_spacing_m=1000, apls_all_pairs=500)
TOWN_TILE = shapely.box(-30, -30, 260, 260)


def both(found: Apls) -> tuple[float, float]:
    return found.reference_onto_proposal.score, found.proposal_onto_reference.score


def slow(layer: RoadLines) -> SlowGraph:
    return SlowGraph([list(line.coords) for line in layer.lines])


# SpaceNet


@pytest.mark.shared
@pytest.mark.slow
@pytest.mark.parametrize(
    ("spacing", "curvature", "forth", "back", "published"),
    [(200.0, 0.12, 0.800896, 0.683643, 0.73620), (50.0, 0.0, 0.812157, 0.708005, 0.75634)],
)
def test_the_published_example(
    spacing: float, curvature: float, forth: float, back: float, published: float
) -> None:
    if not EXAMPLE.is_dir():
        pytest.skip("the published example is not beside the checkout")
    proposal, reference = (read_roads(EXAMPLE / name) for name in ("proposal.geojson", "gt.geojson"))
    params = ScoreParams(apls_spacing_m=spacing, apls_min_curvature=curvature, apls_all_pairs=500)
    found = score(proposal, reference, params, "spacenet").apls
    # As another program, written from the description alone, has it of these lines, in UTM.
    assert both(found) == pytest.approx((forth, back), abs=2e-5)
    assert found.score == pytest.approx(published, abs=2e-3)


@pytest.mark.parametrize("seed", range(6))
def test_spacenet_agrees_with_the_slow_one(seed: int) -> None:
    reference, proposal = random_town(10 * seed + 200), random_town(10 * seed + 201)
    params = ScoreParams(apls_spacing_m=40.0, apls_snap_m=9.0, apls_all_pairs=500)
    found = apls_spacenet(town(10 * seed + 201), town(10 * seed + 200), params)
    a, b = slow(reference), slow(proposal)
    assert both(found) == pytest.approx(
        (slow_spacenet(a, b, 40.0, 9.0), slow_spacenet(b, a, 40.0, 9.0)), abs=1e-9
    )
    assert 0.02 < min(both(found)) < 0.999


def test_at_one_place_the_last_control_point_stays() -> None:
    #  reference  a   c    proposal  |   a, b and c lie within 4 m of the proposal's dead end: c, the last of
    #              \ /               |   them from west to east, keeps it; a and b are lost with all routes
    #               b
    #               |
    reference = graph([(0, 1), (0, -100)], [(0, 1), (-1, 2)], [(0, 1), (1, 2)])
    proposal = graph([(0, 0), (0, -100)])
    found = apls_spacenet(proposal, reference, SPACENET_FAR).reference_onto_proposal
    assert (found.control_points, found.snapped) == (4, 2)
    assert (found.pairs, found.missing) == (12, 10)
    assert found.score == pytest.approx((2 - 2 * (1 - 100 / (101 + 2**0.5))) / 12, abs=1e-6)


def test_specks_are_dropped() -> None:
    road = [(0, 0), (100, 0)]
    # 4.9 m; 3 + 3 m at right angles, whose ends are 4.2 m apart along no road but 6 m along theirs
    specks = graph(road, [(0, 50), (4.9, 50)], [(50, 50), (53, 50), (53, 53)])
    left = without_specks(specks)
    assert sorted(left.length_m.round(3).tolist()) == [6.0, 100.0]
    # A star of three arms of 2 m: 6 m of roads, but no route is longer than 4 m
    star = graph(road, [(0, 50), (2, 50)], [(2, 50), (4, 50)], [(2, 50), (2, 52)])
    assert without_specks(star).length_m.tolist() == [100.0]
    assert apls_spacenet(graph(road), star, SPACENET).score == 1.0
    ring = graph([(0, 0), (2, 0), (2, 2), (0, 2), (0, 0)])
    assert not without_specks(ring).n_edges
    assert without_specks(graph(road)).n_edges == 1


def test_what_is_left_is_a_whole_graph() -> None:
    whole, left = town(70), without_specks(graph(*random_lines(70), [(500, 500), (501, 500)]))
    assert left.n_edges == whole.n_edges and len(left.drawn) == len(left.pieces)
    assert sorted(left.length_m) == pytest.approx(sorted(whole.length_m))
    assert sorted(left.degree) == sorted(whole.degree)


def random_lines(seed: int) -> list[np.ndarray]:
    return [np.array(line.coords) for line in random_town(seed).lines]


def test_large_networks_are_judged_by_nodes() -> None:
    params = ScoreParams(apls_all_pairs=5, apls_sources=9)
    found = apls_spacenet(town(71), town(70), params)
    assert [d.control_points for d in (found.reference_onto_proposal, found.proposal_onto_reference)] == [
        9,
        9,
    ]
    assert found == apls_spacenet(town(71), town(70), params)


def test_spacenet_of_nothing_is_0() -> None:
    none, road = graph(), graph([(0, 0), (100, 0)])
    assert [apls_spacenet(a, b, SPACENET).score for a, b in ((none, none), (road, none), (none, road))] == [
        0,
        0,
        0,
    ]
    assert apls_spacenet(road, road, SPACENET).score == 1.0


# City-Scale


def test_hops() -> None:
    hops = cut_into_hops(graph([(0, 0), (10, 0), (10, 2.9)]))
    # 10 m: six hops of 1.67 m; 2.9 m: one
    assert len(hops.start) == 7
    assert hops.xy[hops.places_of(0)][:, 0].round(2).tolist() == [0, 1.67, 3.33, 5, 6.67, 8.33, 10, 10]
    assert hops.metres.data.round(2).tolist() == [1.66, 2.9] or sorted({*hops.metres.data.round(2)}) == [
        1.66,
        2.9,
    ]


def test_cityscale_counts_what_has_no_partner_whatever_its_route() -> None:
    #  reference 0---400, all of it within the margin: both ends and 8 places between them;
    #  proposal  0---200: the points beyond 210 m have no partner
    tile = shapely.box(-150, -150, 550, 150)
    reference, proposal = graph([(0, 0), (400, 0)]), graph([(0, 0), (200, 0)])
    found = apls_cityscale(proposal, reference, CITYSCALE, tile).reference_onto_proposal
    assert (found.control_points, found.snapped) == (10, 5)
    # 5 · 4 / 2 pairs have both partners, those of more than 100 m cost nothing; 35 have not
    near = sum(1 for i in range(5) for j in range(i + 1, 5) if (j - i) * 44.4 > 100)
    assert found.pairs == 35 + near and found.score == pytest.approx(near / (35 + near), abs=0.01)


def test_margin_and_least_route() -> None:
    road = graph([(0, 0), (400, 0)])
    whole = apls_cityscale(road, road, CITYSCALE, shapely.box(-150, -150, 550, 150))
    assert whole.score == 1.0
    cut = apls_cityscale(road, road, CITYSCALE, shapely.box(0, -150, 400, 150)).reference_onto_proposal
    assert cut.control_points < whole.reference_onto_proposal.control_points
    short = graph([(0, 0), (90, 0)])
    found = apls_cityscale(short, short, CITYSCALE, shapely.box(-150, -150, 550, 150))
    assert found.reference_onto_proposal.pairs == 0 and found.score == 0.0


def test_rings_without_a_junction_are_not_seen() -> None:
    ring = [(100, 100), (300, 100), (300, 300), (100, 300), (100, 100)]
    found = apls_cityscale(graph(ring), graph(ring), CITYSCALE, shapely.box(-100, -100, 500, 500))
    assert found.reference_onto_proposal.control_points == 0


@pytest.mark.parametrize("seed", range(4))
def test_cityscale_agrees_with_the_slow_one(seed: int) -> None:
    reference, proposal = random_town(10 * seed + 300), random_town(10 * seed + 301)
    params = ScoreParams(apls_snap_m=10.0, apls_margin_m=20.0, apls_least_route_m=60.0)
    found = apls_cityscale(road(proposal), road(reference), params, TOWN_TILE)
    a, b = slow(reference), slow(proposal)
    expected = tuple(
        slow_cityscale(p, q, lambda xy: all(-10 < v < 240 for v in xy), 60.0) for p, q in ((a, b), (b, a))
    )
    assert both(found) == pytest.approx(expected, abs=1e-9)
    assert found.score == pytest.approx(sum(expected) / 2)
    assert 0.02 < min(expected) < 0.999


def road(layer: RoadLines) -> RoadGraph:
    from georoads.scoring.road_graph import road_graph

    return road_graph(layer, LOCAL)


# Both definitions of TOPO, and the protocols by name


def test_the_two_definitions_of_topo() -> None:
    #  Two roads of the reference, 60 and 20 m; the proposal has the first one. Seeds: two
    #  on the first, one on the second, which finds nothing.
    params = ScoreParams(topo_step_m=10, topo_radius_m=100, topo_match_m=4)
    found = topo(graph([(0, 0), (60, 0)]), graph([(0, 0), (60, 0)], [(0, 50), (20, 50)]), params)
    assert (found.precision, found.mean_precision) == (1.0, 1.0)
    assert found.recall == pytest.approx(12 / 15) and found.mean_recall == pytest.approx(2 / 3)
    assert found.mean_f1 == pytest.approx(harmonic(1.0, 2 / 3))


def test_protocols_by_name() -> None:
    reference, proposal = random_town(70), random_town(71)
    found = {name: score(proposal, reference, protocol=name) for name in PROTOCOLS}
    assert found["cityscale"].apls.score != found["spacenet"].apls.score
    assert found["spacenet"].params.topo_step_m == 30 and found["cityscale"].params.topo_match_m == 11.11
    assert [result.as_dict()["protocol"] for result in found.values()] == [
        "georoads",
        "spacenet",
        "cityscale",
    ]
    assert found["georoads"].apls == score(proposal, reference).apls
    assert any("APLS by spacenet" in line for line in table(found["spacenet"]))
    with pytest.raises(GeoroadsError, match="no protocol 'chess'") as refused:
        score(proposal, reference, protocol="chess")
    assert "cityscale" in refused.value.hint


def test_the_tile_of_the_margin() -> None:
    layer = random_town(70, size=5)
    by_box = score(layer, layer, protocol="cityscale")
    assert any("score.tile" in note for note in by_box.notes)
    box = shapely.total_bounds(layer.lines)
    named = ScoreParams(**{**vars(CITYSCALE), "tile": (*box[:2] - 200, *box[2:] + 200)})
    wide = score(layer, layer, named, "cityscale")
    assert (
        wide.apls.reference_onto_proposal.control_points > by_box.apls.reference_onto_proposal.control_points
    )
    assert not wide.notes and wide.apls.score == 1.0
    with pytest.raises(ValueError, match="tile is west, south, east, north"):
        ScoreParams(tile=(3, 0, 1, 2))


def test_no_route_within_the_margin_is_said() -> None:
    small = roads([(0, 0), (90, 0)])
    assert any("no route" in note for note in score(small, small, protocol="cityscale").notes)
