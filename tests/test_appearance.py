"""What pictures look like, and what is said of a scene that looks otherwise."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from georoads.appearance import (
    Appearance,
    Seen,
    appearance_of,
    median_of,
    parse_seen,
    plain_share,
    seen_in,
)

ALL = np.ones((40, 40), dtype=bool)


def picture(low: int, high: int, colour: int = 0) -> NDArray[np.uint8]:
    """(3, 40, 40) uint8: its left half low, its right half high; the first band so much above the others."""
    rgb = np.full((3, 40, 40), low, dtype=np.uint8)
    rgb[:, :, 20:] = high
    rgb[0] += np.uint8(colour)
    return rgb


def test_brightness_contrast_and_colour_of_a_drawn_picture() -> None:
    found = appearance_of(picture(60, 160, colour=30), ALL)
    assert found is not None
    assert found.contrast == pytest.approx(100)
    assert found.colour == 30
    left = ALL.copy()
    left[:, 20:] = False  # what is not valid is not looked at
    assert appearance_of(picture(60, 160, colour=30), left) == Appearance(70, 0, 30)
    assert appearance_of(picture(60, 160), ~ALL) is None


def test_colours_of_bright_pixels_do_not_wrap_around() -> None:
    rgb = picture(0, 0)
    rgb[:] = np.array([255, 0, 126], dtype=np.uint8)[:, None, None]
    assert appearance_of(rgb, ALL) == Appearance(127, 0, 255)


def test_the_outermost_pictures_do_not_widen_the_ranges() -> None:
    looks = [Appearance(100 + i % 50, 80, 20) for i in range(500)]
    seen = seen_in([*looks, Appearance(3, 0, 0)])
    assert list(seen.brightness) == [100, 149]
    assert not seen.differences(Appearance(120, 80, 20))
    assert seen_in([]) == Seen()


def test_each_way_in_which_a_scene_differs_is_said_with_its_numbers() -> None:
    seen = Seen((44, 172), (32, 206), (9, 64))
    assert seen.differences(Appearance(13, 110, 6)) == (
        "darker (brightness 13, there 44 to 172), less colourful (colour 6, there 9 to 64)"
    )
    assert "brighter" in seen.differences(Appearance(200, 110, 30))
    assert "of less contrast" in seen.differences(Appearance(100, 10, 30))
    assert not Seen().differences(Appearance(0, 0, 0)), "a card that does not say what was seen"


def test_a_scene_is_its_middle_tile() -> None:
    assert median_of([Appearance(10, 1, 1), Appearance(90, 2, 1), Appearance(95, 3, 1)]) == Appearance(
        90, 2, 1
    )
    assert median_of([]) is None


def test_pictures_of_nothing_but_white_or_black_are_counted() -> None:
    ground, cloud = Appearance(120, 60, 20), Appearance(250, 1, 0)
    white, black = Appearance(254.7, 1, 1), Appearance(0, 0, 0)
    assert plain_share([white, white, black, ground]) == (255, 0.5)
    assert plain_share([white, black, black, cloud]) == (0, 0.5)
    assert plain_share([ground, cloud, Appearance(255, 30, 0)])[1] == 0 == plain_share([])[1]


@pytest.mark.parametrize("value", [[], {"brightness": [1]}, {"colour": [9, 3]}, {"contrast": ["a", 1]}])
def test_ranges_that_are_none_are_refused(value: object) -> None:
    with pytest.raises(ValueError, match=r"ranges|range|numbers"):
        parse_seen(value)
