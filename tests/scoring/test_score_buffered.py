"""Completeness, correctness, F1 and quality: drawn cases, invariants, and a slow plain oracle."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from drawn_layers import LOCAL, moved, roads
from pyproj import Transformer

from georoads.output.read import RoadLines
from georoads.scoring.buffered import match_lengths
from georoads.scoring.params import ScoreParams
from georoads.scoring.score import Score, score
from georoads.scoring.segments import Segments, to_segments


def rounded(result: Score) -> tuple[float, ...]:
    return tuple(round(v, 5) for v in (result.completeness, result.correctness, result.f1, result.quality))


def random_layer(seed: int, count: int = 25) -> RoadLines:
    """Short wiggly lines in 300 x 300 m, among them repeated points and lines of no length."""
    rng = np.random.default_rng(seed)
    lines = []
    for _ in range(count):
        start = rng.uniform(-150, 150, 2)
        steps = rng.normal(0, 15, (rng.integers(1, 7), 2)).round(1)
        steps[rng.random(len(steps)) < 0.2] = 0.0
        lines.append(np.vstack((start, start + np.cumsum(steps, axis=0))).tolist())
    return roads(*lines)


def with_length(layer: RoadLines) -> np.ndarray:
    return np.asarray(layer.lines[shapely.length(layer.lines) > 0])


@pytest.mark.parametrize("crs", [LOCAL, "EPSG:32632", "EPSG:3857"])
def test_identity_is_exactly_one(crs: str) -> None:
    x, y = Transformer.from_crs(LOCAL, crs, always_xy=True).transform(0.0, 0.0)
    layer = random_layer(1)
    there = RoadLines(shapely.transform(layer.lines, lambda xy: xy + np.array((x, y))), crs)
    result = score(there, there)
    assert (result.completeness, result.correctness, result.f1, result.quality) == (1.0, 1.0, 1.0, 1.0)


def test_half_of_the_road_was_found() -> None:
    #  reference  0 ---------------- 100
    #  proposal   0 ------ 46            and the round end of its buffer reaches to 50
    result = score(roads([(0, 0), (46, 0)]), roads([(0, 0), (100, 0)]))
    assert rounded(result) == (0.5, 1.0, 0.66667, 46 / 96 and round(46 / (46 + 50), 5))
    assert (round(result.reference_km, 6), round(result.proposal_km, 6)) == (0.1, 0.046)


def test_parallel_road_just_within_and_just_beyond() -> None:
    reference = roads([(0, 0), (100, 0)])
    assert rounded(score(roads([(0, 3.99), (100, 3.99)]), reference)) == (1, 1, 1, 1)
    assert rounded(score(roads([(0, 4.01), (100, 4.01)]), reference)) == (0, 0, 0, 0)


def test_end_of_the_buffer_is_round() -> None:
    #  3 m aside, the disc around the end (radius 5) reaches 4 m further
    result = score(roads([(0, 3), (50, 3)]), roads([(0, 0), (100, 0)]), ScoreParams(buffer_m=5))
    assert round(result.completeness, 5) == 0.54


def test_crossing_road_matches_twice_the_buffer() -> None:
    result = score(roads([(50, -50), (50, 50)]), roads([(0, 0), (100, 0)]))
    assert rounded(result)[:2] == (0.08, 0.08)


def test_quality_counts_both_kinds_of_fault() -> None:
    #  proposal: 100 m right, 100 m wrong; reference: 100 m found, 50 m missed
    proposal = roads([(0, 0), (100, 0)], [(0, 900), (100, 900)])
    reference = roads([(0, 0), (100, 0)], [(0, 500), (50, 500)])
    result = score(proposal, reference)
    assert rounded(result) == (0.66667, 0.5, 0.57143, 0.4)


def test_overlapping_proposals_cover_once() -> None:
    proposal = roads([(0, 0), (60, 0)], [(40, 0), (60, 1)], [(60, 0), (40, 0)])
    assert round(score(proposal, roads([(0, 0), (128, 0)])).completeness, 4) == round(64.0 / 128, 4)


def test_empty_layers() -> None:
    road, point = roads([(0, 0), (100, 0)]), roads([(5, 5), (5, 5)])
    assert rounded(score(roads(), roads())) == (1, 1, 1, 1)
    assert rounded(score(road, roads())) == (0, 0, 0, 0)
    assert rounded(score(roads(), road)) == (0, 0, 0, 0)
    assert rounded(score(point, roads())) == (1, 1, 1, 1)  # a line of no length is no road


def test_direction_and_density_do_not_count() -> None:
    proposal, reference = random_layer(2), random_layer(3)
    expected = score(proposal, reference)
    assert 0.05 < expected.completeness < 0.9
    dense = RoadLines(shapely.segmentize(shapely.reverse(with_length(proposal)), 0.7), LOCAL)
    found = score(dense, RoadLines(shapely.segmentize(with_length(reference), 1.3), LOCAL))
    assert rounded(found) == rounded(expected)
    swapped = score(reference, proposal)
    assert round(swapped.correctness, 5) == round(expected.completeness, 5)


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:32632", "EPSG:3857", "EPSG:2154", "EPSG:2263"])
def test_crs_does_not_count(crs: str) -> None:
    #  4 m in EPSG:3857 at 48° N would be 2.7 m on the ground; EPSG:2263 is in feet
    place = {"EPSG:2263": "+proj=tmerc +lat_0=40.7 +lon_0=-74 +ellps=WGS84 +units=m"}.get(crs, LOCAL)
    proposal, reference = (RoadLines(random_layer(seed).lines, place) for seed in (4, 5))
    found = rounded(score(moved(proposal, crs, place), reference))
    assert found == pytest.approx(rounded(score(proposal, reference)), abs=2e-4)


def test_long_straight_lines_in_other_crs() -> None:
    #  A parallel of latitude, drawn with two points in degrees and with many in UTM, is one road.
    long = roads([(10.6, 48.0), (11.4, 48.0)], crs="EPSG:4326")
    lon = np.linspace(10.6, 11.4, 2000)
    x, y = Transformer.from_crs("EPSG:4326", "EPSG:32632", always_xy=True).transform(lon, np.full(2000, 48.0))
    dense = roads(list(zip(x, y, strict=True)), crs="EPSG:32632")
    assert score(long, dense, ScoreParams(buffer_m=0.5)).f1 == pytest.approx(1.0, abs=1e-12)


def test_both_sides_of_the_antimeridian() -> None:
    layer = roads([(179.999, 0), (179.9995, 0)], [(-179.9995, 0), (-179.999, 0)], crs="EPSG:4326")
    result = score(layer, layer)
    assert result.f1 == 1.0
    assert result.reference_km == pytest.approx(0.11132, abs=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("buffer_m", [0.5, 4.0, 15.0])
def test_agrees_with_dense_sampling(seed: int, buffer_m: float) -> None:
    proposal, reference = random_layer(seed), random_layer(seed + 100)
    found = score(proposal, reference, ScoreParams(buffer_m))
    assert found.completeness == pytest.approx(share_by_sampling(reference, proposal, buffer_m), abs=2e-3)
    assert found.correctness == pytest.approx(share_by_sampling(proposal, reference, buffer_m), abs=2e-3)


def share_by_sampling(layer: RoadLines, others: RoadLines, buffer_m: float, step_m: float = 0.05) -> float:
    """The oracle: walk along each line in small steps and measure the distance to all others."""
    hits = total = 0.0
    everything = shapely.multilinestrings(with_length(others))
    shapely.prepare(everything)
    for line in layer.lines:
        if line.length == 0:
            continue
        n = int(np.ceil(line.length / step_m))
        points = shapely.line_interpolate_point(line, (np.arange(n) + 0.5) / n, normalized=True)
        hits += line.length * float(shapely.dwithin(points, everything, buffer_m).mean())
        total += line.length
    return hits / total


def test_chunks_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    proposal, reference = (to_segments(random_layer(s), LOCAL) for s in (6, 7))
    whole = match_lengths(proposal, reference, 4.0)
    monkeypatch.setattr("georoads.scoring.buffered._CHUNK", 7)
    assert match_lengths(proposal, reference, 4.0) == whole


def test_segments_drop_pieces_of_no_length() -> None:
    segments = to_segments(roads([(0, 0), (0, 0), (3, 4)], [(9, 9), (9, 9)]), LOCAL)
    assert isinstance(segments, Segments)
    assert (segments.length_m.round(9).tolist(), segments.line.tolist()) == ([5.0], [0])


def test_as_dict_and_checks() -> None:
    values = score(roads(), roads()).as_dict()
    needed = {"apls", "topo_f1", "completeness", "correctness", "f1", "parameters"}
    assert needed <= values.keys()
    assert all(values[name] == 1.0 for name in needed - {"parameters"})
    assert values["parameters"]["buffer_m"] == 4.0
    for bad in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(ValueError, match="buffer_m"):
            ScoreParams(bad)
