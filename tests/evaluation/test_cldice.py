from __future__ import annotations

from dataclasses import astuple

import numpy as np
import pytest
from drawn_evaluation import sure
from network_drawings import bar, drawn
from numpy.typing import NDArray

from georoads.evaluation.cldice import ClDiceScore, cldice_score, count_skeletons
from georoads.evaluation.counts import count_levels, score_at
from georoads.levels import NODATA

LEVEL = 127
Mask = NDArray[np.bool_]


def counted(found: Mask, road: Mask) -> NDArray[np.int64]:
    return count_skeletons(sure(found), road, np.ones_like(road), LEVEL)


def score(found: Mask, road: Mask) -> ClDiceScore:
    return cldice_score(counted(found, road))


def iou(found: Mask, road: Mask) -> float:
    return score_at(count_levels(sure(found), road, np.ones_like(road)), LEVEL).iou


def test_lines_one_pixel_wide_are_their_own_skeletons() -> None:
    road = drawn(".......... ########## .......... ..........")
    found = drawn(".......... ######.... .......... .......##.")
    assert counted(found, road).tolist() == [[8, 6], [10, 6]]
    assert astuple(score(found, road)) == pytest.approx((6 / 8, 6 / 10, 2 * 0.75 * 0.6 / 1.35))


def test_a_cut_in_a_narrow_road_costs_its_length_and_hardly_iou() -> None:
    narrow, wide = bar((60, 100), (0, 50.5), (100, 50.5), 1), bar((60, 100), (0, 20), (100, 20), 24)
    cut = narrow.copy()
    cut[:, 40:60] = False
    assert score(cut, narrow).sensitivity == 80 / 100
    assert iou(wide | cut, wide | narrow) > 0.99
    judged = score(wide | cut, wide | narrow)
    # The wide road's skeleton is shorter than the road by about its width: 20 of some 180 pixels are missed.
    assert judged.precision == 1.0 and 0.87 < judged.sensitivity < 0.9


@pytest.mark.parametrize("width", [3, 9, 15])
def test_a_prediction_too_thin_or_too_thick_costs_nothing(width: int) -> None:
    ends = (5.0, 20.5), (115.0, 20.5)
    road, found = bar((40, 120), *ends, 5), bar((40, 120), *ends, width)
    assert iou(found, road) < 0.61
    assert score(found, road) == ClDiceScore(1.0, 1.0, 1.0)


def test_a_thick_prediction_beside_its_place_has_its_middle_off_the_road() -> None:
    road = drawn("........ ######## ........ ........ ........ ........")
    found = drawn("........ ######## ######## ######## ######## ########")
    assert score(found, road) == ClDiceScore(0.0, 1.0, 0.0)


def test_exchanged_masks_exchange_precision_and_sensitivity() -> None:
    one, other = np.random.default_rng(4).random((2, 40, 40)) < 0.6
    here, there = score(one, other), score(other, one)
    assert (here.precision, here.sensitivity) == (there.sensitivity, there.precision)
    assert here.cldice == there.cldice and here.precision != here.sensitivity


@pytest.mark.parametrize(
    ("found", "truth", "expected"),
    [
        ("....", "....", (1, 1, 1)),
        ("###.", "....", (0, 1, 0)),
        ("....", "###.", (1, 0, 0)),
        ("##..", "...#", (0, 0, 0)),
    ],
)
def test_nothing_there_or_nothing_found(found: str, truth: str, expected: tuple[float, ...]) -> None:
    assert score(drawn(found), drawn(truth)) == ClDiceScore(*expected)


def test_what_is_not_valid_belongs_to_no_mask() -> None:
    road = drawn("########..")
    levels = sure(drawn("..########"))
    levels[0, 4] = NODATA
    valid = drawn("#######.##")
    # Road at 0-3, 5, 6; found at 2, 3, 5, 6, 8, 9.
    assert count_skeletons(levels, road, valid, LEVEL).tolist() == [[6, 4], [6, 4]]
    assert not count_skeletons(levels, road, np.zeros_like(road), LEVEL).any()


def test_a_pixel_is_road_from_the_threshold_on() -> None:
    levels = np.array([[126, 126, 127, 128]], dtype=np.uint8)
    road = np.ones((1, 4), dtype=bool)
    for level, found in ((126, 4), (127, 2), (128, 1), (129, 0)):
        assert count_skeletons(levels, road, road, level).tolist() == [[found, found], [4, found]]


def test_pooled_are_the_sums_of_the_tiles() -> None:
    tiles = [
        (drawn("######.... .......... .........."), drawn("########## .......... ..........")),
        (drawn(".......... .......... .........."), drawn(".......... ####...... ..........")),
        (drawn(".......... .......... ##########"), drawn(".......... .......... ..........")),
    ]
    apart = np.zeros((2, 10), dtype=bool)
    found, road = (np.concatenate([m for t in tiles for m in (t[i], apart)]) for i in (0, 1))
    pooled = sum(counted(*tile) for tile in tiles)
    assert np.array_equal(pooled, counted(found, road))
    judged = cldice_score(np.asarray(pooled))
    assert (judged.precision, judged.sensitivity) == (6 / 16, 6 / 14)
