"""Does anything but the scene and the model change the result? python benchmarks/same_bytes.py DEEPGLOBE

Two neighbouring validation tiles of DeepGlobe as one 2048 x 1024 scene, through the shipped model:
- another prefetch depth, one thread or five that read and write, a run that is killed (SIGKILL) and resumed:
  equal bytes?
- another batch size at fp32: how many pixels move, and by how much?
- does the road layer break at the borders of tiles and blocks?
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine

from georoads.inference.raster import ProbabilityRaster
from georoads.model.checkpoint import find_checkpoint
from georoads.network.params import VectorizeParams
from georoads.network.vectorize import trace_network


def mosaic(data: Path, folder: Path) -> Path:
    """A GeoTIFF of the first pair of val tiles of which one lies right of the other."""
    split = json.loads((data / "split.json").read_text())
    val = set(split["val"])
    for a, b in (p[:2] if isinstance(p, list) else (p["a"], p["b"]) for p in split["adjacent_pairs"]):
        if a in val and b in val:
            left, right = (rasterio.open(data / "train" / f"{n}_sat.jpg").read() for n in (a, b))
            seam = np.abs(left[:, :, -1].astype(int) - right[:, :, 0]).mean()
            if seam < np.abs(left[:, -1].astype(int) - right[:, 0]).mean():
                break
    path = folder / "pair.tif"
    profile = {"driver": "GTiff", "width": 2048, "height": 1024, "count": 3, "dtype": "uint8"}
    with rasterio.open(
        path, "w", crs="EPSG:32647", transform=Affine(0.5, 0, 500_000, 0, -0.5, 1_500_000), **profile
    ) as out:
        out.write(np.concatenate([left, right], axis=2))
    print(f"tiles {a} and {b}, side by side")
    return path


def predict(scene: Path, out: Path, *options: str) -> list[str]:
    """The command that predicts."""
    return [sys.executable, "-m", "georoads", "predict", str(scene), "-o", str(out), "-q", *options]


def killed_and_resumed(scene: Path, out: Path) -> int:
    """Kill the run when the first tile is in the ledger, again at the second, then let it finish."""
    ledger = out.with_name(out.name + ".work") / "ledger.jsonl"
    kills = 0
    for wanted in (2, 3):
        run = subprocess.Popen([*predict(scene, out), "--resume"], stderr=subprocess.DEVNULL)
        while run.poll() is None and not (ledger.exists() and ledger.read_text().count("\n") >= wanted):
            time.sleep(0.002)
        if run.poll() is None:
            run.kill()
            kills += 1
        run.wait()
    subprocess.run([*predict(scene, out), "--resume"], check=True)
    return kills


def main() -> None:
    """Run it all."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        scene = mosaic(Path(sys.argv[1]), folder)
        subprocess.run(predict(scene, folder / "a.tif"), check=True)
        whole = (folder / "a.tif").read_bytes()
        for said in ("prefetch=7", "io_threads=1", "io_threads=5"):
            out = folder / f"{said}.tif"
            subprocess.run(predict(scene, out, "--set", f"predict.{said}"), check=True)
            print(f"{said}: equal bytes {whole == out.read_bytes()}")
        kills = killed_and_resumed(scene, folder / "c.tif")
        print(f"killed {kills} times and resumed: equal bytes {whole == (folder / 'c.tif').read_bytes()}")
        for batch in (1, 3):
            options = ("--set", "predict.precision=fp32", "--set", f"predict.batch={batch}")
            subprocess.run(predict(scene, folder / f"batch{batch}.tif", *options), check=True)
        one, three = (rasterio.open(folder / f"batch{b}.tif").read(1).astype(int) for b in (1, 3))
        moved = np.abs(one - three)
        print(f"fp32, batch 1 and 3: {(moved > 0).mean():.2e} of the pixels moved, by {moved.max()} at most")
        seams(folder / "a.tif")


def seams(path: Path) -> None:
    """The lines traced in blocks of several sizes, and their ends within a pixel of a tile's border."""
    card = find_checkpoint("default").card
    params = VectorizeParams(threshold=card.threshold)
    with ProbabilityRaster(path) as raster:
        layers = [trace_network(raster.read, raster.grid, params, block_px=b) for b in (256, 1024, 4096)]
    equal = all(np.array_equal(layers[0].points, n.points) for n in layers[1:])
    stride = card.tile_px - card.overlap_px
    borders = [x for i in range(4) for x in (i * stride, i * stride + card.tile_px) if 0 < x < 2048]
    ends = layers[0].node_xy[layers[0].node_kind == 1]
    near = sum(bool(np.abs(ends[:, 0] - x).min(initial=9) <= 1) for x in borders)
    print(f"{layers[0].n_edges} lines; blocks of 256, 1024, 4096 px: equal lines {equal}")
    print(f"tile borders at x = {borders}: {near} with a dead end within a pixel")


if __name__ == "__main__":
    main()
