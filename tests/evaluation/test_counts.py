from __future__ import annotations

import numpy as np
import pytest

from georoads.evaluation.counts import best_score, count_levels, score_at


def test_iou_of_a_drawn_case() -> None:
    levels = np.array([[254, 200, 0], [100, 0, 255]], dtype=np.uint8)
    road = np.array([[True, False, True], [True, False, True]])
    valid = np.ones((2, 3), dtype=bool)
    counts = count_levels(levels, road, valid)
    assert counts.sum() == 5  # the nodata pixel does not count
    score = score_at(counts, 127)
    assert score.iou == pytest.approx(1 / 4)
    assert score.precision == pytest.approx(1 / 2)
    assert score.recall == pytest.approx(1 / 3)
    assert best_score(counts).iou == pytest.approx(2 / 4)
