from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from drawn_evaluation import CARD, BrightIsRoad, drawn_samples

from georoads.data.dataset import Sample
from georoads.errors import DatasetError
from georoads.evaluation.counts import LevelCounts
from georoads.evaluation.evaluate import (
    EvaluateParams,
    TileCounts,
    count_tile,
    evaluate_samples,
    predict_samples,
    summarize,
)

LEVEL = 128


def tallied(name: str, background: dict[int, int], road: dict[int, int]) -> TileCounts:
    counts: LevelCounts = np.zeros((2, 255), dtype=np.int64)
    for row, pixels in enumerate((background, road)):
        for level, n in pixels.items():
            counts[row, level] = n
    skeletons = np.array([[10, 8], [sum(road.values()), 4 if road else 0]])
    return TileCounts(name, LEVEL, counts, np.stack([counts[0], counts[1], counts[1]]), skeletons)


TILES = [
    tallied("easy", {0: 90, 254: 2}, {254: 8}),
    tallied("hard", {0: 180, 200: 10}, {10: 6, 200: 4}),
    tallied("no road", {0: 100}, {}),
    tallied("nothing valid", {}, {}),
]


def test_figures_by_hand() -> None:
    found = summarize(TILES)
    assert found.at_threshold.iou == 12 / 30
    assert found.at_threshold.precision == 12 / 24
    assert found.at_threshold.recall == 12 / 18
    # Tiles without road and without prediction have an IoU of 1, those without pixels none.
    assert found.mean_tile_iou == pytest.approx((8 / 10 + 4 / 20 + 1) / 3)
    assert found.cldice.precision == 32 / 40 and found.cldice.sensitivity == 8 / 18
    assert found.tiles[1].cldice.sensitivity == 4 / 10
    assert found.two_class_iou == (400 - 18) / (400 + 18)
    assert found.all_background_iou == (400 - 18) / (400 + 18)
    losses = [2 / 100, (10 * 200 / 254 + 6 * (1 - 10 / 254) + 4 * (1 - 200 / 254)) / 200, 0]
    assert found.dice_loss == pytest.approx(np.mean(losses))
    assert found.all_background_dice_loss == pytest.approx(np.mean([8 / 100, 10 / 200, 0]))
    assert [t.pixels for t in found.tiles] == [100, 200, 100, 0]
    assert found.tiles[0].road_share == 0.08


def test_thresholds_and_temperatures_are_found_on_val_only() -> None:
    on_val = summarize(TILES, "val")
    assert on_val.best is not None and on_val.best.level == 1 and on_val.best.iou == 18 / 30
    assert on_val.temperature is not None
    for subset in ("test", "train"):
        found = summarize(TILES, subset)
        assert found.best is None and found.temperature is None
        assert found.at_threshold == on_val.at_threshold


def test_without_a_valid_pixel_nothing_is_judged() -> None:
    with pytest.raises(DatasetError, match="no valid pixel"):
        summarize([TILES[3]])


def test_pictures_are_predicted_and_judged(tmp_path: Path) -> None:
    samples = drawn_samples(tmp_path, ["a", "b", "c"])
    seen: list[tuple[str, str]] = []
    done: list[int] = []
    found = evaluate_samples(
        samples,
        CARD,
        BrightIsRoad(),
        progress=done.append,
        on_tile=lambda p, t: seen.append((p.name, t.name)),
    )
    assert found.at_threshold.iou > 0.999
    assert found.relaxed.f1 > 0.999
    assert found.cldice.cldice > 0.99
    assert done == [1, 2, 3]
    assert seen == [("a", "a"), ("b", "b"), ("c", "c")]


def test_the_slack_is_in_pixels_of_the_data_set(tmp_path: Path) -> None:
    """At 1 m, pictures grow to twice their size at the model's 0.5 m, and 3 pixels to 6."""
    (sample,) = drawn_samples(tmp_path, ["a"], gsd_m=1.0)
    (found,) = predict_samples([sample], CARD, BrightIsRoad())
    assert found.scale == 2.0 and found.picture.road.shape == (192, 192)
    shifted = np.roll(found.picture.road, 6, axis=1)  # the road of "a" is upright
    moved = type(found)(found.name, found.picture, shifted.astype(np.uint8) * np.uint8(254), found.scale)
    evaluated = summarize([count_tile(moved, 127)])
    assert evaluated.relaxed.f1 == 1.0 and evaluated.at_threshold.f1 < 0.8
    assert summarize([count_tile(moved, 127, 2.5)]).relaxed.f1 < 1.0


def test_white_is_no_data_where_it_is_said(tmp_path: Path) -> None:
    picture = np.full((64, 64, 3), 70, dtype=np.uint8)
    picture[:, 32:] = 255
    mask = np.zeros((64, 64), dtype=np.uint8)
    picture[10:20, :32], mask[10:20, :32] = 160, 255
    for name, content in (("image.png", picture), ("mask.png", mask)):
        cv2.imwrite(str(tmp_path / name), content)
    sample = Sample("half", tmp_path / "image.png", tmp_path / "mask.png", 0.5)
    plain = evaluate_samples([sample], CARD, BrightIsRoad())
    masked = evaluate_samples([sample], CARD, BrightIsRoad(), EvaluateParams(white_is_nodata=True))
    assert plain.tiles[0].pixels == 64 * 64 and masked.tiles[0].pixels == 64 * 32
    assert masked.at_threshold.iou == 1.0 and plain.at_threshold.iou < 0.2


def test_parameters_out_of_range() -> None:
    for wrong in ({"slack_px": -1.0}, {"slack_px": 101.0}, {"gallery": -1}, {"gallery": 101}):
        with pytest.raises(ValueError):
            EvaluateParams(**wrong)
