"""Loose ends of new roads are led to the reference, so that the networks connect."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import shapely
from drawn_maps import LOCAL

from georoads.difference.compare import compare
from georoads.difference.params import DiffParams
from georoads.output.changes_layer import ChangeKind
from georoads.output.read import RoadLines

STAY = DiffParams(align=False)
MAIN = [(0, 0), (100, 0), (200, 0)]


def layer(*lines: Sequence[Sequence[float]]) -> RoadLines:
    shapes = np.empty(len(lines), dtype=object)
    shapes[:] = [shapely.LineString(line) for line in lines]
    return RoadLines(shapes, LOCAL)


def new_lines(
    roads: RoadLines, reference: RoadLines, params: DiffParams = STAY
) -> list[list[tuple[float, ...]]]:
    changes = compare(roads, reference, params).changes
    return [list(line.coords) for line in changes.lines[changes.kind == ChangeKind.NEW]]


def test_a_side_street_begins_on_the_reference() -> None:
    #   roads  ---------+--------- 3 m north of     reference ------------------
    #                   |
    roads = layer([(0, 3), (100, 3)], [(100, 3), (200, 3)], [(100, 3), (100, 80)])
    (street,) = new_lines(roads, layer(MAIN))
    assert street == [(100, 0), (100, 3), (100, 80)]
    (street,) = new_lines(roads, layer(MAIN), replace(STAY, snap_m=0))
    assert street == [(100, 3), (100, 80)]


def test_a_vertex_of_the_reference_is_preferred() -> None:
    roads = layer([(0, 3), (98.5, 3)], [(98.5, 3), (200, 3)], [(98.5, 3), (98.5, 80)])
    assert new_lines(roads, layer(MAIN)) == [[(100, 0), (98.5, 3), (98.5, 80)]]


def test_an_end_that_is_nearly_there_is_moved() -> None:
    roads = layer([(0, 0.5), (50, 0.5)], [(50, 0.5), (200, 0.5)], [(50, 0.5), (50, 80)])
    assert new_lines(roads, layer(MAIN)) == [[(50, 0), (50, 80)]]


def test_streets_on_both_sides_meet_in_one_place() -> None:
    north, south = [(50, 2), (50, 80)], [(50, 2), (50, -80)]
    roads = layer([(0, 2), (50, 2)], [(50, 2), (200, 2)], north, south)
    one, other = new_lines(roads, layer(MAIN))
    assert one[0] == other[0] == (50, 0)


@pytest.mark.parametrize(("gap", "is_led"), [(9, True), (11, False)])
def test_a_dead_end_is_led_to_what_it_points_at(gap: float, is_led: bool) -> None:
    (street,) = new_lines(layer(MAIN, [(50, 90), (50, gap)]), layer(MAIN))
    assert (street[-1] == (50, 0)) == is_led


def test_a_dead_end_that_points_elsewhere_stays() -> None:
    beside = [(20, 60), (20, 9), (120, 9)]  # ends beside the main road, parallel to it
    (street,) = new_lines(layer(MAIN, beside), layer(MAIN))
    assert street[-1] == (120, 9)


def test_a_road_that_goes_on_begins_where_the_reference_ends() -> None:
    #   roads   ------------------------------   reference  ----------
    (longer,) = new_lines(layer([(0, 1), (300, 1)]), layer([(0, 0), (100, 0)]))
    assert (longer[0], longer[-1]) == ((100, 0), (300, 1))


def test_a_fork_begins_at_the_fork() -> None:
    #   the new road leaves at a small angle: 1 in 4
    roads = layer([(0, 0), (100, 0), (300, 50)])
    (fork,) = new_lines(roads, layer([(0, 0), (300, 0)]))
    assert fork[0] == pytest.approx((100, 0), abs=3)
    assert fork[-1] == (300, 50)


def test_far_ends_stay() -> None:
    (far,) = new_lines(layer([(0, 100), (200, 100)]), layer(MAIN))
    assert far == [(0, 100), (200, 100)]
