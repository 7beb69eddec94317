"""Stretches of lines: joined, dropped, cut out, and the direction of a road."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from drawn_layers import LOCAL, roads

from georoads.output.read import RoadLines
from georoads.scoring.segments import to_segments
from georoads.scoring.stretches import LaidLines, Stretches

TWO = roads([(0, 0), (10, 0), (10, 20)], [(50, 0), (90, 0)])


def laid(layer: RoadLines) -> LaidLines:
    return LaidLines(to_segments(layer, LOCAL))


def stretches(*parts: tuple[int, float, float]) -> Stretches:
    line, low, high = (np.array(values) for values in zip(*parts, strict=True))
    return Stretches(line.astype(np.int64), low.astype(float), high.astype(float))


def parts(found: Stretches) -> list[tuple[float, ...]]:
    rows = zip(found.line, found.low_m, found.high_m, strict=True)
    return [(int(line), round(float(low), 6), round(float(high), 6)) for line, low, high in rows]


def test_lines_are_laid_end_to_end() -> None:
    assert parts(laid(TWO).whole) == [(0, 0, 30), (1, 30, 70)]
    cut = laid(TWO).cut(stretches((0, 5, 15), (0, 20, 30), (1, 30, 31)))
    assert [line.wkt for line in shapely.set_precision(cut, 0.001)] == [
        "LINESTRING (5 0, 10 0, 10 5)", "LINESTRING (10 10, 10 20)", "LINESTRING (50 0, 51 0)",
    ]  # fmt: skip


def test_what_stretches_leave() -> None:
    of = laid(TWO)
    assert parts(of.rest(stretches((0, 5, 15), (0, 20, 30)))) == [(0, 0, 5), (0, 15, 20), (1, 30, 70)]
    assert parts(of.rest(of.whole)) == []
    assert parts(of.rest(of.whole.kept(np.zeros(2, dtype=bool)))) == parts(of.whole)


def test_short_gaps_and_short_stretches() -> None:
    some = stretches((0, 0, 5), (0, 8, 15), (0, 20, 30), (1, 30, 32))
    assert parts(some.closed(4)) == [(0, 0, 15), (0, 20, 30), (1, 30, 32)]
    assert parts(some.closed(6)) == [(0, 0, 30), (1, 30, 32)]
    assert parts(laid(TWO).without_short(some, 6)) == [(0, 8, 15), (0, 20, 30)]
    tiny = roads([(0, 0), (3, 0)])
    assert parts(laid(tiny).without_short(laid(tiny).whole, 6)) == [(0, 0, 3)]  # all of its line


def test_united() -> None:
    assert parts(stretches((0, 0, 5), (1, 40, 50)).united(stretches((0, 3, 9), (1, 60, 70)))) == [
        (0, 0, 9), (1, 40, 50), (1, 60, 70),
    ]  # fmt: skip


def test_the_steps_of_a_skeleton_do_not_turn_the_road() -> None:
    stairs = [(i // 2 + i % 2, i // 2) for i in range(100)]  # one to the east, one to the north, ...
    ways = laid(roads(stairs)).ways
    assert np.degrees(np.arctan2(ways[:, 1], ways[:, 0])) == pytest.approx(45, abs=7)
    ring = [(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)]
    assert np.hypot(*laid(roads(ring)).ways.T).min() > 0.5


def test_directions_rule_out_what_crosses() -> None:
    across = laid(roads([(5, -30), (5, 30)]))
    along = laid(roads([(-50, 1), (50, 1)]))
    assert across.covered(along, 8).length_m.sum() == pytest.approx(16)
    assert len(across.covered(along, 8, 30)) == 0
    assert along.covered(laid(roads([(50, 0), (-50, 0)])), 8, 30).length_m.sum() == pytest.approx(100)
