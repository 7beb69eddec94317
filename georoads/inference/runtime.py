"""What a runtime is, and how pixels become the network's input and its output levels. No torch here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from georoads.levels import FULL

GPU_BATCH = 8
"""Tiles that go through the network together on a GPU, at most."""


class Runtime(Protocol):
    """A network that is ready on a device.

    Attributes:
        name: torch, openvino, onnx.
        device: cpu, cuda, cuda:N or mps.
        precision: of the arithmetic: fp32, bf16 or fp16.
        batch: tiles that it takes at once, at most.
    """

    name: str
    device: str
    precision: str
    batch: int

    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits of road (N, H, W) float32 of a normalised batch (N, bands, H, W) float32."""
        ...


@dataclass(frozen=True)
class RuntimeKind:
    """What levels depend on besides tiles and weights: the attributes of a Runtime.

    They depend on the type of the CPU and the number of its threads too, in their rounding.
    """

    name: str
    device: str
    precision: str
    batch: int

    def __str__(self) -> str:
        return f"{self.name} on {self.device}, {self.precision}, {self.batch} tiles at once"


def kind_of(runtime: Runtime) -> RuntimeKind:
    """The attributes of a runtime, as a value."""
    return RuntimeKind(runtime.name, runtime.device, runtime.precision, runtime.batch)


def tile_levels(runtime: Runtime, tiles: Sequence[NDArray[np.float32]]) -> NDArray[np.uint8]:
    """Levels (K, H, W) of at most ``runtime.batch`` normalised tiles (bands, H, W).

    A batch that is not full is filled up with zeros, so that every batch has the same size: the rounding of
    the arithmetic may depend on it.
    """
    full = np.zeros((runtime.batch, *tiles[0].shape), dtype=np.float32)
    full[: len(tiles)] = tiles
    return to_levels(runtime.logits(full))[: len(tiles)]


def to_levels(logits: NDArray[np.float32]) -> NDArray[np.uint8]:
    """round(254 p) of p = 1 / (1 + exp(-logit)), uint8, same shape."""
    p = np.clip(logits, -30.0, 30.0)
    np.negative(p, out=p)
    np.exp(p, out=p)
    p += 1.0
    np.divide(1.0, p, out=p)
    p *= np.float32(FULL)
    return np.rint(p, out=p).astype(np.uint8)


def cpu_batch(tile_px: int) -> int:
    """Tiles that go through the network together on a CPU: about a megapixel.

    Fewer leave cores idle, and more do not fit the processor's caches.
    """
    return max(1, 2**20 // tile_px**2)
