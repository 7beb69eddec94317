"""The loss: binary cross-entropy and Dice, over valid pixels."""

from __future__ import annotations

import torch
from torch.nn import functional as F


def road_loss(out: torch.Tensor, road: torch.Tensor, valid: torch.Tensor, dice_weight: float) -> torch.Tensor:
    """(1 - w) BCE + w Dice.

    The Dice term is 1 - 2 Σ p t / (Σ p + Σ t) over the whole batch (Milletari et al. 2016, V-Net): taken
    chip by chip, those without a road would ask for nothing but p = 0 everywhere.

    Args:
        out: (N, C, H, W) float32 logits; C is 1 (road) or 2 (background, road: the truth is then one-hot
            and both channels count).
        road: (N, H, W) float32, 0 or 1.
        valid: (N, H, W) float32, 0 where the pixel does not count.
        dice_weight: w in 0..1.
    """
    logits = out.flatten(0, 1)
    if out.shape[1] == 2:
        road = torch.stack([1.0 - road, road], dim=1).flatten(0, 1)
        valid = valid.repeat_interleave(2, dim=0)
    n_valid = valid.sum().clamp(min=1.0)
    cross_entropy = (
        F.binary_cross_entropy_with_logits(logits, road, reduction="none") * valid
    ).sum() / n_valid
    p, t = torch.sigmoid(logits) * valid, road * valid
    dice = 1.0 - (2.0 * (p * t).sum() + 1.0) / (p.sum() + t.sum() + 1.0)
    return (1.0 - dice_weight) * cross_entropy + dice_weight * dice
