"""The cheapest way to a target, beside scikit-image's."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.graph import MCP_Geometric

from georoads.network.graph.cheapest_path import cheapest_way


def drawn(*rows: str) -> tuple[NDArray[np.float32], tuple[int, int], NDArray[np.bool_]]:
    """S start, T target, # closed, a digit the cost of a pixel."""
    signs = np.array([list(row) for row in rows])
    cost = np.array([[float(c) if c.isdigit() else np.inf if c == "#" else 1.0 for c in r] for r in rows])
    start = tuple(np.argwhere(signs == "S")[0].tolist())
    return cost.astype(np.float32), start, signs == "T"


def test_round_a_wall_and_not_over_dear_ground() -> None:
    way, strayed = cheapest_way(*drawn(
        "1111111",
        "1##9##1",
        "1S#9#T1",
        "1##9##1",
        "1111111",
    ))  # fmt: skip
    assert not strayed
    assert way[0].tolist() == [2, 1]
    assert way[-1].tolist() == [2, 5]
    assert set(way[:, 1].tolist()) == set(range(7))
    assert len({row for row, col in way.tolist() if 2 <= col <= 4}) == 1  # along one side, straight


def test_the_nearest_of_several_targets() -> None:
    assert cheapest_way(*drawn("T11S1T"))[0].tolist() == [[0, 3], [0, 4], [0, 5]]


def test_walled_in() -> None:
    assert cheapest_way(*drawn("S#T"))[0].shape == (0, 2)


def test_what_costs_too_much_is_given_up() -> None:
    ground = drawn("S1119T")
    assert len(cheapest_way(*ground, 14.0)[0])  # 1 + 1 + 1 + 5 + 5, by halves of both pixels
    assert not len(cheapest_way(*ground, 12.0)[0])


@pytest.mark.parametrize(("ground", "strays"), [("S11T11111", False), ("S1111111T", True), ("S111#", True)])
def test_whether_the_search_came_far_enough_to_need_more_ground(ground: str, strays: bool) -> None:
    assert cheapest_way(*drawn(ground), np.inf, 2.0 if "#" in ground else 4.0)[1] == strays


@pytest.mark.parametrize("seed", range(30))
def test_costs_as_much_as_scikit_images_way(seed: int) -> None:
    random = np.random.default_rng(seed)
    cost = (0.5 + 40 * random.random((40, 50)) ** 3).astype(np.float32)
    cost[random.random(cost.shape) < 0.35] = np.inf
    target = np.zeros(cost.shape, np.bool_)
    target[random.integers(0, 40, 5), random.integers(0, 50, 5)] = True
    cost[20, 20], target[20, 20] = 1.0, False
    walked, _ = cheapest_way(cost, (20, 20), target)
    costs, _ = MCP_Geometric(np.where(np.isinf(cost), -1.0, cost)).find_costs([(20, 20)])
    if not np.isfinite(costs[target]).any():
        assert not len(walked)
        return
    steps = np.hypot(*np.diff(walked, axis=0).T)
    assert set(steps.tolist()) <= {1.0, np.sqrt(2.0)}
    on_way = cost[tuple(walked.T)].astype(np.float64)
    assert float((steps * (on_way[1:] + on_way[:-1]) / 2).sum()) == pytest.approx(costs[target].min())
