"""The cheapest way to a target, beside scikit-image's."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from skimage.graph import MCP_Geometric

from georoads.network.graph.ahead import Ground
from georoads.network.graph.cheapest_path import cheapest_way


def seen(cost: NDArray[np.floating], start: tuple[int, int], target: NDArray[np.bool_]) -> Ground:
    """Ground of which all is known."""
    nowhere, unused = np.zeros(2), np.zeros(cost.shape, np.uint8)
    edges = (False, False, False, False)
    return Ground(
        unused,
        start,
        nowhere,
        nowhere,
        0.0,
        edges,
        unused,
        cost.astype(np.float32),
        target,
        np.full(cost.shape, np.inf),
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
