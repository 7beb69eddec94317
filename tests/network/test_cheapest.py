"""The cheapest way to a target, beside scikit-image's."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.graph import MCP_Geometric

from georoads.network.graph.ahead import BASE_COST, Ground, cheapest_way, ground_ahead, see, window_around


def seen(cost: NDArray[np.floating], start: tuple[int, int], target: NDArray[np.bool_]) -> Ground:
    """Ground of which all is known."""
    nowhere, unused = np.zeros(2), np.zeros(cost.shape, np.uint8)
    least, nobody = np.full(cost.shape, np.inf), np.zeros(cost.shape, np.bool_)
    return Ground(
        unused, start, nowhere, nowhere, 0.0, unused, cost.astype(np.float32), target, least, nobody
    )


def drawn(*rows: str) -> Ground:
    """S start, T target, # closed, a digit the cost of a pixel."""
    signs = np.array([list(row) for row in rows])
    cost = np.array([[float(c) if c.isdigit() else np.inf if c == "#" else 1.0 for c in r] for r in rows])
    row, col = np.argwhere(signs == "S")[0].tolist()
    return seen(cost, (row, col), signs == "T")


def test_round_a_wall_and_not_over_dear_ground() -> None:
    way = cheapest_way(drawn(
        "1111111",
        "1##9##1",
        "1S#9#T1",
        "1##9##1",
        "1111111",
    ), 99.0)  # fmt: skip
    assert way[0].tolist() == [2, 1]
    assert way[-1].tolist() == [2, 5]
    assert set(way[:, 1].tolist()) == set(range(7))
    assert len({row for row, col in way.tolist() if 2 <= col <= 4}) == 1  # along one side, straight


def test_the_nearest_of_several_targets() -> None:
    assert cheapest_way(drawn("T11S1T"), 99.0).tolist() == [[0, 3], [0, 4], [0, 5]]


@pytest.mark.parametrize(("left", "right"), [(4.2, 4.0), (4.0, 4.2), (4.0, 4.0)])
def test_the_cheaper_of_two_that_cost_nearly_the_same(left: float, right: float) -> None:
    cost = np.array([[1.0, left, 1.0, right, 1.0]])
    way = cheapest_way(seen(cost, (0, 2), np.array([[True, False, False, False, True]])), 99.0)
    assert way[-1].tolist() == [0, 0 if left <= right else 4]


@pytest.mark.parametrize("seed", range(10))
def test_what_is_seen_on_the_way_suffices(seed: int) -> None:
    random = np.random.default_rng(seed)
    level = (254 * random.random((200, 220)) ** 4).astype(np.uint8)
    tip, direction = np.array([60.5, 100.5]), np.array([1.0, 0.1])
    box = window_around(tip, 90.0, level.shape)
    first, all_of_it = (ground_ahead(level[box.slices], box, tip, direction, 90.0) for _ in range(2))
    for ground in (first, all_of_it):
        ground.marks[110 - box.row, 130 - box.col] = 2  # another road
    while len(unseen := np.argwhere(all_of_it.cost == 0)):
        see(all_of_it, *unseen[0])
    walked, way = cheapest_way(first, 9999.0), cheapest_way(all_of_it, 9999.0)
    assert walked.tolist() == way.tolist()
    assert walked[-1].tolist() == [110 - box.row, 130 - box.col]
    assert (first.cost == 0).any()
    passed = all_of_it.cost[tuple(way.T)].astype(np.float64)
    passed[0] = all_of_it.cost[first.start] = 1.0
    on_foot = (np.hypot(*np.diff(way, axis=0).T) * (passed[1:] + passed[:-1]) / 2).sum()
    costs, _ = MCP_Geometric(np.where(np.isinf(all_of_it.cost), -1.0, all_of_it.cost)).find_costs(
        [first.start]
    )
    assert float(on_foot) == pytest.approx(costs[tuple(way[-1])])
    assert passed[1:].max() <= 1 / BASE_COST


def test_walled_in() -> None:
    assert cheapest_way(drawn("S#T"), 99.0).shape == (0, 2)


def test_what_costs_too_much_is_given_up() -> None:
    assert len(cheapest_way(drawn("S1119T"), 13.0))  # 1 + 1 + 1 + 5 + 5, by halves of both pixels
    assert not len(cheapest_way(drawn("S1119T"), 12.9))


@pytest.mark.parametrize("seed", range(30))
def test_costs_as_much_as_scikit_images_way(seed: int) -> None:
    random = np.random.default_rng(seed)
    cost = (1 + 40 * random.random((40, 50)) ** 3).astype(np.float32)
    cost[random.random(cost.shape) < 0.35] = np.inf
    target = np.zeros(cost.shape, np.bool_)
    target[random.integers(0, 40, 5), random.integers(0, 50, 5)] = True
    cost[20, 20], target[20, 20] = 1.0, False
    walked = cheapest_way(seen(cost, (20, 20), target), 9999.0)
    costs, _ = MCP_Geometric(np.where(np.isinf(cost), -1.0, cost)).find_costs([(20, 20)])
    if not np.isfinite(costs[target]).any():
        assert not len(walked)
        return
    steps = np.hypot(*np.diff(walked, axis=0).T)
    assert set(steps.tolist()) <= {1.0, np.sqrt(2.0)}
    on_way = cost[tuple(walked.T)].astype(np.float64)
    assert float((steps * (on_way[1:] + on_way[:-1]) / 2).sum()) == pytest.approx(costs[target].min())
