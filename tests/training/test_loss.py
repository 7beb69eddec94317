"""The soft clDice term on drawn roads."""

from __future__ import annotations

import pytest
import torch

from georoads.training.loss import road_loss, soft_cldice, soft_skeleton


def road(width: int = 5) -> torch.Tensor:
    """(1, 40, 40): a straight road across the picture."""
    mask = torch.zeros(1, 40, 40)
    mask[0, 20 - width // 2 : 20 + width // 2 + 1] = 1.0
    return mask


def test_the_soft_skeleton_of_a_road_is_its_middle() -> None:
    skeleton = soft_skeleton(road(), 5)[0]
    assert torch.equal(skeleton[20, 3:-3], torch.ones(34))
    assert float(skeleton[:, 3:-3].sum()) == 34.0
    assert torch.equal(soft_skeleton(road(1), 5), road(1))


def test_a_road_against_itself_costs_nothing_and_an_empty_prediction_all() -> None:
    assert float(soft_cldice(road(), road())) == pytest.approx(0.0, abs=1e-6)
    # One in the smoothed shares stands for an empty sum: 2 * 1 * (1/41) / (1 + 1/41).
    assert float(soft_cldice(torch.zeros(1, 40, 40), road())) == pytest.approx(1 - 2 / 42, abs=1e-3)


def test_a_gap_costs_more_than_as_many_pixels_off_the_side() -> None:
    truth = road(9)
    gap, frayed = truth.clone(), truth.clone()
    gap[0, :, 18:22] = 0.0  # 36 pixels: the road is broken
    frayed[0, 16, 2:38] = 0.0  # 36 pixels off one side: it is a little thinner
    lost = {name: float(soft_cldice(p, truth)) for name, p in (("gap", gap), ("frayed", frayed))}
    assert lost["gap"] > 3 * lost["frayed"]


def test_the_term_is_weighed_against_the_others_and_can_be_learnt_from() -> None:
    out = torch.zeros(1, 1, 40, 40, requires_grad=True)
    valid = torch.ones(1, 40, 40)
    parts = [float(road_loss(out.detach(), road(), valid, 0.5, c)) for c in (0.0, 0.4, 1.0)]
    assert parts[1] == pytest.approx(0.6 * parts[0] + 0.4 * parts[2], rel=1e-6)
    road_loss(out, road(), valid, 0.5, 0.4).backward()
    assert out.grad is not None
    assert float(out.grad[0, 0, 20, 20]) < 0 < float(out.grad[0, 0, 5, 5])


def test_the_dice_term_is_the_known_one_of_masks_and_least_where_p_is_the_truth() -> None:
    p, t = torch.rand(2, 9, 9), (torch.rand(2, 9, 9) > 0.7).float()
    logits, ones = torch.logit(p)[:, None], torch.ones(2, 9, 9)
    known = 1 - (2 * (p * t).sum() + 1) / (p.sum() + t.sum() + 1)
    assert float(road_loss(logits, t, ones, 1.0)) == pytest.approx(float(known), abs=1e-5)
    soft = torch.full((1, 9, 9), 0.6)
    costs = {
        value: float(road_loss(torch.logit(torch.full((1, 1, 9, 9), value)), soft, ones[:1], 1.0))
        for value in (0.3, 0.5, 0.6, 0.7, 0.99)
    }
    assert min(costs, key=lambda value: costs[value]) == 0.6 and costs[0.6] == pytest.approx(0, abs=1e-5)
