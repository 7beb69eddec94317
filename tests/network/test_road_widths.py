"""Widths of roads: away from junctions, from neighbours, never 0, never wider than long."""

from __future__ import annotations

import numpy as np
import pytest
from network_drawings import bar, network_of

from georoads.network.lines.widths import no_wider_than_long
from georoads.network.params import VectorizeParams
from georoads.network.types import RoadNetwork


def widths_by_length(network: RoadNetwork) -> list[tuple[float, float]]:
    """(length, width) in metres of all lines, the longest first."""
    return sorted(zip(network.length_m.tolist(), network.width_m.tolist(), strict=True), reverse=True)


def test_a_short_line_between_wide_junctions_is_as_wide_as_the_road() -> None:
    """Two side roads of 20 px leave a road of 8 px, 30 px apart, to different sides."""
    shape = (300, 400)
    mask = bar(shape, (-5, 150.5), (405, 150.5), 8)
    mask |= bar(shape, (180.5, -5), (180.5, 150), 20) | bar(shape, (210.5, 150), (210.5, 305), 20)
    lines = widths_by_length(network_of(mask, VectorizeParams()))
    assert len(lines) == 5
    (length, width) = lines.pop()
    assert length == pytest.approx(15, abs=3)
    assert width == pytest.approx(4, abs=0.8)
    assert sorted(round(w) for _, w in lines) == [4, 4, 10, 10]


def test_a_junction_does_not_widen_a_side_street() -> None:
    """A street of 6 px, 40 px long, leaves a road of 30 px."""
    shape = (300, 300)
    mask = bar(shape, (-5, 150.5), (305, 150.5), 30) | bar(shape, (150.5, 95), (150.5, 150), 6)
    lines = widths_by_length(network_of(mask, VectorizeParams()))
    assert lines[-1][1] == pytest.approx(3, abs=0.5)


def test_no_line_is_wider_than_long_unless_a_neighbour_is() -> None:
    """
    1 --- 2 - 3 --- 4    5 - 6    all widths 8: the short one keeps it where a longer road is as wide
    """
    edge_nodes = np.array([[1, 2], [2, 3], [3, 4], [5, 6]])
    length = np.array([50.0, 3.0, 50.0, 3.0])
    assert no_wider_than_long(np.full(4, 8.0), length, edge_nodes).tolist() == [8, 8, 8, 3]
    narrow = np.array([4.0, 8.0, 5.0, 8.0])
    assert no_wider_than_long(narrow, length, edge_nodes).tolist() == [4, 5, 5, 3]
