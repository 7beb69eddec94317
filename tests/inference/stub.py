"""A small, fully local network: its answer at a pixel depends on the pixels within REACH of it alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from georoads.inference.runtime import to_levels
from georoads.model.card import ModelCard
from georoads.model.checkpoint import Checkpoint
from georoads.model.config import ModelConfig
from georoads.model.pixels import normalize

REACH = 4


def checkpoint(tile: int, overlap: int, file: Path = Path("stub.json")) -> Checkpoint:
    """A model of these tiles, of which there is a card alone."""
    return Checkpoint(
        ModelCard("stub", ModelConfig(), (0.5,) * 3, (0.25,) * 3, 0.5, tile, overlap, 0.5), file
    )


class LocalRuntime:
    name = "stub"
    device = "cpu"
    precision = "fp32"

    def __init__(self, stop_after: int | None = None, batch: int = 1) -> None:
        self.batch = batch
        self.calls = 0
        self.stop_after = stop_after

    def levels(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return to_levels(self.logits(normalize(pixels, (0.5,) * 3, (0.25,) * 3)))

    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        if self.stop_after is not None and self.calls >= self.stop_after:
            raise KeyboardInterrupt
        self.calls += 1
        grey = batch.astype(np.float64).mean(axis=1)
        smooth = ndimage.uniform_filter(grey, size=(0, 2 * REACH + 1, 2 * REACH + 1), mode="constant")
        return np.asarray(4 * (grey - smooth), np.float32)
