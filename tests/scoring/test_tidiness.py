"""Tidiness of the lines: each number on a drawing."""

from __future__ import annotations

import math
from dataclasses import asdict

import numpy as np
import pytest
import shapely
from drawn_layers import LOCAL, Line, graph, moved, random_town, redrawn, roads

from georoads.scoring.doubled import _divide_pieces, _doubled_shares, doubled_m
from georoads.scoring.params import ScoreParams
from georoads.scoring.road_graph import road_graph
from georoads.scoring.score import score
from georoads.scoring.segments import to_segments
from georoads.scoring.tidiness import Tidiness, dangles, jitter_m, measure_tidiness, sharp_bends

LINE = [(0, 0), (100, 0)]


def doubled(*lines: Line) -> float:
    return doubled_m(graph(*lines), 3.0, 15.0)


def jitter(proposal: Line, reference: Line, buffer_m: float = 4.0) -> float | None:
    return jitter_m(graph(proposal), to_segments(roads(reference), LOCAL), buffer_m)


def test_two_roads_side_by_side_are_doubled() -> None:
    #  ------------ 100 m      2 m apart: all of both. 3.1 m apart: nothing.
    #  ------------ 100 m
    assert doubled(LINE, [(0, 2), (100, 2)]) == pytest.approx(200)
    assert doubled(LINE, [(100, 2), (0, 2)]) == pytest.approx(200)
    assert doubled(LINE, [(0, 3.1), (100, 3.1)]) == 0
    # A short one beside: 50 m, and of the long one 50 m and what the round ends reach beyond, √5 m each.
    assert doubled(LINE, [(25, 2), (75, 2)]) == pytest.approx(100 + 2 * math.sqrt(5))


def test_what_was_drawn_twice_is_doubled() -> None:
    assert doubled(LINE, LINE) == pytest.approx(200)
    tails = [(0, 0), (0, 30)], [(100, 0), (100, 30)]  # 12 m from the nodes that both ways share do not count
    assert doubled(LINE, [(100, 0), (50, 0), (0, 0)], *tails) == pytest.approx(2 * (100 - 24))
    assert doubled(LINE, [(100, 0), (150, 0)], [(150, 0), (100, 0)]) == pytest.approx(100)


@pytest.mark.parametrize("seed", range(12))
def test_pairs_that_are_ruled_out_double_nothing(seed: int) -> None:
    rng = np.random.default_rng(seed)
    lines = []
    for _ in range(30):  # hairpins, rings, doubled and crossing roads
        start = np.round(rng.uniform(0, 120, 2) / 6) * 6
        line = start + np.cumsum(np.round(rng.normal(0, 9, (rng.integers(2, 9), 2))), axis=0)
        lines += [line, line[::-1] + np.array([0, rng.integers(0, 3)])][: rng.integers(1, 3)]
        if rng.random() < 0.3:
            lines.append(np.concatenate((line, line[:1])))
    found = graph(*(line for line in lines if len(np.unique(line, axis=0)) > 1))
    everything = _divide_pieces(found, 4 * 3.0, np.arange(len(found.pieces)))
    for degrees in (15.0, 46.0, 89.0):
        shares = _doubled_shares(found, everything, everything, 3.0, degrees)
        shares = np.where(everything.drawn > 1, 1.0, shares)
        expected = (shares * (everything.end_m - everything.start_m) * everything.drawn).sum()
        assert expected > 0
        assert doubled_m(found, 3.0, degrees) == pytest.approx(expected, rel=1e-12)


def test_neighbours_at_a_node_are_not_doubled() -> None:
    assert doubled(LINE, [(100, 0), (200, 0)]) == 0
    assert doubled(LINE, [(100, 0), (200, 10)], [(100, 0), (200, -20)], [(100, 0), (100, 50)]) < 30
    for degrees in (16, 30, 90):
        angle = math.radians(degrees)
        fork = [(100, 0), (100 + 80 * math.cos(angle), 80 * math.sin(angle))]
        assert doubled(LINE, [(100, 0), (200, 0)], fork) == 0
    assert doubled(LINE, [(50, -50), (50, 50)]) == 0  # across


def test_a_road_that_comes_back_doubles_itself() -> None:
    #  A hairpin of two legs of 120 m, 2 m apart: all but what lies within about 12 m of its bend
    hairpin = doubled([(0, 0), (120, 0), (120, 2), (0, 2)])
    assert 240 - 4 * 12 <= hairpin <= 240 - 2 * 5
    ring = doubled([(0, 0), (120, 0), (120, 2), (0, 2), (0, 0)])
    assert 240 - 8 * 12 <= ring < hairpin


def test_dangles_lie_inside_the_bound() -> None:
    #  A cross that reaches the bound, and a street that ends inside it
    layer = roads(
        [(0, 50), (50, 50), (100, 50)],
        [(50, 0), (50, 50), (50, 100)],
        [(50, 50), (80, 80)],
        [(20, 50), (20, 41)],
    )
    found = road_graph(layer, LOCAL)
    where = found.node_xy[dangles(found, layer, LOCAL, 10.0)]
    # The short street ends on the road, but on no vertex of it: that is a dangle, too.
    assert where.round(6).tolist() == [[20, 41], [20, 50], [80, 80]]
    assert len(found.node_xy[dangles(found, layer, LOCAL, 45.0)]) == 0
    turned = moved(layer, "EPSG:32632")
    again = road_graph(turned, LOCAL)
    assert int(dangles(again, turned, LOCAL, 10.0).sum()) == 3


