"""The offset between two layers, found on drawn towns and on random ones."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from drawn_layers import random_town
from drawn_maps import drawn
from test_compare import TOWN

from georoads.difference.compare import compare
from georoads.difference.offset import Offset, find_offset
from georoads.difference.params import DiffParams
from georoads.output.changes_layer import ChangeKind
from georoads.output.read import RoadLines
from georoads.scoring.segments import to_segments
from georoads.scoring.stretches import LaidLines


def offset_of(roads: RoadLines, reference: RoadLines, params: DiffParams | None = None) -> Offset:
    ours, theirs = (LaidLines(to_segments(layer, layer.crs)) for layer in (roads, reference))
    return find_offset(ours, theirs, params or DiffParams())


@pytest.mark.parametrize("shift", [(0, 0), (3, -2), (-6, 0.5), (7, 7), (0, -10.5)])
def test_an_offset_is_found(shift: tuple[float, float]) -> None:
    found = offset_of(drawn(TOWN), drawn(TOWN, shift=shift))
    assert (found.east_m, found.north_m) == pytest.approx(shift, abs=1e-3)
    assert found.found and found.agree == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize("seed", range(6))
def test_an_offset_is_found_where_roads_are_missing_and_jitter(seed: int) -> None:
    # Of a town of bent streets each layer has three in five, with noise of 1 m at each vertex.
    rng = np.random.default_rng(seed)
    town = random_town(10 * seed, 8)
    noisy = [shapely.transform(town.lines, lambda xy: xy + rng.normal(0, 1, xy.shape)) for _ in range(2)]
    roads, reference = (RoadLines(lines, town.crs) for lines in noisy)
    shift = rng.uniform(-6, 6, 2)
    roads = roads.kept(rng.random(len(roads.lines)) < 0.6)
    reference = reference.kept(rng.random(len(reference.lines)) < 0.6)
    moved = RoadLines(shapely.transform(reference.lines, lambda xy: xy + shift), reference.crs)
    found = offset_of(roads, moved)
    assert (found.east_m, found.north_m) == pytest.approx(tuple(shift), abs=0.7)


def test_roads_of_one_direction_tell_of_what_is_across_alone() -> None:
    rows = "\n\n".join("aaaaaaaaaaaaaaaaaaaaaaaaa".replace("a", letter) for letter in "abc")
    found = offset_of(drawn(rows), drawn(rows, shift=(5, 4)))
    assert found.north_m == pytest.approx(4, abs=1e-3)
    assert abs(found.east_m) <= 1.5


def test_what_is_too_far_or_too_little_has_no_offset() -> None:
    assert not offset_of(drawn(TOWN), drawn(TOWN, shift=(500, 0))).found
    assert not offset_of(drawn(TOWN), drawn("")).found
    assert not offset_of(drawn(""), drawn(TOWN)).found
    short = drawn("+aaaaaa+")
    assert offset_of(short, short) == Offset(samples=14)


def test_changes_lie_as_the_reference_does() -> None:
    ours, theirs = drawn(TOWN), drawn(TOWN.replace("e", " "), shift=(4, -3))
    found = compare(ours, theirs, DiffParams())
    assert found.offset.shift == pytest.approx([4, -3], abs=1e-3)
    (new,) = found.changes.lines
    assert new.bounds == pytest.approx((134, -3, 134, 47), abs=0.01)
    assert list(found.changes.kind) == [ChangeKind.NEW]


def test_without_alignment_nothing_is_moved() -> None:
    ours, theirs = drawn(TOWN), drawn(TOWN, shift=(6, 6))
    found = compare(ours, theirs, DiffParams(align=False))
    assert found.offset == Offset()
    assert set(found.changes.kind) == {ChangeKind.MOVED}
    assert found.changes.distance_m.mean() == pytest.approx(6, abs=0.3)


def test_the_streets_of_a_grid_are_not_taken_for_each_other() -> None:
    # Streets every 30 m: a search of 12 m cannot reach the next one, one of 40 m prefers the nearest.
    lines = [shapely.LineString([(x, 0), (x, 300)]) for x in range(0, 301, 30)]
    lines += [shapely.LineString([(0, y), (300, y)]) for y in range(0, 301, 30)]
    grid = RoadLines(np.array(lines), drawn("").crs)
    moved = RoadLines(shapely.transform(grid.lines, lambda xy: xy + np.array([-8.0, 5.0])), grid.crs)
    for search in (12.0, 40.0):
        found = offset_of(grid, moved, DiffParams(search_m=search))
        assert (found.east_m, found.north_m) == pytest.approx((-8, 5), abs=1e-3)
