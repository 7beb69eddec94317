"""What tile and overlap cost and give: road IoU, computed pixels per pixel, and seconds.

    python benchmarks/tile_sizes.py DEEPGLOBE --model default --tiles 448/128 640/96 832/64

The weights stay as they are; each pair is tile side / overlap, pixels. In a large scene every pixel is
computed (tile / (tile - overlap))² times. The IoU is that of the val pictures, at the threshold that is best
for the pair; the seconds are those of the whole evaluation, and worth comparing on a quiet machine only.
"""

from __future__ import annotations

import argparse
import dataclasses
import tempfile
import time
from pathlib import Path

import georoads
from georoads.inference.select import PredictParams
from georoads.model.checkpoint import Checkpoint, find_checkpoint, load_network, save_checkpoint

PAIRS = ("448/128", "448/96", "448/64", "512/80", "640/128", "640/96", "640/64", "832/128", "832/64")


def with_tile(model: Checkpoint, pair: str, folder: Path) -> Checkpoint:
    """The model with another tile and overlap (``448/128``), written to a folder."""
    tile, overlap = map(int, pair.split("/"))
    card = dataclasses.replace(model.card, tile_px=tile, overlap_px=overlap)
    name = f"{model.card.name}-{tile}-{overlap}"
    return save_checkpoint(folder, name, load_network(model).state_dict(), card)


def main() -> None:
    """Evaluate each pair, a line each."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dataset", type=Path)
    parser.add_argument("--model", default="default")
    parser.add_argument("--tiles", nargs="+", default=PAIRS)
    parser.add_argument("--subset", default="val")
    parser.add_argument("--runtime", default="auto")
    args = parser.parse_args()
    model = find_checkpoint(args.model)
    with tempfile.TemporaryDirectory() as folder:
        for pair in args.tiles:
            varied = with_tile(model, pair, Path(folder))
            card = varied.card
            started = time.monotonic()
            found = georoads.evaluate(
                args.dataset, varied, subset=args.subset, predict=PredictParams(runtime=args.runtime)
            )
            best = found.best or found.at_threshold
            computed = (card.tile_px / (card.tile_px - card.overlap_px)) ** 2
            print(
                f"{pair}: computed {computed:.2f}, IoU {best.iou:.4f} at {best.threshold:.3f}, "
                f"relaxed F1 {found.relaxed.f1:.4f}, {time.monotonic() - started:.0f} s",
                flush=True,
            )


if __name__ == "__main__":
    main()
