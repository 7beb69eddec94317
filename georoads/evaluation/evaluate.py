"""Evaluating a network on the labelled pictures of a data set."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from georoads.data.chip import resample_picture
from georoads.data.dataset import Sample
from georoads.data.pictures import read_pair, valid_pixels
from georoads.evaluation.counts import (
    LevelCounts,
    PixelScore,
    best_score,
    count_levels,
    iou_interval,
    score_at,
)
from georoads.inference.picture import predict_picture
from georoads.inference.runtime import Runtime
from georoads.model.card import ModelCard
from georoads.network.types import FULL


@dataclass(frozen=True)
class Evaluation:
    """What a network reaches on a subset.

    Attributes:
        at_threshold: metrics at the card's threshold, pooled over the tiles.
        interval: 95 % bootstrap interval of the road IoU over tiles.
        best: metrics at the threshold that would be best on this very subset.
        mean_tile_iou: mean over tiles of the road IoU of each.
        pooled_two_class_iou: of background and road pooled, as the notebook printed it.
        all_background_iou: what that pooled IoU is for a mask with no road at all.
        per_tile: road IoU of each tile at the card's threshold, by name.
    """

    at_threshold: PixelScore
    interval: tuple[float, float]
    best: PixelScore
    mean_tile_iou: float
    pooled_two_class_iou: float
    all_background_iou: float
    per_tile: dict[str, float]


def evaluate_samples(
    samples: Sequence[Sample],
    card: ModelCard,
    runtime: Runtime,
    *,
    white_is_nodata: bool = False,
    progress: Callable[[int], None] = lambda done: None,
) -> Evaluation:
    """Predict each picture at the card's tile and overlap, and judge the pixels.

    Args:
        progress: called with the number of pictures done.
    """
    counts = []
    for done, (_, c) in enumerate(count_samples(samples, card, runtime, white_is_nodata), start=1):
        counts.append(c)
        progress(done)
    return summarize([s.name for s in samples], counts, card.threshold)


def summarize(names: Sequence[str], counts: Sequence[LevelCounts], threshold: float) -> Evaluation:
    """The metrics of counted tiles at a threshold."""
    level = max(1, round(threshold * FULL))
    pooled = np.sum(counts, axis=0)
    per_tile = {name: score_at(c, level).iou for name, c in zip(names, counts, strict=True)}
    wrong = int(pooled[0, level:].sum() + pooled[1, :level].sum())
    total, road = int(pooled.sum()), int(pooled[1].sum())
    return Evaluation(
        at_threshold=score_at(pooled, level),
        interval=iou_interval(list(counts), level),
        best=best_score(pooled),
        mean_tile_iou=float(np.mean(list(per_tile.values()))),
        # Over both channels of a one-hot mask every wrong pixel counts twice, every right one once.
        pooled_two_class_iou=(total - wrong) / (total + wrong),
        all_background_iou=(total - road) / (total + road),
        per_tile=per_tile,
    )


def count_samples(
    samples: Sequence[Sample], card: ModelCard, runtime: Runtime, white_is_nodata: bool = False
) -> Iterator[tuple[str, LevelCounts]]:
    """Name and level counts of each sample, in order."""
    for sample in samples:
        levels, road, valid = predict_sample(sample, card, runtime, white_is_nodata)
        yield sample.name, count_levels(levels, road, valid)


def predict_sample(
    sample: Sample, card: ModelCard, runtime: Runtime, white_is_nodata: bool = False
) -> tuple[NDArray[np.uint8], NDArray[np.bool_], NDArray[np.bool_]]:
    """Levels, truth and validity (each (H, W)) of one picture, brought to the model's GSD where it differs
    by more than 1.25 times."""
    image, road = read_pair(sample)
    picture = resample_picture(image, road, valid_pixels(image, white_is_nodata), sample.gsd_m, card.gsd_m)
    rgb = np.ascontiguousarray(picture.image.transpose(2, 0, 1))
    return predict_picture(rgb, picture.valid, card, runtime), picture.road, picture.valid
