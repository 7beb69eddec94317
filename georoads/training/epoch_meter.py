"""What is watched while a model is trained: loss and road IoU of the training chips, and where time goes."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
import torch


class TrainingClock:
    """Seconds of training, those before the last resume included."""

    def __init__(self, seconds_before: float) -> None:
        self._start = time.monotonic() - seconds_before

    @property
    def seconds(self) -> float:
        """Seconds until now."""
        return time.monotonic() - self._start


@dataclass
class EpochMeter:
    """Loss and road IoU (p >= 0.5) of an epoch's training chips, and the share of its time spent waiting.

    Attributes:
        steps: since the last epoch ended, those with a loss that is no number included.
        lr: learning rate of the last step.
        true, union: pixels of road found, and of road or found.
        losses: of the steps that count.
    """

    steps: int = 0
    lr: float = 0.0
    true: int = 0
    union: int = 0
    losses: list[float] = field(default_factory=list)
    _start: float = field(default_factory=time.perf_counter)
    _waited: float = 0.0

    def add(self, loss: torch.Tensor, logits: torch.Tensor, road: torch.Tensor, valid: torch.Tensor) -> None:
        """Count a step.

        Args:
            loss: scalar.
            logits: (N, H, W) of the road class.
            road: (N, H, W), from 0.5 on road.
            valid: (N, H, W), above 0 where the pixel counts.
        """
        self.losses.append(float(loss.detach()))
        found, real = (logits > 0) & (valid > 0), (road >= 0.5) & (valid > 0)
        self.true += int((found & real).sum())
        self.union += int((found | real).sum())

    @contextmanager
    def waiting(self) -> Iterator[None]:
        """The time within counts as waiting for chips."""
        begin = time.perf_counter()
        yield
        self._waited += time.perf_counter() - begin

    @property
    def waited(self) -> float:
        """Share of the epoch's time (after a resume, of its rest) in which the loop waited, 0..1."""
        return self._waited / max(1e-9, time.perf_counter() - self._start)

    @property
    def loss(self) -> float:
        """Mean; NaN before the first step."""
        return float(np.mean(self.losses)) if self.losses else math.nan

    @property
    def recent_loss(self) -> float:
        """Mean of the last 20 steps."""
        return float(np.mean(self.losses[-20:])) if self.losses else math.nan

    @property
    def iou(self) -> float:
        """Road IoU, pooled over the chips; NaN where there is no road, neither found nor real."""
        return self.true / self.union if self.union else math.nan
