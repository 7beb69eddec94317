"""georoads with a small, local network that can be held: python held_main.py TILES ARGUMENTS ...

Run by the tests that stop a run from outside. After so many batches of tiles the network says so and waits
until a signal comes; never, if TILES is negative.
"""

from __future__ import annotations

import sys
import time
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.append(str(Path(__file__).resolve().parents[1] / "inference"))

from stub import LocalRuntime

from georoads.cli.main import main
from georoads.inference import tile_store
from georoads.model import checkpoint
from georoads.model.card import ModelCard
from georoads.model.config import ModelConfig
from georoads.walk import prepared

TILE, OVERLAP = 128, 32


class HeldRuntime(LocalRuntime):
    """Says road where a pixel is brighter than around it, and waits after some tiles."""

    name = "openvino"

    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        if self.calls == int(sys.argv[0]):
            print("held", file=sys.stderr, flush=True)
            while True:  # a signal that another thread receives does not end a sleep
                time.sleep(0.05)
        print("tile", file=sys.stderr, flush=True)
        return super().logits(batch)


def stub_checkpoint(name: str) -> checkpoint.Checkpoint:
    """A card without weights; another name is another tile size."""
    tile = TILE if name == "default" else 2 * TILE
    card = ModelCard(name, ModelConfig(), (0.5,) * 3, (0.25,) * 3, 0.5, tile, OVERLAP, 0.5)
    return checkpoint.Checkpoint(card, Path("stub.json"))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    tile_store.COMMIT_S = 0.0
    prepared.open_runtime = lambda *_: HeldRuntime()  # type: ignore[attr-defined]
    checkpoint.find_checkpoint = stub_checkpoint
    del sys.argv[0]
    main()