def test_sharp_bends() -> None:
    assert sharp_bends(graph([(0, 0), (100, 0), (170, 60)]), 45.0) == 0  # 40.6°
    assert sharp_bends(graph([(0, 0), (100, 0), (160, 70)]), 45.0) == 1  # 49.4°
    assert sharp_bends(graph([(0, 0), (100, 0)], [(100, 0), (100, 50)]), 45.0) == 1  # in two lines
    assert sharp_bends(graph([(0, 0), (100, 0), (100, 50), (0, 50), (0, 0)]), 45.0) == 4
    junction = [(0, 0), (100, 0)], [(100, 0), (100, 50)], [(100, 0), (100, -50)]
    assert sharp_bends(graph(*junction), 45.0) == 0
    assert sharp_bends(graph(), 45.0) == 0


@pytest.mark.parametrize("chunk", [50, 200_000])
def test_jitter_is_that_of_all_samples(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("georoads.scoring.tidiness._CHUNK", chunk)
    ours, truth = road_graph(random_town(70), LOCAL), to_segments(random_town(71), LOCAL)
    squares = metres = 0.0
    for start, end in zip(ours.pieces.start, ours.pieces.end, strict=True):
        length = math.dist(start, end)
        parts = math.ceil(length / 2)
        for k in range(parts):
            at = shapely.Point(start + (k + 0.5) / parts * (end - start))
            gap = shapely.distance(at, shapely.linestrings(np.stack((truth.start, truth.end), axis=1))).min()
            if gap <= 4.0:
                squares, metres = squares + gap**2 * length / parts, metres + length / parts
    assert jitter_m(ours, truth, 4.0) == pytest.approx(math.sqrt(squares / metres), rel=1e-9)


def test_jitter() -> None:
    assert jitter([(10, 2), (90, 2)], LINE) == pytest.approx(2.0)
    #  Half of it 1 m beside, half of it 3 m
    assert jitter([(10, 1), (50, 1), (50, 3), (90, 3)], LINE) == pytest.approx(math.sqrt(5), abs=0.02)
    assert jitter([(0, 0), (100, 4)], LINE, 5.0) == pytest.approx(4 / math.sqrt(3), abs=0.01)
    #  What lies beyond the buffer does not count: 50 m at 1 m, 50 m far away
    far = graph([(0, 1), (50, 1)], [(0, 60), (50, 60)])
    assert jitter_m(far, to_segments(roads(LINE), LOCAL), 4.0) == pytest.approx(1.0)
    assert jitter([(0, 90), (50, 90)], LINE) is None
    assert jitter_m(graph(LINE), to_segments(roads(), LOCAL), 4.0) is None


def test_all_per_kilometre() -> None:
    #  250 m: a road of 230 m over the whole width with a vertex on the way, a spur of 12 m, a speck of 8 m
    layer = roads([(0, 0), (100, 0), (230, 0)], [(100, 0), (100, 12)], [(50, 30), (58, 30)])
    reference = to_segments(roads([(0, 1), (230, 1)]), LOCAL)
    found = measure_tidiness(layer, LOCAL, road_graph(layer, LOCAL), reference, ScoreParams(bound_m=1.0))
    assert asdict(found) == dict(
        vertices_per_km=pytest.approx(7 / 0.25),
        dangles_per_km=pytest.approx(1 / 0.25),  # the speck lies on the bound
        spurs_per_km=pytest.approx(1 / 0.25),
        doubled_m_per_km=0.0,
        sharp_bends_per_km=0.0,
        jitter_m=pytest.approx(1.0, abs=0.1),
    )


def test_empty() -> None:
    assert score(roads(), roads(LINE)).tidiness == Tidiness()
    assert score(roads(LINE), roads()).tidiness.jitter_m is None


def test_direction_density_crs_and_chunks_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    town, reference = random_town(71), random_town(70)
    expected = score(town, reference).tidiness
    assert min(expected.dangles_per_km, expected.doubled_m_per_km, expected.sharp_bends_per_km) > 0
    dense = redrawn(town, 2.0)
    same = ("dangles_per_km", "spurs_per_km", "doubled_m_per_km", "sharp_bends_per_km", "jitter_m")
    for layer in (dense, moved(town, "EPSG:32632"), moved(town, "EPSG:4326")):
        found = score(layer, reference).tidiness
        for name in same:
            if layer.crs == "EPSG:32632" and name in ("dangles_per_km", "spurs_per_km"):
                continue  # the bound lies along the axes of the CRS, which are turned here
            rough = 0.05 if name in ("doubled_m_per_km", "jitter_m") else 2e-3
            assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=rough), name
    assert score(dense, reference).tidiness.vertices_per_km > 3 * expected.vertices_per_km
    monkeypatch.setattr("georoads.scoring.tidiness._CHUNK", 5)
    chunked = score(town, reference).tidiness
    for name in same:
        assert np.isclose(getattr(chunked, name), getattr(expected, name), rtol=1e-9)
