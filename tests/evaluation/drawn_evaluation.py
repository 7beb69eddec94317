"""A small drawn data set, a stub network that looks at brightness, and its card."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from drawn_pairs import draw_pairs
from numpy.typing import NDArray

from georoads.data.dataset import Sample, open_dataset
from georoads.inference.runtime import to_levels
from georoads.levels import FULL
from georoads.model.card import ModelCard
from georoads.model.config import ModelConfig

CARD = ModelCard("stub", ModelConfig(), (0.5,) * 3, (0.5,) * 3, 0.5, 64, 16, 128 / 254)


class BrightIsRoad:
    """Logit 0 at grey level ``edge``; the drawn roads are at about 160, the ground at about 70."""

    name, device, precision, batch = "stub", "cpu", "fp32", 1

    def __init__(self, edge: float = 115.0) -> None:
        self.edge = edge

    def levels(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return to_levels((pixels.mean(axis=1, dtype=np.float32) - self.edge) / 8)


def sure(mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The levels of a prediction that is p = 1 on a mask and 0 elsewhere."""
    return mask.astype(np.uint8) * np.uint8(FULL)


def drawn_samples(folder: Path, names: list[str], gsd_m: float = 0.5) -> tuple[Sample, ...]:
    """Samples with these names, which need not be names of files."""
    plain = [f"t{i}" for i in range(len(names))]
    found = open_dataset(draw_pairs(folder, plain), gsd_m).samples
    return tuple(Sample(n, s.image, s.mask, s.gsd_m) for n, s in zip(names, found, strict=True))
