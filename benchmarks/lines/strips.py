"""Does p keep the strip between two carriageways? Profiles across roads of 20 m and more.

    python benchmarks/lines/strips.py DEEPGLOBE --models A B [-o sheet.png]

In the pictures of train and val, where the mask holds a road at least WIDE_M wide over LONG_M, a profile
every EVERY_M. Printed for each subset and model: how many of our lines cross it, and in how many p dips
between the sides (below DIP of the lower side). The masks draw both carriageways as one band, so nothing in
them asks for a dip. The sheet shows each picture, and each model's p with its lines.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import shapely
from numpy.typing import NDArray
from tiles import GSD_M, tile_grid, truth_levels

from georoads.data.dataset import Sample, open_dataset
from georoads.data.picture_cache import read_picture
from georoads.data.split import split_dataset
from georoads.evaluation.evaluate import predict_samples
from georoads.grid import Points
from georoads.inference.select import PredictParams, open_runtime
from georoads.levels import FULL, NODATA
from georoads.model.checkpoint import find_checkpoint
from georoads.network.params import VectorizeParams
from georoads.network.types import RoadNetwork
from georoads.network.vectorize import trace_network

WIDE_M, LONG_M, EVERY_M = 20.0, 60.0, 5.0
DIP = 0.7
"""Of the lower side's p: below it p dips."""

SIDE_PX = 420
"""Of a picture on the sheet."""

Picture = NDArray[np.uint8]
Wide = tuple[Sample, list[Points]]
"""A picture with profiles across its wide roads."""


def traced(levels: NDArray[np.uint8], params: VectorizeParams) -> RoadNetwork:
    """The network of a tile."""
    return trace_network(lambda window: levels[window.slices], tile_grid(levels.shape), params)


def lines_of(network: RoadNetwork) -> list[Points]:
    """(K, 2) float64 pixel coordinates of each line."""
    return np.split(network.points, network.offsets[1:-1]) if network.n_edges else []


def profiles(sample: Sample) -> Iterator[Points]:
    """(2, 2) float64 pixel coordinates: from side to side across the wide roads of a picture's mask."""
    network = traced(truth_levels(sample), VectorizeParams(dual_m=1000.0))
    for line, width_m, length_m in zip(lines_of(network), network.width_m, network.length_m, strict=True):
        if width_m < WIDE_M or length_m < LONG_M:
            continue
        path, half = shapely.LineString(line), width_m / 2 / GSD_M
        for along in np.arange(half, path.length - half, EVERY_M / GSD_M):
            here, ahead = (shapely.get_coordinates(path.interpolate(d))[0] for d in (along, along + 2))
            step = (ahead - here) / max(float(np.hypot(*(ahead - here))), 1e-9)
            across = np.array([-step[1], step[0]]) * half
            yield np.array([here - across, here + across])


def n_crossing(lines: shapely.MultiLineString, profile: Points) -> int:
    """How often lines cross a profile."""
    met = lines & shapely.LineString(profile)
    return 0 if met.is_empty else int(shapely.get_num_geometries(met))


def dips(levels: NDArray[np.uint8], profile: Points) -> bool:
    """Whether p falls between the sides of a profile; its middle third is what lies between."""
    places = profile[0] + np.linspace(0, 1, 42)[:, None] * (profile[1] - profile[0])
    cols, rows = np.clip(np.floor(places).astype(int), 0, np.array(levels.shape[::-1]) - 1).T
    seen = levels[rows, cols]
    p = np.where(seen == NODATA, 0.0, seen / FULL)
    return bool(p[14:28].min() < DIP * min(p[:14].max(), p[28:].max()))


def drawn(picture: Picture, lines: list[Points]) -> Picture:
    """A picture with lines, as large as the sheet shows it."""
    canvas = np.ascontiguousarray(picture)
    cv2.polylines(canvas, [np.round(line).astype(np.int32) for line in lines], False, (255, 60, 60), 5)
    return np.asarray(cv2.resize(canvas, (SIDE_PX, SIDE_PX), interpolation=cv2.INTER_AREA), np.uint8)


def judge(name: str, wide: list[Wide]) -> list[Picture]:
    """Predict the pictures with a model and print what its profiles say.

    Returns:
        p with the lines, of each picture, as the sheet shows it.
    """
    model = find_checkpoint(name)
    runtime = open_runtime(model, PredictParams(precision="fp32"))
    params = VectorizeParams(threshold=model.card.threshold)
    crossed, dipping, shown = np.zeros(3), 0, []
    found = predict_samples([sample for sample, _ in wide], model.card, runtime)
    for prediction, (_, across) in zip(found, wide, strict=True):
        lines = lines_of(traced(prediction.levels, params))
        ours = shapely.MultiLineString(lines)
        for profile in across:
            crossed[min(n_crossing(ours, profile), 2)] += 1
            dipping += dips(prediction.levels, profile)
        shown.append(drawn(np.repeat(prediction.levels[..., None], 3, axis=2), lines))
    none, one, more = crossed / crossed.sum()
    dip = dipping / crossed.sum()
    print(
        f"  {model.card.name}: no line {none:.2f}, one {one:.2f}, two {more:.2f}; a dip {dip:.2f}", flush=True
    )
    return shown


def main() -> None:
    """Look for wide roads, judge each model there, draw."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("dataset")
    parser.add_argument("--models", nargs="+", required=True)
    parser.add_argument("-o", "--output", type=Path)
    args = parser.parse_args()
    split = split_dataset(open_dataset(args.dataset, GSD_M))
    rows: list[Picture] = []
    for subset in ("train", "val"):
        looked = [(sample, list(profiles(sample))) for sample in split.subset(subset)]
        wide = [(sample, across) for sample, across in looked if across]
        print(f"{subset}: {len(wide)} pictures, {sum(len(across) for _, across in wide)} profiles")
        if wide:
            columns = [[drawn(read_picture(sample, False).image, []) for sample, _ in wide]]
            columns += [judge(name, wide) for name in args.models]
            rows += [np.hstack(row) for row in zip(*columns, strict=True)]
    if args.output and rows:
        cv2.imwrite(str(args.output), cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR))


if __name__ == "__main__":
    main()
