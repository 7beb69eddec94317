from __future__ import annotations

import math

import numpy as np
import pytest
from drawn_evaluation import sure
from network_drawings import drawn
from numpy.typing import NDArray

from georoads.evaluation.counts import count_levels, score_at
from georoads.evaluation.relaxed import count_relaxed, relaxed_breakeven, relaxed_curve, relaxed_score

Maps = tuple[NDArray[np.uint8], NDArray[np.bool_], NDArray[np.bool_]]


def judged(found: str, road: str, slack: float = 3.0) -> tuple[float, float, float]:
    """Precision, recall and F1 of a drawn prediction, all of it valid."""
    truth = drawn(road)
    score = relaxed_score(count_relaxed(sure(drawn(found)), truth, np.ones_like(truth), slack), 127)
    return score.precision, score.recall, score.f1


def slow_score(maps: Maps, level: int, slack: float) -> tuple[float, float]:
    """Relaxed precision and recall as the definition has them, pixel by pixel and pair by pair."""
    levels, road, valid = maps
    places = [(r, c) for r in range(road.shape[0]) for c in range(road.shape[1]) if valid[r, c]]
    found = [p for p in places if levels[p] != 255 and levels[p] >= level]
    real = [p for p in places if road[p] and levels[p] != 255]

    def near(place: tuple[int, int], others: list[tuple[int, int]]) -> bool:
        return any(math.dist(place, other) <= slack for other in others)

    precision = sum(near(p, real) for p in found) / len(found) if found else 1.0
    recall = sum(near(p, found) for p in real) / len(real) if real else 1.0
    return precision, recall


def random_maps(seed: int) -> Maps:
    rng = np.random.default_rng(seed)
    levels = rng.choice(np.array([0, 0, 0, 40, 128, 200, 254, 255], dtype=np.uint8), (13, 11))
    return levels, rng.random((13, 11)) < 0.08, rng.random((13, 11)) < 0.9


def test_a_line_beside_its_place_is_right_within_the_slack_only() -> None:
    road, found = "..... ..... ##### ..... .....", "##### ..... ..... ..... ....."
    for slack, f1 in ((1.0, 0.0), (1.9, 0.0), (2.0, 1.0), (3.0, 1.0)):
        assert judged(found, road, slack) == (f1, f1, f1)


def test_distance_is_euclidean() -> None:
    for found, right in (
        ("..... ..... ..#.. ..... .....", 1.0),  # 2.83 px
        ("...#. ..... ..... ..... .....", 1.0),  # 3 px exactly
        ("..... ...#. ..... ..... .....", 0.0),  # 3.16 px
    ):
        assert judged(found, "#.... ..... ..... ..... .....") == (right, right, right)


def test_precision_and_recall_of_a_drawn_case() -> None:
    road = "######### ......... ......... ......... ......... ........."
    precision, recall, f1 = judged(".#....... #........ ......... ......... ......... .......##", road, 1.0)
    assert precision == 2 / 4  # the two in the lower right corner are far away
    assert recall == 3 / 9  # columns 0, 1 and 2
    assert f1 == pytest.approx(2 * (1 / 2) * (1 / 3) / (1 / 2 + 1 / 3))


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("slack", [0.0, 1.0, 1.5, 3.0])
def test_every_threshold_as_the_slow_definition_has_it(seed: int, slack: float) -> None:
    maps = random_maps(seed)
    counts = count_relaxed(*maps, slack)
    for level in (1, 40, 41, 128, 129, 254):
        score = relaxed_score(counts, level)
        assert (score.precision, score.recall) == pytest.approx(slow_score(maps, level, slack))


def test_without_slack_it_is_plain_precision_and_recall() -> None:
    maps = random_maps(7)
    scores = score_at(count_levels(*maps), 128), relaxed_score(count_relaxed(*maps, 0.0), 128)
    strict, relaxed = ((s.precision, s.recall, s.f1) for s in scores)
    assert relaxed == pytest.approx(strict)


def test_counts_add_up_over_tiles() -> None:
    pairs = [random_maps(seed) for seed in (1, 2)]
    gap = 10  # wider than the slack, so that the tiles do not see each other
    joined = [np.concatenate([a, np.zeros((gap, 11), a.dtype), b]) for a, b in zip(*pairs, strict=True)]
    whole = count_relaxed(joined[0], joined[1], joined[2], 3.0)
    assert np.array_equal(whole, sum(count_relaxed(*p, 3.0) for p in pairs))


def test_what_is_not_valid_neither_counts_nor_makes_a_neighbour_right() -> None:
    counts = count_relaxed(sure(drawn(".#..")), drawn("#..#"), drawn(".###"), 1.0)
    score = relaxed_score(counts, 127)
    assert (score.precision, score.recall) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("truth", "found", "expected"),
    [("....", "....", (1, 1, 1)), ("....", "#...", (0, 1, 0)), ("#...", "....", (1, 0, 0))],
)
def test_nothing_there_or_nothing_found(truth: str, found: str, expected: tuple[float, ...]) -> None:
    assert judged(found, truth) == expected


def test_break_even() -> None:
    counts = np.zeros((3, 255), dtype=np.int64)
    counts[0, [50, 100, 200]] = 40, 8, 2  # far
    counts[1, [50, 100, 200]] = 10, 12, 8  # near
    counts[2, [0, 50, 100, 200]] = 4, 4, 6, 6  # true road
    precision, recall = relaxed_curve(counts)
    assert precision[[49, 99, 199]] == pytest.approx([30 / 80, 20 / 30, 8 / 10])
    assert recall[[49, 99, 199]] == pytest.approx([16 / 20, 12 / 20, 6 / 20])
    # Between levels 50 (P .375 R .8) and 51 (P .667 R .6) the lines cross at a share of .425 / .492.
    assert relaxed_breakeven(counts) == pytest.approx(0.375 + (0.425 / (0.425 + 1 / 15)) * (2 / 3 - 0.375))


def test_break_even_of_a_perfect_and_of_a_silent_prediction() -> None:
    road = drawn("..#.. ..#..")
    nothing, valid = np.zeros_like(road), np.ones_like(road)
    perfect, silent = (count_relaxed(sure(found), road, valid) for found in (road, nothing))
    assert relaxed_breakeven(perfect) == 1.0
    assert relaxed_breakeven(silent) is None
