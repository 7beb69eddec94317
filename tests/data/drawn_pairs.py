"""Small drawn data sets: bright roads on noise."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

SMALL_RECIPE = """
[model]
architecture = "Unet"
encoder = "timm-mobilenetv3_small_minimal_100"
encoder_weights = "none"
[model.options]
decoder_channels = [16, 8, 8, 8, 8]
[chip]
size_px = 64
[train]
epochs = 2
batch = 4
lr = 3e-3
ema = 0.8
precision = "fp32"
augmentation = "flips"
workers = 0
samples = 0
[tile]
tile_px = 96
overlap_px = 32
[[data]]
path = "{path}"
gsd_m = 0.5
"""
"""A training of seconds on the pairs in ``{path}``."""


KAGGLE_HEAD = "image_id,split,sat_image_path,mask_path"


def draw_kaggle(
    root: Path, rows: list[str], head: str = KAGGLE_HEAD, names: tuple[str, ...] = ("7", "12")
) -> Path:
    """A folder in the Kaggle layout, grey and without roads; its index begins with a byte order mark."""
    (root / "train").mkdir(parents=True, exist_ok=True)
    for name in names:
        cv2.imwrite(str(root / "train" / f"{name}_sat.jpg"), np.full((64, 64, 3), 90, np.uint8))
        cv2.imwrite(str(root / "train" / f"{name}_mask.png"), np.zeros((64, 64), np.uint8))
    (root / "metadata.csv").write_bytes(("\ufeff" + "\r\n".join([head, *rows])).encode())
    return root


def write_index(root: Path, gsd_m: float = 0.5) -> None:
    """Say the pixel size of each picture in ``index.csv``."""
    names = sorted(p.stem for p in (root / "images").iterdir())
    (root / "index.csv").write_text("name,gsd_m\n" + "".join(f"{n},{gsd_m}\n" for n in names))


def hide_columns(root: Path, name: str, first: int, size: int = 96) -> np.ndarray:
    """Write a mask to ``valid/`` that hides a picture from a column on; the pixels that stay."""
    (root / "valid").mkdir()
    shown = np.ones((size, size), bool)
    shown[:, first:] = False
    cv2.imwrite(str(root / "valid" / f"{name}.png"), shown.astype(np.uint8) * 255)
    return shown


def draw_pairs(root: Path, names: list[str], size: int = 96, index: str | None = None) -> Path:
    """A folder of pairs; each picture has one road, a bar of 10 px at its own place."""
    (root / "images").mkdir(parents=True)
    (root / "masks").mkdir()
    for i, name in enumerate(names):
        rng = np.random.default_rng(i)
        picture = rng.normal(70, 6, (size, size, 3))
        mask = np.zeros((size, size), dtype=np.uint8)
        start = 10 + 7 * i % (size - 30)
        mask[start : start + 10] = 255
        picture[mask > 0] += 90
        cv2.imwrite(str(root / "images" / f"{name}.png"), picture.clip(0, 255).astype(np.uint8))
        cv2.imwrite(str(root / "masks" / f"{name}.png"), mask if i % 2 else mask.T)
        if not i % 2:
            cv2.imwrite(
                str(root / "images" / f"{name}.png"), picture.clip(0, 255).astype(np.uint8).swapaxes(0, 1)
            )
    if index is not None:
        (root / "index.csv").write_text(index, encoding="utf-8")
    return root
