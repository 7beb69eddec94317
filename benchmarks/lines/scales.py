"""Do the lengths hold at any pixel size? python benchmarks/lines/scales.py DEEPGLOBE -o FOLDER

Every ninth validation tile's probabilities (cached in FOLDER, as by compare.py, and with the reference of
reference.py) are enlarged or shrunk, and vectorized with the same parameters in metres. Prints means of APLS,
TOPO F1, F1 within 4 m of the reference, and kilometres, by pixel size.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray
from tiles import CRS, GSD_M, predicted_levels, val_samples

from georoads.grid import Grid
from georoads.model.checkpoint import find_checkpoint
from georoads.network.params import VectorizeParams
from georoads.network.vectorize import trace_network
from georoads.output.read import RoadLines, read_roads
from georoads.scoring.params import ScoreParams
from georoads.scoring.score import score

SIZES_M = (0.1, 0.25, 0.5, 1.0, 2.0, 3.0)
BUFFER_M = 4.0


def lines_at(levels: NDArray[np.uint8], size_m: float, threshold: float) -> tuple[RoadLines, float]:
    """The road layer of probabilities brought to another pixel size, and its kilometres."""
    height, width = (round(side * GSD_M / size_m) for side in levels.shape)
    shrinks = size_m > GSD_M
    brought = cv2.resize(
        levels, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    )
    steps = GSD_M * levels.shape[1] / width, GSD_M * levels.shape[0] / height
    grid = Grid(CRS, Affine(steps[0], 0, 500_000, 0, -steps[1], 0), width, height)
    params = VectorizeParams(threshold=threshold)
    network = trace_network(lambda window: np.asarray(brought[window.slices], np.uint8), grid, params)
    lines = np.empty(network.n_edges, np.object_)
    lines[:] = [shapely.LineString(grid.to_crs(network.line(i))) for i in range(network.n_edges)]
    return RoadLines(lines, CRS, "roads"), float(network.length_m.sum() / 1000)


def main() -> None:
    """Compare and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("deepglobe", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    arguments = parser.parse_args()
    samples = val_samples(arguments.deepglobe)[::9]
    cache = predicted_levels(samples, arguments.output)
    threshold = find_checkpoint("default").card.threshold
    print("| pixels (m) | APLS | TOPO F1 | F1 4 m | km |\n|---|---|---|---|---|")
    for size_m in SIZES_M:
        rows = []
        for s in samples:
            reference = read_roads(arguments.output / "reference" / f"{s.name}.gpkg")
            layer, km = lines_at(np.load(cache / f"{s.name}.npy"), size_m, threshold)
            found = score(layer, reference, ScoreParams(buffer_m=BUFFER_M))
            rows.append((found.apls.score, found.topo.f1, found.f1, km))
        apls, topo, f1, km = np.mean(rows, axis=0)
        print(f"| {size_m:g} | {apls:.3f} | {topo:.3f} | {f1:.3f} | {km:.2f} |", flush=True)


if __name__ == "__main__":
    main()
