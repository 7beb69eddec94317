"""Damaged files give values or a SceneError, nothing else; opening a scene decodes few of its blocks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from drawn_rasters import write_raster

from georoads.errors import SceneError
from georoads.scene.native import read_native
from georoads.scene.open import open_scene
from georoads.scene.read import SceneReader
from georoads.scene.scene import SceneParams


def damaged(content: bytes, cases: int) -> Iterator[bytes]:
    """The file cut off at every place of a lattice, and with a bit turned at others."""
    rng = np.random.default_rng(7)
    for at in np.linspace(0, len(content) - 1, cases // 2).astype(int):
        yield content[:at]
    # The directory decides most, so half of the bits are turned there.
    places = np.concatenate([rng.integers(0, 600, cases // 4), rng.integers(0, len(content), cases // 4)])
    for at in np.minimum(places, len(content) - 1):
        turned = bytearray(content)
        turned[at] ^= 1 << int(rng.integers(8))
        yield bytes(turned)


LAYOUTS: dict[str, dict[str, Any]] = {
    "strips": {"compress": "deflate"},
    "tiles": {"tiled": True, "blockxsize": 16, "blockysize": 16, "compress": "lzw", "predictor": 2},
    "plain": {"interleave": "band"},
    "jpeg": {"tiled": True, "blockxsize": 32, "blockysize": 32, "compress": "jpeg", "photometric": "ycbcr"},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_damage_is_values_or_a_scene_error(tmp_path: Path, layout: str) -> None:
    path = tmp_path / "a.tif"
    values = np.random.default_rng(2).integers(60, 200, (3, 40, 50)).astype(np.uint8)
    content = write_raster(path, values, **LAYOUTS[layout]).read_bytes()
    ends = {"read": 0, "refused": 0}
    for i, case in enumerate(damaged(content, 40)):
        path.write_bytes(case)
        try:
            scene = open_scene(path, SceneParams(skip_bad=i % 2 == 0, max_megapixels=1))
            with SceneReader(scene, scene.grid) as reader:
                rgb, valid = reader.read(scene.grid.window)
            assert rgb.dtype == np.uint8
            assert rgb.shape[1:] == valid.shape
            ends["read"] += 1
        except SceneError as e:
            assert "a.tif" in e.message
            ends["refused"] += 1
    assert min(ends.values()) > 2


@pytest.mark.parametrize("layout", [{"tiled": True, "blockxsize": 64, "blockysize": 64}, {"blockysize": 4}])
def test_opening_decodes_at_most_64_blocks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: dict[str, Any]
) -> None:
    values = np.random.default_rng(2).integers(200, 900, (1, 1200, 1100)).astype(np.uint16)
    write_raster(tmp_path / "a.tif", values, compress="deflate", **layout)
    native = mock.Mock(wraps=read_native)
    monkeypatch.setattr("georoads.scene.stretch.read_native", native)
    first, again = open_scene(tmp_path / "a.tif"), open_scene(tmp_path / "a.tif")
    assert first.stretch == again.stretch
    height, width = first.written.block_shape
    windows = [call.args[2] for call in native.call_args_list]
    half = windows[: len(windows) // 2]
    assert 50 <= len(half) <= 64
    for w in half:
        assert w.row // height == (w.row + w.height - 1) // height
        assert w.col // width == (w.col + w.width - 1) // width
    assert len({w.row for w in half}) > 10  # spread, not in one corner
    low, high = np.percentile(values, (2, 98))
    assert first.stretch[0] == pytest.approx((low, high), rel=0.03)


def test_where_few_pixels_are_valid_more_blocks_are_looked_at(tmp_path: Path) -> None:
    values = np.zeros((1, 1280, 1280), dtype=np.uint16)
    values[:, 1216:1280, 1088:1152] = 1000 + np.arange(64)
    write_raster(tmp_path / "a.tif", values, nodata=0, tiled=True, blockxsize=64, blockysize=64)
    scene = open_scene(tmp_path / "a.tif")
    assert scene.stretch[0] == pytest.approx((1000, 1063), abs=5)
