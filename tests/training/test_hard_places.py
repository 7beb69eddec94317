"""Where a model is wrong: found on drawn roads, written, read, and chips cut there."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from small_training import small_recipe

from georoads.data.chip import Chip
from georoads.data.dataset import Sample
from georoads.errors import GeoroadsError
from georoads.training.chip_loader import ChipDataset, ChipRequest, ChipSource
from georoads.training.hard_places import (
    HardPlaces,
    Wrong,
    read_hard_places,
    write_hard_places,
    wrong_places,
)
from georoads.training.recipe import DataSource

LEVEL = 127
# Each sign is 16 x 16 pixels: # road that is found, m missed, f found where none is, d the same but sure.
DRAWN = """
    ........................
    ##################......
    ...................mmm..
    ........................
    ........................
    ........................
    ........................
    ........................
    ........................
    ..f.......ddd...........
    ..f.....................
    ........................
"""


def signs(wanted: str) -> NDArray[np.bool_]:
    """(192, 384) bool: where one of the signs is drawn."""
    rows = [[sign in wanted for sign in line.strip()] for line in DRAWN.split()]
    return np.kron(np.array(rows), np.ones((16, 16))).astype(bool)


def picture(road: NDArray[np.bool_]) -> Chip:
    return Chip(np.zeros((*road.shape, 3), np.uint8), road, np.ones(road.shape, bool))


def levels() -> NDArray[np.uint8]:
    return np.where(signs("d"), 250, np.where(signs("#f"), 180, 10)).astype(np.uint8)


def test_missed_and_false_roads_are_places_and_sure_ones_are_thought_to_lack_in_the_mask() -> None:
    missed, false = wrong_places(picture(signs("#m")), levels(), LEVEL)
    assert (missed.kind, false.kind) == ("missed", "false")
    assert (missed.row, missed.col) == pytest.approx((2.5 * 16, 20.5 * 16), abs=4)
    assert (false.row, false.col) == pytest.approx((10 * 16, 2.5 * 16), abs=4)
    assert 400 < missed.pixels <= 3 * 256  # but for its end that lies near a found road
    half = wrong_places(picture(signs("#m")), levels(), LEVEL, scale=2.0)
    assert half[0].col == pytest.approx(missed.col / 2)


def test_what_is_right_but_for_its_edges_and_what_nobody_knows_is_no_place() -> None:
    shifted = np.roll(signs("#m"), 3, axis=0)
    all_found = np.where(shifted, 200, 0).astype(np.uint8)
    assert not wrong_places(picture(signs("#m")), all_found, LEVEL)
    unknown = dataclasses.replace(picture(signs("#m")), valid=~signs("mf"))
    assert not wrong_places(unknown, levels(), LEVEL)


def test_an_area_that_is_labelled_as_road_is_no_place() -> None:
    area = np.zeros((256, 256), bool)
    area[:, :180] = True
    found = wrong_places(picture(area), np.zeros((256, 256), np.uint8), LEVEL)
    assert [(round(place.row), round(place.col)) for place in found] == [(64, 154), (192, 154)]
    assert not wrong_places(picture(area[:, :128]), np.zeros((256, 128), np.uint8), LEVEL)


def source(path: str, *names: str) -> ChipSource:
    samples = tuple(Sample(name, Path("a.png"), Path("m.png"), 0.5) for name in names)
    return ChipSource(DataSource(path), samples)


def test_both_kinds_weigh_the_same_and_large_places_more(tmp_path: Path) -> None:
    missed = [Wrong(1, 1, "missed", 100), Wrong(2, 2, "missed", 900)]
    one = [*missed, Wrong(3, 3, "false", 7)]
    write_hard_places(
        tmp_path / "h.json",
        "small",
        {"a": {"one": one, "gone": [Wrong(4, 4, "false", 9)]}, "c": {"six": one}},
    )
    none, places = read_hard_places(tmp_path / "h.json", [("b", ["two"]), ("a", ["zero", "one"])])
    assert none is None and places is not None
    assert set(places.places) == {(1, 1.0, 1.0), (1, 2.0, 2.0), (1, 3.0, 3.0)}
    rng = np.random.default_rng(0)
    drawn = [places.draw(rng)[1][0] for _ in range(4000)]
    assert [round(drawn.count(row) / 4000, 1) for row in (1, 2, 3)] == [0.1, 0.4, 0.5]


@pytest.mark.parametrize("text", ["", "{}", '{"places": []}', '{"places": {"a": {"one": [["x"]]}}}'])
def test_a_file_without_places_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "h.json").write_text(text)
    with pytest.raises(GeoroadsError, match=r"train\.hard"):
        read_hard_places(tmp_path / "h.json", [("a", ["one"])])


def test_chips_show_the_places(monkeypatch: pytest.MonkeyPatch) -> None:
    at = np.zeros((400, 500), bool)
    at[290:294, 40:44] = True
    monkeypatch.setattr("georoads.training.chip_loader.read_picture", lambda *_: picture(at))
    params = dataclasses.replace(small_recipe(DataSource("a")).chip, road_centred=0.0)
    chips = ChipDataset(
        (dataclasses.replace(source("a", "one"), hard=HardPlaces(((0, 292.0, 42.0),), (1.0,))),),
        params, "none", (0.5,) * 3, (0.5,) * 3, seed=1, hard_share=0.5,
    )  # fmt: skip
    seen = [bool(chips[ChipRequest(number, 0.0)][1].any()) for number in range(200)]
    assert 0.4 < np.mean(seen) < 0.65  # half of them, and a few of the others by chance
