"""Evaluating a network on the labelled pictures of a data set."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from georoads.data.chip import Chip, resample_picture
from georoads.data.dataset import Sample
from georoads.data.picture_cache import read_picture
from georoads.errors import DatasetError
from georoads.evaluation.calibration import Bin, Temperature, calibration_error, fit_temperature, reliability
from georoads.evaluation.cldice import ClDiceScore, SkeletonCounts, cldice_score, count_skeletons
from georoads.evaluation.counts import (
    LevelCounts,
    PixelScore,
    best_score,
    count_levels,
    iou_interval,
    score_at,
)
from georoads.evaluation.curves import Curve, average_precision, precision_recall
from georoads.evaluation.relaxed import (
    SLACK_PX,
    RelaxedCounts,
    RelaxedScore,
    count_relaxed,
    relaxed_breakeven,
    relaxed_curve,
    relaxed_score,
)
from georoads.evaluation.two_class import background_only, two_class_dice_loss, two_class_iou
from georoads.inference.picture import predict_picture
from georoads.inference.runtime import Runtime, kind_of
from georoads.inference.select import memory_mb
from georoads.levels import COUNT, threshold_level
from georoads.model.card import ModelCard
from georoads.resources import check_memory


@dataclass(frozen=True)
class EvaluateParams:
    """How pictures are judged.

    Attributes:
        subset: what the pictures are. Only on "val" are a best threshold and a temperature looked for: what
            was fitted on pictures must not be judged on them.
        white_is_nodata: white pixels do not count.
        slack_px: of the relaxed metrics, in pixels of the data set.
        gallery: worst and best pictures shown in the report, of each so many.
    """

    subset: str = "val"
    white_is_nodata: bool = False
    slack_px: float = SLACK_PX
    gallery: int = 6

    def __post_init__(self) -> None:
        if not 0 <= self.slack_px <= 100:
            raise ValueError(f"slack_px must be 0 to 100 pixels, not {self.slack_px}")
        if not 0 <= self.gallery <= 100:
            raise ValueError(f"gallery must be 0 to 100 pictures, not {self.gallery}")


@dataclass(frozen=True)
class Prediction:
    """A labelled picture at the model's GSD, and what the network makes of it.

    Attributes:
        name: of the sample.
        picture: pixels, truth and validity, (H, W).
        levels: (H, W) uint8, round(254 p).
        scale: pixels of the picture per pixel of the sample's file; 1 where it was not resampled.
    """

    name: str
    picture: Chip
    levels: NDArray[np.uint8]
    scale: float


@dataclass(frozen=True)
class TileCounts:
    """Counts of a picture at every threshold, and of its skeletons at one; all that is kept of it.

    Attributes:
        name: of the sample.
        level: the threshold that the picture is judged at, 1..254.
        counts: background and road by level.
        relaxed: near and far by level.
        skeletons: at ``level`` alone.
    """

    name: str
    level: int
    counts: LevelCounts
    relaxed: RelaxedCounts
    skeletons: SkeletonCounts


@dataclass(frozen=True)
class TileScore:
    """Metrics of one picture at the card's threshold.

    Attributes:
        name: of the sample.
        pixels: valid ones.
        road_share: share of them that are road.
        score: of the road class.
        relaxed: with the slack.
        cldice: by the skeletons.
    """

    name: str
    pixels: int
    road_share: float
    score: PixelScore
    relaxed: RelaxedScore
    cldice: ClDiceScore


@dataclass(frozen=True)
class Evaluation:
    """What a network reaches on a subset; pooled means: over all valid pixels of its pictures together.

    Attributes:
        at_threshold: metrics of the road class at the card's threshold, pooled.
        interval: 95 % bootstrap interval of the road IoU over tiles.
        best: pooled metrics at the threshold with the best road IoU; only on val, else None.
        mean_tile_iou: mean over tiles of the road IoU of each.
        relaxed: metrics with a slack, at the card's threshold, pooled.
        cldice: by the skeletons of prediction and truth, at the card's threshold, pooled.
        relaxed_breakeven: where relaxed precision and recall are equal, or None.
        average_precision: area under the precision-recall curve, or None without road.
        curve: precision and recall by threshold; with the slack: relaxed_curve.
        two_class_iou, dice_loss: the notebook's numbers: IoU at p >= 0.5 of background and road pooled; soft
            Dice loss of both, the mean over pictures.
        all_background_iou, all_background_dice_loss: what those are for a mask with no road at all.
        bins, ece, temperature: reliability table, expected calibration error, and the temperature that would
            serve best (only on val, else None); it is not applied.
        tiles: metrics of each picture, in order.
    """

    at_threshold: PixelScore
    interval: tuple[float, float]
    best: PixelScore | None
    mean_tile_iou: float
    relaxed: RelaxedScore
    cldice: ClDiceScore
    relaxed_breakeven: float | None
    average_precision: float | None
    curve: Curve
    relaxed_curve: Curve
    two_class_iou: float
    dice_loss: float
    all_background_iou: float
    all_background_dice_loss: float
    bins: tuple[Bin, ...]
    ece: float
    temperature: Temperature | None
    tiles: tuple[TileScore, ...]


def evaluate_samples(
    samples: Sequence[Sample],
    card: ModelCard,
    runtime: Runtime,
    params: EvaluateParams | None = None,
    *,
    progress: Callable[[int], None] = lambda done: None,
    on_tile: Callable[[Prediction, TileScore], None] = lambda prediction, score: None,
) -> Evaluation:
    """Predict each picture at the card's tile and overlap, and judge the pixels.

    Args:
        samples: labelled pictures.
        card: of the model.
        runtime: with its weights.
        params: how the pixels are judged; None: as ``EvaluateParams`` has it.
        progress: called with the number of pictures done.
        on_tile: called with each picture, its prediction and its metrics.

    Raises:
        DatasetError: a picture cannot be read, no pixel is valid, or none of them is road.
        GeoroadsError: the network takes more memory than is free.
    """
    how = params or EvaluateParams()
    needed_mb = memory_mb(kind_of(runtime), card.tile_px, on_cpu=runtime.device == "cpu")
    check_memory(f"the network, with {runtime.batch} tiles at once,", needed_mb)
    level = threshold_level(card.threshold)
    counted = []
    for done, found in enumerate(predict_samples(samples, card, runtime, how.white_is_nodata), start=1):
        counted.append(count_tile(found, level, how.slack_px))
        on_tile(found, score_tile(counted[-1]))
        progress(done)
    return summarize(counted, how.subset)


def summarize(counted: Sequence[TileCounts], subset: str = "val") -> Evaluation:
    """The metrics of pictures that were counted for one threshold, at this threshold.

    Args:
        counted: the pictures.
        subset: that they are; see ``EvaluateParams``.

    Raises:
        DatasetError: when no pixel was counted, or none of road.
    """
    fits = subset == "val"
    pooled: LevelCounts = np.sum([t.counts for t in counted], axis=0)
    relaxed: RelaxedCounts = np.sum([t.relaxed for t in counted], axis=0)
    if not pooled.any():
        raise DatasetError(
            f"the {len(counted)} pictures have no valid pixel",
            "leave --white-nodata out where white is ground",
        )
    if not pooled[1].any():
        raise DatasetError(
            f"the {len(counted)} pictures show no road on valid ground: there is no IoU",
            "choose another subset or split; georoads info says how much of each is road",
        )
    (level,) = {t.level for t in counted}
    seen = [t.counts for t in counted if t.counts.any()]
    tiles = tuple(map(score_tile, counted))
    nothing, bins = background_only(pooled), reliability(pooled)
    curve = precision_recall(pooled)
    return Evaluation(
        at_threshold=score_at(pooled, level),
        interval=iou_interval(seen, level),
        best=best_score(pooled) if fits else None,
        mean_tile_iou=float(np.mean([t.score.iou for t in tiles if t.pixels])),
        relaxed=relaxed_score(relaxed, level),
        cldice=cldice_score(np.sum([t.skeletons for t in counted], axis=0)),
        relaxed_breakeven=relaxed_breakeven(relaxed),
        average_precision=average_precision(pooled),
        curve=curve,
        relaxed_curve=Curve(curve.threshold, *relaxed_curve(relaxed)),
        two_class_iou=two_class_iou(pooled),
        dice_loss=float(np.mean([two_class_dice_loss(c) for c in seen])),
        all_background_iou=two_class_iou(nothing),
        all_background_dice_loss=float(np.mean([two_class_dice_loss(background_only(c)) for c in seen])),
        bins=bins,
        ece=calibration_error(bins),
        temperature=fit_temperature(pooled) if fits else None,
        tiles=tiles,
    )


def count_tile(found: Prediction, level: int, slack_px: float = SLACK_PX) -> TileCounts:
    """Count a prediction that is to be judged at a level.

    Args:
        found: the picture, its truth and prediction.
        level: a pixel is road at p >= level / 254.
        slack_px: of the relaxed metrics, in pixels of the sample's file.
    """
    levels, road, valid = found.levels, found.picture.road, found.picture.valid
    return TileCounts(
        name=found.name,
        level=level,
        counts=count_levels(levels, road, valid),
        relaxed=count_relaxed(levels, road, valid, slack_px * found.scale),
        skeletons=count_skeletons(levels, road, valid, level),
    )


def score_tile(counted: TileCounts) -> TileScore:
    """The metrics of one picture at its threshold."""
    pixels, road = int(counted.counts.sum()), int(counted.counts[1].sum())
    return TileScore(
        name=counted.name,
        pixels=pixels,
        road_share=road / pixels if pixels else 0.0,
        score=score_at(counted.counts, counted.level),
        relaxed=relaxed_score(counted.relaxed, counted.level),
        cldice=cldice_score(counted.skeletons),
    )


def count_samples(
    samples: Sequence[Sample], card: ModelCard, runtime: Runtime, white_is_nodata: bool = False
) -> LevelCounts:
    """Level counts of all samples together; zeros without any.

    Args:
        samples: labelled pictures.
        card: of the model, whose pixel size, tile and overlap rule.
        runtime: with the model's weights.
        white_is_nodata: white pixels do not count.
    """
    total: LevelCounts = np.zeros((2, COUNT), dtype=np.int64)
    for found in predict_samples(samples, card, runtime, white_is_nodata):
        total += count_levels(found.levels, found.picture.road, found.picture.valid)
    return total


def predict_samples(
    samples: Sequence[Sample], card: ModelCard, runtime: Runtime, white_is_nodata: bool = False
) -> Iterator[Prediction]:
    """Each picture, at the model's GSD where its own is another (``is_same_gsd``), and its prediction.

    Args:
        samples: labelled pictures.
        card: of the model, whose pixel size, tile and overlap rule.
        runtime: with the model's weights.
        white_is_nodata: white pixels do not count.

    Raises:
        DatasetError: a picture cannot be read.
    """
    for sample in samples:
        native = read_picture(sample, white_is_nodata)
        picture = resample_picture(native, sample.gsd_m, card.gsd_m)
        scale = 1.0 if picture.road.shape == native.road.shape else sample.gsd_m / card.gsd_m
        rgb = np.ascontiguousarray(picture.image.transpose(2, 0, 1))
        yield Prediction(sample.name, picture, predict_picture(rgb, picture.valid, card, runtime), scale)
