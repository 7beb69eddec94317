"""What a runtime does, and the network's input and output in numbers. No torch here."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from georoads.network.types import FULL


class Runtime(Protocol):
    """A network made ready on a device.

    Attributes:
        name: torch, openvino, …
        device: as a user would name it.
        precision: of the arithmetic: fp32, bf16, fp16.
    """

    name: str
    device: str
    precision: str

    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits of road (N, H, W) of a normalised batch (N, bands, H, W)."""
        ...


def to_levels(logits: NDArray[np.float32]) -> NDArray[np.uint8]:
    """round(254 p) of p = 1 / (1 + exp(-logit)), uint8, same shape."""
    p = 1.0 / (1.0 + np.exp(-np.clip(logits, -30.0, 30.0)))
    return np.rint(p * np.float32(FULL)).astype(np.uint8)


def normalize(rgb: NDArray[np.uint8], mean: tuple[float, ...], std: tuple[float, ...]) -> NDArray[np.float32]:
    """A tile as the network wants it: (value / 255 - mean) / std.

    Args:
        rgb: (bands, H, W) uint8.

    Returns:
        (bands, H, W) float32.
    """
    scale = np.float32(1 / 255) / np.asarray(std, dtype=np.float32)
    shift = np.asarray(mean, dtype=np.float32) / np.asarray(std, dtype=np.float32)
    out = rgb.astype(np.float32) * scale[:, None, None] - shift[:, None, None]
    return np.asarray(out, dtype=np.float32)
