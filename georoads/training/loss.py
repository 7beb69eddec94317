"""The loss: binary cross-entropy, Dice, and perhaps soft clDice, over valid pixels."""

from __future__ import annotations

import torch
from torch.nn import functional as F

SKELETON_STEPS = 8
"""Erosions of the soft skeleton: roads up to twice as many pixels wide are thinned to their middle."""


def road_loss(
    out: torch.Tensor,
    road: torch.Tensor,
    valid: torch.Tensor,
    dice_weight: float,
    cldice_weight: float = 0.0,
) -> torch.Tensor:
    """(1 - c) ((1 - w) BCE + w Dice) + c clDice.

    The Dice term is Σ |p - t| / (Σ p + Σ t) over the whole batch: taken chip by chip, those without a road
    would ask for nothing but p = 0 everywhere. Where t is 0 or 1 this is 1 - 2 Σ p t / (Σ p + Σ t) (Milletari
    et al. 2016, V-Net); where a teacher says t, it is least at p = t, as that one is not (Wang et al., "Dice
    semimetric losses", MICCAI 2023).

    Args:
        out: (N, C, H, W) float32 logits; C is 1 (road) or 2 (background, road: the truth is then one-hot
            and both channels count).
        road: (N, H, W) float32, 0 or 1, or between where a teacher speaks too.
        valid: (N, H, W) float32, how much the pixel counts: 0 where it is invalid, else mostly 1.
        dice_weight: w in 0..1.
        cldice_weight: c in 0..1.
    """
    pixels = _bce_and_dice(out, road, valid, dice_weight)
    if cldice_weight == 0.0:
        return pixels
    return (1.0 - cldice_weight) * pixels + cldice_weight * soft_cldice(
        torch.sigmoid(out[:, -1]) * valid, road * valid
    )


def soft_cldice(p: torch.Tensor, road: torch.Tensor, steps: int = SKELETON_STEPS) -> torch.Tensor:
    """1 - soft clDice of (N, H, W) probabilities and a mask: how much of each one's middle the other covers.

    Shit et al., "clDice, a novel topology-preserving loss function for tubular structure segmentation" (CVPR
    2021): a gap of a few pixels costs little Dice, but the whole of the centreline within it.

    Args:
        p: (N, H, W) float32, probabilities of road.
        road: (N, H, W) float32, 0 or 1, or between where a teacher speaks too.
        steps: erosions of the soft skeleton.
    """
    ours, truth = soft_skeleton(p, steps), soft_skeleton(road, steps)
    precision = ((ours * road).sum() + 1.0) / (ours.sum() + 1.0)
    sensitivity = ((truth * p).sum() + 1.0) / (truth.sum() + 1.0)
    return 1.0 - 2.0 * precision * sensitivity / (precision + sensitivity)


def soft_skeleton(p: torch.Tensor, steps: int) -> torch.Tensor:
    """(N, H, W) soft skeleton: at each of the erosions, what an opening would take away.

    Algorithm 1 of Shit et al.: minimum and maximum pooling stand for erosion and dilation.
    """
    image = p[:, None]
    skeleton = torch.relu(image - _open(image))
    for _ in range(steps):
        image = _erode(image)
        rest = torch.relu(image - _open(image))
        skeleton = skeleton + torch.relu(rest - skeleton * rest)
    return skeleton[:, 0]


def _erode(image: torch.Tensor) -> torch.Tensor:
    """Minimum over the pixel and its four neighbours."""
    down = -F.max_pool2d(-image, (3, 1), 1, (1, 0))
    across = -F.max_pool2d(-image, (1, 3), 1, (0, 1))
    return torch.minimum(down, across)


def _open(image: torch.Tensor) -> torch.Tensor:
    """The erosion, dilated by 3 x 3."""
    return F.max_pool2d(_erode(image), 3, 1, 1)


def _bce_and_dice(
    out: torch.Tensor, road: torch.Tensor, valid: torch.Tensor, dice_weight: float
) -> torch.Tensor:
    """(1 - w) BCE + w Dice of (N, C, H, W) logits, over all valid pixels of the batch."""
    # With two channels each becomes a picture of its own, background before road.
    logits = out.flatten(0, 1)
    if out.shape[1] == 2:
        road = torch.stack([1.0 - road, road], dim=1).flatten(0, 1)
        valid = valid.repeat_interleave(2, dim=0)
    n_valid = valid.sum().clamp(min=1.0)
    cross_entropy = (
        F.binary_cross_entropy_with_logits(logits, road, reduction="none") * valid
    ).sum() / n_valid
    p, t = torch.sigmoid(logits) * valid, road * valid
    dice = (p - t).abs().sum() / (p.sum() + t.sum() + 1.0)
    return (1.0 - dice_weight) * cross_entropy + dice_weight * dice
