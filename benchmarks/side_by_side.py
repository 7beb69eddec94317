"""Two or more models on the same pictures: their figures, and what they say side by side.

    python benchmarks/side_by_side.py DATASET --models roads-lite3 runs/mine -o sheet.jpg

A line for each model: road IoU at its card's threshold, at the best one, and two-fold, where the threshold
for every other picture is the best for those between, which does not flatter. The sheet has a row for each of
--shown pictures spread over the subset: the picture, then each model's error map as reports have it: right
white, missed blue, false orange.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from georoads.data.dataset import open_dataset
from georoads.data.split import split_dataset
from georoads.evaluation.counts import LevelCounts, best_score, count_levels, score_at
from georoads.evaluation.evaluate import Prediction, predict_samples
from georoads.evaluation.gallery import error_map
from georoads.inference.select import PredictParams, open_runtime
from georoads.levels import threshold_level
from georoads.model.checkpoint import find_checkpoint

SIDE_PX = 400


def two_fold_iou(counts: list[LevelCounts]) -> float:
    """Road IoU of all pictures together, each half at the threshold that is best for the other."""
    halves = [np.sum(counts[0::2], axis=0), np.sum(counts[1::2], axis=0)]
    levels = [best_score(half).level for half in reversed(halves)]
    shifted = [_at_level_one(half, level) for half, level in zip(halves, levels, strict=True)]
    return score_at(np.sum(shifted, axis=0), 1).iou


def _at_level_one(counts: LevelCounts, level: int) -> LevelCounts:
    """The counts with all that reaches a level at level 1, and the rest at 0."""
    out = np.zeros_like(counts)
    out[:, 0], out[:, 1] = counts[:, :level].sum(axis=1), counts[:, level:].sum(axis=1)
    return out


def small(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """As large as the sheet shows it."""
    return np.asarray(cv2.resize(picture, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA), np.uint8)


def main() -> None:
    """Predict with each model, print, draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dataset")
    parser.add_argument("--models", nargs="+", required=True)
    parser.add_argument("--subset", default="val")
    parser.add_argument("--gsd-m", type=float, help="metres per pixel, where the data set does not say it")
    parser.add_argument("--shown", type=int, default=12)
    parser.add_argument("-o", "--output", type=Path)
    args = parser.parse_args()
    samples = split_dataset(open_dataset(args.dataset, args.gsd_m)).subset(args.subset)
    shown = set(np.linspace(0, len(samples) - 1, args.shown).astype(int).tolist())
    columns: list[list[NDArray[np.uint8]]] = []
    for name in args.models:
        model = find_checkpoint(name)
        runtime = open_runtime(model, PredictParams(precision="fp32"))
        level = threshold_level(model.card.threshold)
        counts, drawn = [], []
        found: Prediction
        for i, found in enumerate(predict_samples(samples, model.card, runtime)):
            counts.append(count_levels(found.levels, found.picture.road, found.picture.valid))
            if i in shown:
                drawn.append((found.picture.image, error_map(found.picture, found.levels >= level)))
        columns = columns or [[small(image) for image, _ in drawn]]
        columns.append([small(picture) for _, picture in drawn])
        pooled: LevelCounts = np.sum(counts, axis=0)
        best = best_score(pooled)
        print(
            f"{model.card.name} {model.card.tile_px}/{model.card.overlap_px}: "
            f"IoU {score_at(pooled, level).iou:.4f} at {model.card.threshold:.3f}, {best.iou:.4f} at "
            f"{best.threshold:.3f}, two-fold {two_fold_iou(counts):.4f}",
            flush=True,
        )
    if args.output:
        sheet = np.vstack([np.hstack(row) for row in zip(*columns, strict=True)])
        cv2.imwrite(str(args.output), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))


if __name__ == "__main__":
    main()
