from __future__ import annotations

import cv2
import numpy as np
import pytest
from network_drawings import drawn

from georoads.data.chip import Chip
from georoads.evaluation.evaluate import Prediction, TileScore, count_tile, score_tile
from georoads.evaluation.gallery import (
    FALSE,
    INVALID,
    MISSED,
    RIGHT,
    SIDE_PX,
    Gallery,
    draw_thumbnails,
    error_map,
)


def predicted(name: str, road: np.ndarray, found: np.ndarray) -> tuple[Prediction, TileScore]:
    image = np.full((*road.shape, 3), 90, dtype=np.uint8)
    picture = Chip(image, road, np.ones_like(road))
    prediction = Prediction(name, picture, found.astype(np.uint8) * np.uint8(254), 1.0)
    return prediction, score_tile(count_tile(prediction, 128))


def of_quality(name: str, right: int) -> tuple[Prediction, TileScore]:
    """Ten road pixels, of which so many are found."""
    road, found = np.zeros((2, 8, 10), dtype=bool)
    road[3], found[3, :right] = True, True
    return predicted(name, road, found)


@pytest.mark.parametrize("seed", range(3))
def test_the_worst_and_the_best_are_kept_in_order(seed: int) -> None:
    gallery = Gallery(2)
    for right in np.random.default_rng(seed).permutation(10):
        gallery.consider(*of_quality(f"t{right}", int(right)))
    assert [e.tile.name for e in gallery.worst] == ["t0", "t1"]
    assert [e.tile.name for e in gallery.best] == ["t9", "t8"]


@pytest.mark.parametrize(
    ("count", "worst", "best"), [(0, "", ""), (1, "0", ""), (3, "01", "2"), (5, "012", "43")]
)
def test_of_few_pictures_none_is_shown_twice(count: int, worst: str, best: str) -> None:
    gallery = Gallery(4)
    for right in range(count):
        gallery.consider(*of_quality(f"{right}", right))
    assert "".join(e.tile.name for e in gallery.worst) == worst
    assert "".join(e.tile.name for e in gallery.best) == best


def test_equal_pictures_are_ordered_by_name() -> None:
    gallery = Gallery(1)
    for name in "bca":
        gallery.consider(*of_quality(name, 5))
    assert (gallery.worst[0].tile.name, gallery.best[0].tile.name) == ("a", "c")


def test_pictures_without_road_are_left_out() -> None:
    gallery = Gallery(2)
    nothing = np.zeros((8, 10), dtype=bool)
    gallery.consider(*predicted("empty", nothing, nothing))
    gallery.consider(*predicted("imagined", nothing, ~nothing))
    assert gallery.worst == gallery.best == ()


def test_colours_of_the_error_map() -> None:
    road, found, valid = drawn("##..#"), drawn("#.#.#"), drawn("####.")
    shown = error_map(Chip(np.full((1, 5, 3), 90, dtype=np.uint8), road, valid), found)
    assert [tuple(map(int, p)) for p in shown[0]] == [RIGHT, MISSED, FALSE, (30, 30, 30), INVALID]


@pytest.mark.parametrize(
    ("shape", "size"), [((1000, 500), (SIDE_PX, 160)), ((40, 30), (40, 30)), ((1, 9000), (1, SIDE_PX))]
)
def test_thumbnails_are_small_jpegs(shape: tuple[int, int], size: tuple[int, int]) -> None:
    road = np.zeros(shape, dtype=bool)
    road[:, : shape[1] // 2] = True
    shown = draw_thumbnails(*predicted("t", road, road))
    for data in (shown.picture, shown.truth, shown.prediction, shown.errors):
        assert data[:3] == b"\xff\xd8\xff"
        assert np.asarray(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)).shape == (*size, 3)
    truth = np.asarray(cv2.imdecode(np.frombuffer(shown.truth, np.uint8), cv2.IMREAD_COLOR))
    assert truth[0, 0].min() > 245 and truth[-1, -1].max() < 10
