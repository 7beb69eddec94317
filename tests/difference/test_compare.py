"""New, missing and moved roads of drawn maps, without an offset between them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import shapely
from drawn_maps import drawn, lines_of
from hypothesis import given
from hypothesis import strategies as st

from georoads.difference.compare import Changes, compare
from georoads.difference.params import DiffParams
from georoads.output.changes_layer import ChangeKind
from georoads.output.read import RoadLines

STAY = DiffParams(align=False, same=True)
BLANK = drawn("")

TOWN = """
    +aaaaaaaaaaaa+bbbbbbbbbb+
    d            e          f
    d            e          f
    d            e          f
    d            e          f
    +gggggggggggg+hhhhhhhhhh+
"""


def without(town: str, *letters: str) -> str:
    """A drawing without some roads."""
    return "".join(" " if sign in letters else sign for sign in town)


def found(roads: RoadLines, reference: RoadLines, params: DiffParams = STAY) -> Changes:
    return compare(roads, reference, params).changes


def names(changes: Changes, kind: ChangeKind, layer: RoadLines) -> list[str]:
    """The letters of the roads of a kind."""
    rows = changes.partner if kind is ChangeKind.MISSING else changes.road
    return sorted(layer.columns["name"][rows[changes.kind == kind]].tolist())


def test_a_new_road_and_a_missing_one() -> None:
    ours, theirs = drawn(without(TOWN, "h")), drawn(without(TOWN, "e"))
    changes = found(ours, theirs, replace(STAY, same=False))
    assert names(changes, ChangeKind.NEW, ours) == ["e"]
    # Road h lies on the border of the hull of ROADS.
    assert names(changes, ChangeKind.MISSING, theirs) == ["h"]
    assert len(changes.lines) == 2
    assert changes.lines[0].equals(lines_of(TOWN)["e"])
    assert changes.lines[1].equals_exact(lines_of(TOWN)["h"], 1e-6)


def test_equal_layers_are_the_same() -> None:
    changes = found(drawn(TOWN), drawn(TOWN))
    assert set(changes.kind) == {ChangeKind.SAME}
    assert "".join(names(changes, ChangeKind.SAME, drawn(TOWN))) == "abdefgh"
    assert changes.distance_m.max() < 1e-6
    assert (changes.road == changes.partner).all()


def test_a_moved_road() -> None:
    theirs = drawn(TOWN)
    lines = theirs.lines.copy()
    lines[3] = shapely.transform(lines[3], lambda xy: xy + np.array([6.0, 0.0]))  # e
    changes = found(RoadLines(lines, theirs.crs, columns=theirs.columns), theirs)
    assert names(changes, ChangeKind.MOVED, theirs) == ["e"]
    (at,) = np.flatnonzero(changes.kind == ChangeKind.MOVED)
    assert (changes.road[at], changes.partner[at]) == (3, 3)
    assert changes.distance_m[at] == pytest.approx(6, abs=1e-6)
    for tolerance in (7.0, 8.0, 100.0):
        tolerant = replace(STAY, moved_m=tolerance)
        assert set(found(RoadLines(lines, theirs.crs), theirs, tolerant).kind) == {ChangeKind.SAME}


def test_a_road_that_is_rebuilt_along_a_part() -> None:
    #   reference  -----------------      roads  -----\        /----
    #                                                  \______/       20 m beside
    theirs = RoadLines(np.array([shapely.LineString([(0, 0), (300, 0)])]), drawn("").crs)
    bend = shapely.LineString([(0, 0), (100, 0), (120, -20), (180, -20), (200, 0), (300, 0)])
    changes = found(RoadLines(np.array([bend]), theirs.crs), theirs, replace(STAY, snap_m=0))
    new, missing = (changes.lines[changes.kind == kind] for kind in (ChangeKind.NEW, ChangeKind.MISSING))
    assert len(new) == len(missing) == 1
    assert new[0].length == pytest.approx(60 + 2 * 28, abs=25)
    west, _, east, _ = missing[0].bounds
    assert (west, east) == pytest.approx((108, 192), abs=9)
    assert changes.length_m[changes.kind == ChangeKind.SAME].sum() == pytest.approx(200, abs=25)


def test_what_crosses_a_road_is_not_it() -> None:
    theirs = drawn("""
    +aaaaaaaaaaaa+bbbbbbbbbb+
    """)
    # A street right across: matched nowhere, in one piece.
    across = RoadLines(np.array([shapely.LineString([(100, 60), (100, -60)])]), theirs.crs)
    changes = found(across, theirs, replace(STAY, snap_m=0))
    assert changes.lines[0].length == pytest.approx(120)


def test_crumbs_are_told_by_what_hangs_together() -> None:
    # Three pieces of 12 m in a row are a road of 36 m; one alone is a crumb.
    def row(*starts: float) -> RoadLines:
        lines = [shapely.LineString([(x, 50), (x + 12, 50)]) for x in starts]
        return RoadLines(np.array(lines), drawn("").crs)

    theirs = RoadLines(np.array([shapely.LineString([(0, 0), (200, 0)])]), drawn("").crs)
    assert (found(row(0, 12, 24), theirs).kind == ChangeKind.NEW).sum() == 3
    assert (found(row(0, 30, 60), theirs).kind == ChangeKind.NEW).sum() == 0
    assert (found(row(0, 30, 60), theirs, replace(STAY, min_length_m=10)).kind == ChangeKind.NEW).sum() == 3


def test_jitter_makes_no_crumbs() -> None:
    along = np.arange(0, 1000, 7.0)
    for seed in range(5):
        rng = np.random.default_rng(seed)
        wild = np.column_stack((along, rng.normal(0, 1.5, len(along))))
        roads = RoadLines(np.array([shapely.LineString(wild)]), drawn("").crs)
        straight = RoadLines(np.array([shapely.LineString([(0, 0), (1000, 0)])]), drawn("").crs)
        changes = found(roads, straight)
        assert set(changes.kind) == {ChangeKind.SAME}, seed


def test_only_what_was_seen_is_missing() -> None:
    theirs = drawn("""
    +aaaaaaaaaaaa+bbbbbbbbbb+cccccccccccccccccc+
    d            e          f
    d            e          f
    d            e          f
    d            e          f
    +gggggggggggg+hhhhhhhhhh+iiiiiiiiiiiiiiiiii+
    """)
    ours = RoadLines(theirs.lines[[0, 1, 3]], theirs.crs)  # a, b, d
    changes = found(ours, theirs)
    missing = changes.lines[changes.kind == ChangeKind.MISSING]
    # East of b nothing was seen; of e and f the hull of a, b and d, a triangle, holds the upper part of e.
    assert len(missing) == 1
    assert missing[0].bounds == pytest.approx((130, 50 * 13 / 24, 130, 50), abs=2)


def test_empty_sides() -> None:
    town = drawn(TOWN)
    assert len(found(BLANK, BLANK).lines) == 0
    assert names(found(town, BLANK), ChangeKind.NEW, town) == list("abdefgh")
    assert len(found(BLANK, town).lines) == 0  # nothing was seen
    assert len(found(BLANK, town, DiffParams()).lines) == 0


@given(st.integers(0, 2**32 - 1))
def test_what_is_the_same_and_what_is_not_add_up(seed: int) -> None:
    rng = np.random.default_rng(seed)
    town = drawn(TOWN)
    ours = town.kept(rng.random(len(town.lines)) < 0.7)
    theirs = town.kept(rng.random(len(town.lines)) < 0.7)
    changes = found(ours, theirs, replace(STAY, snap_m=0))
    mine = changes.length_m[changes.kind != ChangeKind.MISSING].sum()
    assert mine == pytest.approx(shapely.length(ours.lines).sum(), abs=1e-3)
    new = set(names(changes, ChangeKind.NEW, ours))
    assert new == set(ours.columns["name"]) - set(theirs.columns["name"])
    missing = set(names(changes, ChangeKind.MISSING, theirs))
    assert missing <= set(theirs.columns["name"]) - set(ours.columns["name"])
