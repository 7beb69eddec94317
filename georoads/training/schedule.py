"""The learning rate and the moving average of the weights."""

from __future__ import annotations

import math

import torch
from torch import nn


def lr_factor(progress: float, warmup: float, end: float) -> float:
    """Share of the peak rate at a point of the training: a linear warm-up, then a cosine down to ``end``.

    The cosine is that of I. Loshchilov and F. Hutter, SGDR, ICLR 2017, without its restarts.

    Args:
        progress: of the training, 0..1.
        warmup: share of the training that warms up.
        end: the last factor.
    """
    if progress < warmup:
        return max(0.01, progress / warmup)
    along = min(1.0, (progress - warmup) / max(1e-9, 1.0 - warmup))
    return end + (1.0 - end) * 0.5 * (1.0 + math.cos(math.pi * along))


@torch.no_grad()
def update_average(average: nn.Module, network: nn.Module, decay: float, step: int) -> None:
    """Move the averaged weights (and batch norms' statistics) towards the network's.

    The decay grows with the steps, so that the random start is forgotten soon.

    Args:
        average: changed in place.
        network: of the same shape.
        decay: share of the average that a step leaves, 0..1, once it has grown.
        step: number of the step, from 1.
    """
    decay = min(decay, (1 + step) / (10 + step))
    for a, b in zip(average.state_dict().values(), network.state_dict().values(), strict=True):
        if a.is_floating_point():
            a.lerp_(b, 1.0 - decay)
        else:
            a.copy_(b)
