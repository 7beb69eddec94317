"""Test-time augmentation: the mean over the eight symmetries of the square (the dihedral group D4)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from georoads.inference.runtime import Network


class SymmetricNetwork:
    """A network that shows another one each tile in its eight orientations and averages the logits.

    The result turns and flips exactly with the tile. It takes eight times as long.
    """

    def __init__(self, network: Network) -> None:
        self._network = network
        self.name = f"{network.name}+d4"
        self.device = network.device
        self.precision = network.precision
        self.batch = network.batch

    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits of road (N, H, W) float32 of a normalised batch (N, bands, H, W) of square tiles."""
        total = np.zeros((len(batch), *batch.shape[2:]), dtype=np.float64)
        for turns in range(4):
            for flipped in (False, True):
                seen = np.rot90(batch, turns, (2, 3))
                seen = seen[..., ::-1] if flipped else seen
                logits = self._network.logits(np.ascontiguousarray(seen))
                logits = logits[..., ::-1] if flipped else logits
                total += np.rot90(logits, -turns, (1, 2))
        return (total / 8).astype(np.float32)
