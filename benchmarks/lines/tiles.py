"""The tiles that the lines are compared on: their place on the ground, masks, probabilities and layers."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

import geopandas
import numpy as np
import shapely
from affine import Affine
from numpy.typing import NDArray

from georoads.data.dataset import DEEPGLOBE_GSD_M, Sample, open_dataset, read_split_file
from georoads.data.pictures import read_mask
from georoads.grid import Grid, Points
from georoads.levels import FULL
from georoads.output.read import RoadLines

GSD_M = DEEPGLOBE_GSD_M
CRS = "EPSG:32647"
ROUND_PX = 1000
"""Coordinates are kept to 1/1000 of a pixel: what is hashed does not hang on the last bit of a float."""


def val_samples(deepglobe: Path, names: Sequence[str] = ()) -> tuple[Sample, ...]:
    """The val tiles of split.json, sorted by name; or the named ones."""
    val = read_split_file(deepglobe / "split.json")["val"]
    return open_dataset(deepglobe).select(list(names) or val)


def tile_grid(shape: tuple[int, int]) -> Grid:
    """Where a tile is put: DeepGlobe does not say where its tiles lie, so all stand at one place."""
    return Grid(CRS, Affine(GSD_M, 0, 500_000, 0, -GSD_M, 0), shape[1], shape[0])


def truth_levels(sample: Sample) -> NDArray[np.uint8]:
    """(H, W) uint8 as a probability raster that is sure of the truth: 254 on road, else 0."""
    return np.where(read_mask(sample), np.uint8(FULL), np.uint8(0))


def predicted_levels(samples: Sequence[Sample], folder: Path) -> Path:
    """The shipped model's round(254 p) of each tile as .npy, made where they are missing.

    Returns:
        The folder that holds NAME.npy, (H, W) uint8; its name ends in the model's sha256.
    """
    from georoads.model.checkpoint import find_checkpoint

    checkpoint = find_checkpoint("default")
    cache = folder / f"probability-fp32-{checkpoint.sha256[:12]}"
    missing = [s for s in samples if not (cache / f"{s.name}.npy").is_file()]
    if not missing:
        return cache
    from georoads.evaluation.evaluate import predict_samples
    from georoads.inference.select import PredictParams, open_runtime

    cache.mkdir(parents=True, exist_ok=True)
    # On any processor, or the figures would hang on which one it is.
    runtime = open_runtime(checkpoint, PredictParams(runtime="openvino", precision="fp32"))
    for found in predict_samples(missing, checkpoint.card, runtime):
        part = cache / f"{found.name}.part.npy"
        np.save(part, found.levels)
        part.replace(cache / f"{found.name}.npy")
    return cache


def to_layer(lines_px: Iterable[Points], shape: tuple[int, int], name: str) -> RoadLines:
    """Lines in pixel coordinates (x = col, y = row, a pixel's centre at .5) as a road layer on the ground."""
    grid = tile_grid(shape)
    lines = [shapely.LineString(grid.to_crs(p)) for p in lines_px]
    array = np.empty(len(lines), np.object_)
    array[:] = lines
    return RoadLines(array, CRS, name)


def write_layer(layer: RoadLines, path: Path) -> None:
    """A GeoPackage with the layer ``roads``."""
    path.unlink(missing_ok=True)
    ids = {"road_id": np.arange(1, len(layer.lines) + 1)}
    frame = geopandas.GeoDataFrame(ids, geometry=layer.lines, crs=CRS)
    how = {"driver": "GPKG", "engine": "pyogrio", "VERSION": "1.3", "geometry_type": "LineString"}
    frame.to_file(path, layer="roads", **how)


def canonical(lines_px: Iterable[Points]) -> list[Points]:
    """The same lines rounded, each from its smaller end, and sorted: one form for one drawing."""
    turned = []
    for line in lines_px:
        steps = np.round(np.asarray(line) * ROUND_PX).astype(np.int64).tolist()
        turned.append(min(steps, steps[::-1]))
    return [np.array(line, np.float64) / ROUND_PX for line in sorted(turned)]


def digest(tiles: dict[str, list[Points]]) -> str:
    """sha256 over the canonical lines of all tiles, by name."""
    sha = hashlib.sha256()
    for name in sorted(tiles):
        lines = [np.round(line * ROUND_PX).astype(int).tolist() for line in canonical(tiles[name])]
        sha.update(json.dumps([name, lines], separators=(",", ":")).encode())
    return sha.hexdigest()
