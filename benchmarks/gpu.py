"""The predictor on a GPU: python benchmarks/gpu.py [--megapixels 64]

On a machine with a CUDA GPU: the bare forward pass (fp32 and bf16, several batch sizes), the whole of predict
on a scene made by repeating the example, and the share of pixels whose mask differs from the CPU at fp32.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
import rasterio
import torch

import georoads
from georoads.inference.cuda import describe_gpu, gpu_count, torch_cuda
from georoads.inference.select import PredictParams
from georoads.inference.torch_runtime import TorchRuntime
from georoads.levels import threshold_level
from georoads.model.checkpoint import Checkpoint, find_checkpoint, load_network

EXAMPLE = Path(__file__).resolve().parent.parent / "examples" / "scene.tif"


def bare_forward(checkpoint: Checkpoint, precision: str, batch: int) -> float:
    """Speed of the network alone.

    Args:
        checkpoint: the model.
        precision: fp32 or bf16.
        batch: tiles at once.

    Returns:
        Megapixels a second, median of five.
    """
    tile = checkpoint.card.tile_px
    runtime = TorchRuntime(load_network(checkpoint), checkpoint.card, "cuda", precision)
    x = np.zeros((batch, 3, tile, tile), dtype=np.uint8)
    times = []
    for _ in range(7):
        torch.cuda.synchronize()
        started = time.perf_counter()
        runtime.levels(x)
        torch.cuda.synchronize()
        times.append(time.perf_counter() - started)
    return batch * tile * tile / 1e6 / statistics.median(times[2:])


def repeated_scene(path: Path, megapixels: float) -> None:
    """Write the example scene repeated to a square of about the given size."""
    with rasterio.open(EXAMPLE) as source:
        picture, profile = source.read(), source.profile
    times = max(1, round((megapixels * 1e6) ** 0.5 / 2048))
    profile.update(width=2048 * times, height=2048 * times, compress="deflate", photometric="RGB")
    with rasterio.open(path, "w", **profile) as out:
        out.write(np.tile(picture, (1, times, times)))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--megapixels", type=float, default=64.0)
    megapixels = parser.parse_args().megapixels
    if not gpu_count(torch_cuda()):
        raise SystemExit("no CUDA GPU that torch can use")
    print(describe_gpu(torch_cuda(), 0))
    checkpoint = find_checkpoint("default")
    for precision in ("fp32", "bf16"):
        for batch in (1, 8, 20, 40):
            print(
                f"bare forward {precision} x {batch}: {bare_forward(checkpoint, precision, batch):.0f} MP/s"
            )
    with tempfile.TemporaryDirectory() as name:
        scene, outputs = Path(name) / "scene.tif", {}
        repeated_scene(scene, megapixels)
        for device, precision in (("cuda", "bf16"), ("cuda", "fp32"), ("cpu", "fp32")):
            out = Path(name) / f"{device}-{precision}.tif"
            params = PredictParams(device, "torch", precision)
            done = georoads.predict(scene, out, checkpoint, predict=params)
            outputs[device, precision] = rasterio.open(out).read(1)
            print(f"predict {device} {precision}: {megapixels / done.seconds['predict']:.1f} MP/s")
        level = threshold_level(checkpoint.card.threshold)
        reference = outputs["cpu", "fp32"] >= level
        for key in (("cuda", "fp32"), ("cuda", "bf16")):
            differ = ((outputs[key] >= level) != reference).mean()
            print(f"mask {' '.join(key)} against cpu fp32: {differ:.2e} of the pixels differ")


if __name__ == "__main__":
    main()
