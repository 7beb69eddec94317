"""From stair-steps to centrelines."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from network_drawings import bar
from network_steps import graph_of
from numpy.typing import NDArray

from georoads.network.lines.smooth import crosses_itself, simplify, smooth, smooth_lines


def circle(radius: float, points: int) -> NDArray[np.float64]:
    angle = np.linspace(0, 2 * np.pi, points)
    line = 50 + radius * np.column_stack((np.cos(angle), np.sin(angle)))
    line[-1] = line[0]
    return line


def test_ends_stay_where_they_are() -> None:
    path = np.array([[0.5, 0.5], [1.5, 1.5], [2.5, 1.5], [3.5, 1.5], [4.5, 2.5], [5.5, 2.5], [6.5, 9.5]])
    smoothed = smooth(path, False, 2.0)
    assert smoothed[0].tolist() == [0.5, 0.5]
    assert smoothed[-1].tolist() == [6.5, 9.5]


def test_a_straight_line_is_left_straight() -> None:
    path = np.column_stack((np.arange(30.0), 2 * np.arange(30.0)))
    smoothed = smooth(path, False, 3.0)
    assert smoothed[:, 1] == pytest.approx(2 * smoothed[:, 0])


@pytest.mark.parametrize("sigma", [3.0, 5.0, 8.0])
def test_a_ring_shrinks_by_little_and_all_round(sigma: float) -> None:
    smoothed = smooth(circle(20, 200), True, sigma)
    radius = np.hypot(*(smoothed - 50).T)
    # A Gaussian alone would take away this share, by 8 pixels 1.5 of 20; of that again this share is lost.
    lost = 1 - np.exp(-((sigma / 20) ** 2) / 2)
    assert radius == pytest.approx(20 * (1 - lost**2), abs=0.05)
    assert smoothed[0].tolist() == smoothed[-1].tolist()


@pytest.mark.parametrize("degrees", [0, 3, 10, 30, 45, 71, 90, 118])
def test_a_straight_road_has_about_two_vertices(degrees: float) -> None:
    angle = np.radians(degrees)
    half = 100 * np.array([np.cos(angle), np.sin(angle)])
    mask = bar((240, 240), tuple(120.3 - half), tuple(120.3 + half), 9)
    graph = graph_of(mask)
    lines = smooth_lines(graph, 10.0, 1.2)
    longest = int(np.argmax(graph.lengths()))
    assert lines.offsets[longest + 1] - lines.offsets[longest] <= 4
    assert len(lines.points) == lines.offsets[-1]


def test_simplify_keeps_what_is_farther_than_the_tolerance() -> None:
    line = np.array([[0.0, 0.0], [1.0, 0.4], [2.0, 0.0], [3.0, 2.0], [4.0, 0.0]])
    assert simplify(line, 0.5).tolist() == [[0, 0], [2, 0], [3, 2], [4, 0]]
    assert simplify(line, 5.0).tolist() == [[0, 0], [4, 0]]


def test_simplify_keeps_a_ring_open() -> None:
    ring = simplify(circle(20, 200), 1.0)
    assert 6 <= len(ring) <= 20
    assert np.hypot(*(ring - 50).T).min() == pytest.approx(20)


def test_crossing() -> None:
    assert crosses_itself(np.array([[0.0, 0], [4, 4], [4, 0], [0, 4]]))
    assert crosses_itself(np.array([[0.0, 0], [4, 4], [0, 0]]))
    assert not crosses_itself(np.array([[0.0, 0], [4, 4], [4, 0]]))
    assert not crosses_itself(np.array([[0.0, 0], [4, 4], [4, 0], [0.0, 0]]))


def test_a_loop_that_simplification_would_flatten_is_left_as_traced() -> None:
    mask = np.pad(np.ones((7, 7), bool), 3)
    mask[6, 6] = False
    graph = graph_of(mask)
    points = smooth_lines(graph, 0.0, 50.0).points
    assert not crosses_itself(points)
    assert len(points) == len(graph.xy)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(-1, 1), st.integers(-1, 1)), min_size=3, max_size=80))
def test_no_line_crosses_itself(moves: list[tuple[int, int]]) -> None:
    path = np.zeros((40, 40), bool)
    row, col = 20, 20
    for down, right in moves:
        row, col = min(max(row + down, 1), 38), min(max(col + right, 1), 38)
        path[row, col] = True
    graph = graph_of(path)
    lines = smooth_lines(graph, 8.0, 1.0)
    for edge in range(graph.n_edges):
        line = lines.points[lines.offsets[edge] : lines.offsets[edge + 1]]
        if len(line) < 4 and graph.is_loop[edge]:
            continue
        assert not crosses_itself(line) or len(line) == np.diff(graph.offsets)[edge]
