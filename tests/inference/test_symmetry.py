from __future__ import annotations

import numpy as np
from stub import LocalRuntime

from georoads.inference.symmetry import SymmetricNetwork


class Slanted(LocalRuntime):
    """A network that prefers one direction."""

    def logits(self, batch: np.ndarray) -> np.ndarray:
        grey = batch.mean(axis=1)
        return np.asarray(2 * grey - np.roll(grey, 1, axis=2), np.float32)


def test_the_mean_turns_and_flips_with_the_tile() -> None:
    tile = np.random.default_rng(0).normal(size=(2, 3, 16, 16)).astype(np.float32)
    network = SymmetricNetwork(Slanted())
    answer = network.logits(tile)
    for turns in range(4):
        turned = np.ascontiguousarray(np.rot90(tile, turns, (2, 3)))
        assert np.allclose(network.logits(turned), np.rot90(answer, turns, (1, 2)), atol=1e-5)
    flipped = np.ascontiguousarray(tile[..., ::-1])
    assert np.allclose(network.logits(flipped), answer[..., ::-1], atol=1e-5)


def test_a_symmetric_network_is_left_as_it_is() -> None:
    tile = np.random.default_rng(1).normal(size=(1, 3, 20, 20)).astype(np.float32)
    assert np.allclose(SymmetricNetwork(LocalRuntime()).logits(tile), LocalRuntime().logits(tile), atol=1e-5)
