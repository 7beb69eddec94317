"""Masks whose roads are lines one pixel wide."""

from __future__ import annotations

import numpy as np
import pytest
from network_drawings import drawn, utm_grid
from network_steps import run_mask
from numpy.typing import NDArray

from georoads.network.mask.line_raster import is_line_raster
from georoads.network.params import VectorizeParams
from georoads.network.types import BlockPlan
from georoads.network.vectorize import trace_network


def is_lines(mask: NDArray[np.bool_], level: int = 254) -> bool:
    levels = np.where(mask, level, 0).astype(np.uint8)
    return is_line_raster(run_mask(mask), lambda window: levels[window.slices], BlockPlan(4))


@pytest.mark.parametrize(
    ("picture", "expected"),
    [
        ("####### ....... #######", True), ("#...... .#..... ..####.", True),
        ("##..... .##.... ..##...", True),
        ("....... ....... .......", False), ("####### #######", False),
        ("#.#.#.# ....... ##..... ##.....", False),
    ],
)  # fmt: skip
def test_lines_have_no_squares(picture: str, expected: bool) -> None:
    assert is_lines(drawn(picture)) == expected


def test_p_that_is_unsure_is_no_line_raster() -> None:
    assert not is_lines(drawn("####### ....... #######"), level=200)


@pytest.mark.parametrize("block_px", [7, 64, 1024])
def test_short_lines_stay_in_blocks_of_any_size(block_px: int) -> None:
    lines = np.zeros((90, 120), np.bool_)
    lines[20, 5:60] = lines[40, 30:110] = True
    lines[np.arange(50, 85), np.arange(20, 55)] = True
    lines[70:72, 90] = True  # a speck: one metre
    levels = np.where(lines, 254, 0).astype(np.uint8)
    network = trace_network(
        lambda window: levels[window.slices],
        utm_grid((90, 120)),
        VectorizeParams(min_length_m=0),
        block_px=block_px,
    )
    assert (network.n_edges, len(network.messages)) == (3, 1)
    assert network.length_m.sum() == pytest.approx(0.5 * (54 + 79 + 34 * 2**0.5), rel=0.03)
