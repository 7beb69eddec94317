"""Confidence and width as a model's calibration has them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from network_drawings import network_of

from georoads.calibration import Calibration, parse_calibration
from georoads.network.params import VectorizeParams

HALVED = tuple(np.linspace(0, 0.5, 11).tolist())


def test_lines_say_what_the_calibration_has() -> None:
    levels = np.zeros((60, 200), np.uint8)
    levels[26:34] = 200  # a road of 4 m
    plain = network_of(levels, VectorizeParams())
    asked = replace(VectorizeParams(), confidence_at=HALVED, width_of=(3.0, 0.5))
    changed = network_of(levels, asked)
    assert changed.confidence == pytest.approx(plain.confidence / 2)
    assert changed.confidence_p05 == pytest.approx(plain.confidence_p05 / 2)
    assert plain.width_m == pytest.approx(4, abs=0.2)
    assert changed.width_m == pytest.approx(3 * plain.width_m**0.5)
    assert np.array_equal(changed.points, plain.points)


def test_what_is_asked_for_comes_before_what_the_model_says() -> None:
    said = Calibration(HALVED, (2.0, 0.5))
    assert VectorizeParams().completed(0.3, said) == VectorizeParams(
        threshold=0.3, confidence_at=HALVED, width_of=(2.0, 0.5)
    )
    asked = VectorizeParams(threshold=0.4, confidence_at=(), width_of=(1.0, 1.0))
    assert asked.completed(0.3, said) == asked


def test_a_calibration_goes_through_a_tag() -> None:
    said = Calibration(HALVED, (2.0, 0.5))
    assert parse_calibration(said.to_text()) == said and parse_calibration("{}") == Calibration()
    p = np.array([0.0, 0.55, 1.0])
    assert said.confidence(p).tolist() == [0.0, 0.275, 0.5] and Calibration().confidence(p) is p


@pytest.mark.parametrize(
    "bad",
    ["", "[]", "1", "{", '{"confidence_at": [0, 1]}', '{"width_of": [1]}', '{"width_of": [0, 1]}',
     '{"width_of": ["a", 1]}', '{"confidence_at": "01234567890"}', '{"width_of": [NaN, 1]}',
     '{"confidence_at": [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]}', '{"width_of": [true, 1]}'],
)  # fmt: skip
def test_what_is_no_calibration_is_refused(bad: str) -> None:
    with pytest.raises(ValueError):
        parse_calibration(bad)
