from __future__ import annotations

import numpy as np
import pytest

from georoads.evaluation.counts import count_levels
from georoads.evaluation.two_class import background_only, two_class_dice_loss, two_class_iou

LEVELS = np.array([[254, 127, 0, 0], [0, 126, 254, 0]], dtype=np.uint8)
ROAD = np.array([[True, True, True, False], [False, False, False, False]])
COUNTS = count_levels(LEVELS, ROAD, np.ones_like(ROAD))


def test_by_hand() -> None:
    # At p >= 0.5, two of eight pixels are wrong: (0, 2) is missed, (1, 2) is false. Over both channels the
    # intersection is 6, the union 6 + 2 * 2.
    assert two_class_iou(COUNTS) == 6 / 10
    # |p - road| is 0, 1/2, 1, 0 and 0, 126/254, 1, 0.
    assert two_class_dice_loss(COUNTS) == pytest.approx((0.5 + 1 + 126 / 254 + 1) / 8)


def test_a_mask_without_road_by_hand() -> None:
    nothing = background_only(COUNTS)
    assert two_class_iou(nothing) == (8 - 3) / (8 + 3)
    assert two_class_dice_loss(nothing) == 3 / 8
    # The seed's data set: 4.2 % of the pixels are road.
    sparse = np.zeros((2, 255), dtype=np.int64)
    sparse[:, 0] = 958, 42
    assert two_class_iou(sparse) == pytest.approx(0.919, abs=5e-4)


def test_no_pixel() -> None:
    assert two_class_iou(np.zeros((2, 255), np.int64)) == 1.0
    assert two_class_dice_loss(np.zeros((2, 255), np.int64)) == 0.0


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_as_segmentation_models_pytorch_has_them(seed: int) -> None:
    import torch

    from georoads.model.guard import import_smp

    smp = import_smp()
    rng = np.random.default_rng(seed)
    levels = rng.integers(0, 255, (2, 24, 31)).astype(np.uint8)
    road = rng.random(levels.shape) < 0.1
    counts = count_levels(levels, road, np.ones_like(road))

    p = torch.from_numpy(levels / 254.0)
    channels = torch.stack([1 - p, p], dim=1)
    one_hot = torch.from_numpy(np.stack([~road, road], axis=1).astype(np.int64))
    # Where p is 0.5 exactly, smp takes both classes, we the road.
    hard = channels.clone()
    hard[:, 0] = (p < 0.5).double()
    stats = smp.metrics.get_stats(hard, one_hot, mode="multilabel", threshold=0.5)
    assert two_class_iou(counts) == pytest.approx(float(smp.metrics.iou_score(*stats, reduction="micro")))

    dice = smp.losses.DiceLoss("binary", from_logits=False)
    expected = float(dice(channels.reshape(1, 1, -1), one_hot.reshape(1, 1, -1)))
    assert two_class_dice_loss(counts) == pytest.approx(expected)
