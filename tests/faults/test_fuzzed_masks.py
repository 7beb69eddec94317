"""Masks drawn at random become the layer that docs/masks.md promises, or are refused."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from fuzzed_masks import DrawnMask, check_mask, drawn_masks
from hypothesis import HealthCheck, given, settings


def test_any_mask_is_read_as_promised_or_refused(tmp_path: Path) -> None:
    ends = Counter[str]()

    @settings(max_examples=60, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(drawn_masks())
    def one(drawn: DrawnMask) -> None:
        ends[check_mask(drawn, tmp_path)] += 1

    one()
    assert ends["read"] > 10
    assert ends["refused"] > 10
