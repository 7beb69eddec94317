"""Does memory follow the scene? python benchmarks/memory.py [--sparse] [--folder FOLDER] [SIZE ...]

SIZE is WIDTHxHEIGHT; by default 4096x4096, 16384x16384 and 65536x16384. The scenes are deflate GeoTIFFs
tiled by 512, with the same net of bright roads in their north-west 4096 x 4096 pixels and bare ground
elsewhere, so that only the raster grows (what roads cost is the claim of trace.py); with --sparse the files
hold no block elsewhere, so that only the empty ground grows. The network is one
threshold on brightness, in ONNX, since it is the machinery around it that is measured. Prints peak resident
memory, roads and time of each extract, in a process of its own.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import rasterio
from affine import Affine
from onnx import TensorProto, helper
from rasterio.windows import Window as RasterioWindow

from georoads.model.build import build
from georoads.model.card import ModelCard
from georoads.model.checkpoint import file_sha256, save_checkpoint
from georoads.model.config import ModelConfig

TILE, OVERLAP, BLOCK, ROADS = 512, 64, 512, 4096


def draw_scene(path: Path, width: int, height: int, *, sparse: bool = False) -> None:
    """Write a GeoTIFF with roads 16 px wide, every 512 px, in its north-west, and noise elsewhere.

    Args:
        path: of the file.
        width: pixels.
        height: pixels.
        sparse: True leaves the ground without roads out of the file.
    """
    rng = np.random.default_rng(3)
    ground = [rng.integers(105, 120, (3, BLOCK, BLOCK)).astype(np.uint8) for _ in range(16)]
    profile = {
        "driver": "GTiff", "dtype": "uint8", "count": 3, "width": width, "height": height,
        "crs": "EPSG:32647", "transform": Affine(0.5, 0, 500_000, 0, -0.5, 1_500_000), "tiled": True,
        "blockxsize": BLOCK, "blockysize": BLOCK, "compress": "deflate", "zlevel": 1, "photometric": "RGB",
        "BIGTIFF": "IF_SAFER", "SPARSE_OK": True,
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as out:
        for row in range(0, ROADS if sparse else height, BLOCK):
            for col in range(0, ROADS if sparse else width, BLOCK):
                block = ground[(row // BLOCK * 7 + col // BLOCK) % 16].copy()
                if row < ROADS and col < ROADS:
                    block[:, 250:266] = block[:, :, 250:266] = 220
                out.write(block, window=RasterioWindow(col, row, BLOCK, BLOCK))


def threshold_network(folder: Path) -> Path:
    """A checkpoint whose ONNX twin says road where a pixel is bright; its weights are those of no network."""
    config = ModelConfig("Unet", "resnet18", options={"decoder_channels": [8, 8, 8, 8, 8]})
    card = ModelCard(
        "threshold",
        config,
        (0.0,) * 3,
        (1.0,) * 3,
        gsd_m=0.5,
        tile_px=TILE,
        overlap_px=OVERLAP,
        threshold=0.5,
    )
    checkpoint = save_checkpoint(folder, "threshold", build(config).state_dict(), card)
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, TILE, TILE])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 1, TILE, TILE])
    weight = helper.make_tensor("weight", TensorProto.FLOAT, (1, 3, 1, 1), [10.0] * 3)
    bias = helper.make_tensor("bias", TensorProto.FLOAT, (1,), [-22.0])
    node = helper.make_node("Conv", ["image", "weight", "bias"], ["logits"])
    graph = helper.make_graph([node], "threshold", [image], [logits], [weight, bias])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    twin = checkpoint.path.with_suffix(".onnx")
    onnx.save(model, str(twin))
    whole = dataclasses.replace(card, files=checkpoint.card.files | {twin.name: file_sha256(twin)})
    checkpoint.path.write_text(whole.to_json())
    return checkpoint.path


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="*", default=["4096x4096", "16384x16384", "65536x16384"])
    parser.add_argument("--sparse", action="store_true", help="files that hold the roads' blocks only")
    parser.add_argument("--folder", type=Path, help="for the scenes, 4 GB; default: a temporary one")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=args.folder) as name:
        folder = Path(name)
        model = threshold_network(folder)
        for size in args.sizes:
            width, height = map(int, size.split("x"))
            scene, figures = folder / f"{size}.tif", folder / f"{size}.json"
            draw_scene(scene, width, height, sparse=args.sparse)
            command = [
                "extract",
                scene,
                "-o",
                folder / f"{size}.gpkg",
                "--model",
                model,
                "--json",
                figures,
                "-q",
            ]
            subprocess.run([sys.executable, "-m", "georoads", *map(str, command)], check=True)
            done = json.loads(figures.read_text())
            stages = ", ".join(f"{stage} {s:.0f} s" for stage, s in done["seconds"].items())
            lines = f"{done['roads']} roads, {done['length_km']:.1f} km"
            print(f"{size}: peak {done['peak_rss_mb']:.0f} MB, {lines}, {stages}", flush=True)
            scene.unlink()


if __name__ == "__main__":
    main()
