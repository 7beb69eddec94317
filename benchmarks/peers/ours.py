"""georoads' part of the comparison: makes the network and the scene, and predicts. See compare.py."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import torch

import georoads
from georoads.inference.raster import RasterOptions
from georoads.inference.select import PredictParams, open_runtime
from georoads.memory import peak_rss_mb
from georoads.model.build import build
from georoads.model.card import ModelCard
from georoads.model.checkpoint import add_onnx, find_checkpoint, load_network, save_checkpoint
from georoads.model.config import IMAGENET, ModelConfig
from georoads.model.onnx import export_for_plugins
from georoads.walk import prepared

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from predict_speed import draw_scene

TILE, OVERLAP = 512, 128


def prepare(folder: Path, side: int) -> None:
    """The scene; the network as our checkpoint, as a state dict of torch, and as GeoDeep's ONNX file."""
    draw_scene(folder / "scene.tif", side)
    torch.manual_seed(0)
    config = ModelConfig("DeepLabV3Plus", "resnet18", classes=2)
    card = ModelCard("peers", config, *IMAGENET, gsd_m=0.5, tile_px=TILE, overlap_px=OVERLAP, threshold=0.5)
    checkpoint = add_onnx(save_checkpoint(folder, "peers", build(config).state_dict(), card))
    network = load_network(checkpoint)
    torch.save(network.state_dict(), folder / "peers.pth")
    export_for_plugins(network, card, folder / "geodeep.onnx")


def predict(folder: Path, runtime: str, precision: str) -> float:
    """Seconds from the opened scene and loaded network to the written raster."""
    checkpoint = find_checkpoint(str(folder / "peers.json"))
    params = PredictParams("cpu", runtime, precision)
    loaded = open_runtime(checkpoint, params)
    prepared.open_runtime = lambda *_: loaded  # type: ignore[attr-defined]
    started = time.perf_counter()
    raster = RasterOptions(overwrite=True)
    georoads.predict(folder / "scene.tif", folder / "ours.tif", checkpoint, predict=params, raster=raster)
    return time.perf_counter() - started


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("what", choices=("prepare", "predict"))
    parser.add_argument("folder", type=Path)
    parser.add_argument("side", type=int, nargs="?", default=2048)
    parser.add_argument("--runtime", default="auto")
    parser.add_argument("--precision", default="auto")
    args = parser.parse_args()
    if args.what == "prepare":
        prepare(args.folder, args.side)
        print(json.dumps({}))
    else:
        seconds = predict(args.folder, args.runtime, args.precision)
        print(json.dumps({"seconds": seconds, "peak_mb": peak_rss_mb()}))
