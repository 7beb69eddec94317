"""A training from end to end in under a minute: python examples/train_small.py [FOLDER]

Draws pictures of roads, trains a tiny network for two epochs and judges it. It shows which files a training
needs and leaves; a network this small on drawings is good for nothing else. A real one: docs/training.md.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import cv2
import numpy as np

import georoads
from georoads import ChipParams, DataSource, ModelConfig, Recipe, TileParams, TrainParams
from georoads.picture_files import write_png
from georoads.training.run_folder import Epoch

SIZE_PX = 128
CHANNELS = [32, 16, 8, 8, 8]


def draw_dataset(folder: Path, count: int = 32, seed: int = 0) -> None:
    """A folder of pairs: pale roads on speckled ground in ``images/``, white on black in ``masks/``."""
    rng = np.random.default_rng(seed)
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    for number in range(count):
        mask = np.zeros((SIZE_PX, SIZE_PX), dtype=np.uint8)
        for _ in range(3):
            ends = rng.integers(0, SIZE_PX, (2, 2)).tolist()
            cv2.line(mask, ends[0], ends[1], 255, thickness=int(rng.integers(5, 10)))
        ground = rng.normal((60, 90, 80), 12, (SIZE_PX, SIZE_PX, 3))
        picture = np.where(mask[..., None] > 0, ground + 80, ground).clip(0, 255).astype(np.uint8)
        write_png(folder / "images" / f"{number:03}.png", picture)
        write_png(folder / "masks" / f"{number:03}.png", mask)


def small_recipe(data: Path) -> Recipe:
    """Two epochs of a U-Net with few channels, from random weights."""
    return Recipe(
        "small",
        ModelConfig("Unet", "timm-mobilenetv3_small_minimal_100", options={"decoder_channels": CHANNELS}),
        encoder_weights="none",
        chip=ChipParams(size_px=64, gsd_m=0.5),
        train=TrainParams(
            epochs=2, batch=8, lr=3e-3, ema=0.8, augmentation="flips", precision="fp32", workers=0
        ),
        tile=TileParams(tile_px=SIZE_PX, overlap_px=32),
        data=(DataSource(str(data), gsd_m=0.5),),
    )


def tell(epoch: Epoch) -> None:
    """One line for each epoch."""
    print(f"epoch {epoch.epoch}: loss {epoch.train_loss:.3f}, val road IoU {epoch.val_iou:.3f}")


def main(folder: Path) -> None:
    """Draw, train, judge."""
    data, run = folder / "pairs", folder / "run"
    draw_dataset(data)
    model = georoads.train(output=run, recipe=small_recipe(data), on_epoch=tell)
    print(f"{model.weights}: threshold {model.card.threshold:.3f}")

    found = georoads.evaluate(data, model, gsd_m=0.5, predict=georoads.PredictParams(runtime="torch"))
    print(
        f"road IoU {found.at_threshold.iou:.3f} on {len(found.tiles)} val pictures, "
        f"relaxed F1 {found.relaxed.f1:.3f}"
    )


if __name__ == "__main__":
    if len(sys.argv) > 1:
        main(Path(sys.argv[1]))
    else:
        with tempfile.TemporaryDirectory() as temporary:
            main(Path(temporary))
