"""Scenes drawn at random become a layer that can be read back, or are refused."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from fuzzed_scenes import DrawnScene, check_scene, drawn_scenes
from hypothesis import HealthCheck, given, settings

pytestmark = pytest.mark.slow


def test_any_scene_becomes_a_layer_or_is_refused(tmp_path: Path) -> None:
    ends = Counter[str]()

    @settings(max_examples=500, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(drawn_scenes())
    def one(scene: DrawnScene) -> None:
        ends[check_scene(scene, tmp_path)] += 1

    one()
    assert ends["read"] > 80
    assert ends["refused"] > 80
