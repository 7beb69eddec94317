"""What versions before 0.2 wrote is understood, or refused with what to do: cards, rasters, the model's name.

Work folders: ``test_packaging.py``.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

import georoads
from georoads.calibration import Calibration
from georoads.errors import CheckpointError
from georoads.model.card import read_card
from georoads.model.checkpoint import find_checkpoint
from georoads.output.read import read_roads

CARD = """
{
 "name": "roads-lite2",
 "model": {
  "architecture": "DeepLabV3Plus", "encoder": "timm-tf_efficientnet_lite2", "in_channels": 3, "classes": 1,
  "norm_eps": 0.001, "drop_path": 0.0,
  "options": {"decoder_atrous_rates": [6, 12, 18], "decoder_aspp_dropout": 0.1}
 },
 "mean": [0.4980392156862745, 0.4980392156862745, 0.4980392156862745],
 "std": [0.5019607843137255, 0.5019607843137255, 0.5019607843137255],
 "gsd_m": 0.5, "tile_px": 448, "overlap_px": 128, "threshold": 0.5039370078740157,
 "files": {
  "roads-lite2.safetensors": "7458d78b332a4df8d123ff862ae51f2a02b8b303c35d90465a7951516821a854",
  "roads-lite2.onnx": "c946f2ccb7372125a6e1b3e21574f40cf096d0830fb97a8ce7e31d919714edec"
 },
 "terms": "V. Mnih, PhD thesis, Toronto 2013: cite the thesis",
 "data": [
  {"path": "massachusetts", "share": 1.0, "share_end": 1.0, "gsd_m": 1.0, "white_is_nodata": true,
   "split": "auto", "terms": "V. Mnih, PhD thesis, Toronto 2013: cite the thesis"}
 ],
 "split_sha256": "9e5d429fbcd587365113f46228ae260d11d4d1f2e757b079c73ee93a3e538e11",
 "metrics": {"val": {"what": "road class", "pictures": 70, "road_iou": 0.5353}},
 "command": "georoads train --recipe lite2-mix --minutes 112",
 "versions": {"georoads": "0.1.0", "torch": "2.13.0+cpu", "segmentation-models-pytorch": "0.6.0"},
 "card_version": 1
}
"""
"""As the model of 0.1 had it, with one of its data sets: no calibration, and nothing of what was seen."""

TAGS = {
    "GEOROADS_VERSION": "0.1.0",
    "GEOROADS_MODEL": "roads-lite2",
    "GEOROADS_MODEL_SHA256": "7458d78b332a4df8d123ff862ae51f2a02b8b303c35d90465a7951516821a854",
    "GEOROADS_THRESHOLD": "0.503937",
    "GEOROADS_TILE": "448",
    "GEOROADS_OVERLAP": "128",
    "GEOROADS_SCENE": "1f0a",
}
"""Of a raster of 0.1."""


def test_a_card_of_0_1_is_read_and_says_the_same(tmp_path: Path) -> None:
    path = tmp_path / "roads-lite2.json"
    path.write_text(CARD)
    card = read_card(path)
    assert (card.tile_px, card.overlap_px, round(card.threshold * 254)) == (448, 128, 128)
    assert card.calibration == Calibration() and card.versions["georoads"] == "0.1.0"
    said = json.loads(card.to_json())
    assert {key: said[key] for key in json.loads(CARD)} == json.loads(CARD)


def test_a_raster_of_0_1_is_traced_by_its_own_threshold(tmp_path: Path) -> None:
    levels = np.zeros((120, 300), np.uint8)
    levels[40:56], levels[80:96] = 129, 127  # p .508 and .5, on either side of what the tag says
    profile = {"driver": "GTiff", "count": 1, "dtype": "uint8", "nodata": 255, "crs": "EPSG:32647"}
    with rasterio.open(
        tmp_path / "p.tif", "w", width=300, height=120, transform=Affine(0.5, 0, 500_000, 0, -0.5, 1_500_000),
        **profile,
    ) as raster:  # fmt: skip
        raster.write(levels, 1)
        raster.scales = (1 / 254,)
        raster.update_tags(**TAGS)
    georoads.vectorize(tmp_path / "p.tif", tmp_path / "roads.gpkg")
    (line,) = read_roads(tmp_path / "roads.gpkg").lines
    assert line.length == pytest.approx(150, abs=1) and line.centroid.y == pytest.approx(1_499_976, abs=0.5)


def test_the_model_of_0_1_is_named_with_what_came_in_its_place() -> None:
    with pytest.raises(CheckpointError, match="does not ship any more") as refused:
        find_checkpoint("roads-lite2")
    assert "roads-lite3" in refused.value.hint
