"""Draw the pictures of docs/walk.md from the example scene: python examples/draw_steps.py

Writes docs/images/tiles.jpg (the tiles and the weight of one of them), gaps.jpg (a probability raster and the
lines over it, those with a bridged gap in red) and errors.jpg (what ``georoads score --explain`` writes).
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import rasterio
from draw_walk import HERE, IMAGES, figure, pixels
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

import georoads
from georoads.inference.tiles import WEIGHT, TilePlan
from georoads.levels import FULL, NODATA
from georoads.model.checkpoint import find_checkpoint
from georoads.output.read import read_roads
from georoads.scoring.explain import explain

GAPS = slice(820, 1420), slice(380, 1280)
TILE = 12
KINDS = {"right": "#2166ac", "missing": "#ffd400", "false": "#dc143c"}


def draw_tiles(picture: np.ndarray, plan: TilePlan) -> Figure:
    """The lattice of tiles over the scene; the weights of one tile brighten it."""
    fig, (axes,) = figure(1, 1, 760, 760)
    rows, cols = (w / WEIGHT for w in plan.weights(TILE))
    light = np.full(picture.shape[:2], 0.45)
    light[plan.window(TILE).slices] += 0.55 * np.outer(rows, cols)
    axes.imshow((picture * light[..., None]).astype(np.uint8))
    for index in range(len(plan)):
        window, chosen = plan.window(index), index == TILE
        colour, width, over = ("#ffd400", 2.4, 3) if chosen else ("white", 0.6, 2)
        at = window.col, window.row
        axes.add_patch(
            Rectangle(at, window.width, window.height, fill=False, ec=colour, lw=width, zorder=over)
        )
    axes.set_xlim(0, plan.width)
    axes.set_ylim(plan.height, 0)
    return fig


def draw_gaps(levels: np.ndarray, roads: gpd.GeoDataFrame, transform: rasterio.Affine) -> Figure:
    """Probability beside the lines over it; those with a bridged gap are red."""
    fig, panels = figure(1, 2, 400, 600)
    for axes in panels:
        axes.imshow(np.where(levels == NODATA, 0, levels), cmap="magma", vmin=0, vmax=FULL)
        axes.set_xlim(GAPS[1].start, GAPS[1].stop)
        axes.set_ylim(GAPS[0].stop, GAPS[0].start)
    bridged = roads["bridged_m"].to_numpy() > 0
    _lines(panels[1], roads[~bridged], transform, "#40c4ff")
    _lines(panels[1], roads[bridged], transform, "#ff5040")
    return fig


def draw_errors(picture: np.ndarray, errors: gpd.GeoDataFrame, transform: rasterio.Affine) -> Figure:
    """The layer of errors over a faded scene."""
    fig, (axes,) = figure(1, 1, 760, 760)
    axes.imshow((picture * 0.5).astype(np.uint8))
    for kind, colour in KINDS.items():
        _lines(axes, errors[errors["kind"] == kind], transform, colour)
    axes.set_xlim(0, picture.shape[1])
    axes.set_ylim(picture.shape[0], 0)
    return fig


def _lines(axes: Axes, layer: gpd.GeoDataFrame, transform: rasterio.Affine, colour: str) -> None:
    axes.add_collection(LineCollection(pixels(layer, transform), colors=colour, linewidths=2.2))


def main() -> None:
    """Walk, score and draw."""
    checkpoint = find_checkpoint("default")
    card = checkpoint.card
    with tempfile.TemporaryDirectory() as folder:
        raster, layer = Path(folder) / "p.tif", Path(folder) / "roads.gpkg"
        georoads.predict(HERE / "scene.tif", raster, checkpoint)
        georoads.vectorize(raster, layer)
        found = explain(read_roads(layer), read_roads(HERE / "roads_truth.geojson"))
        with rasterio.open(HERE / "scene.tif") as scene, rasterio.open(raster) as probability:
            picture, transform = scene.read().transpose(1, 2, 0), scene.transform
            levels = probability.read(1)
        roads = gpd.read_file(layer, layer="roads")
    errors = gpd.GeoDataFrame(
        {"kind": [str(kind) for kind in found.kinds]}, geometry=found.lines, crs=found.crs
    )
    height, width = levels.shape
    plan = TilePlan(height, width, card.tile_px, card.overlap_px)
    for name, fig in (
        ("tiles", draw_tiles(picture, plan)),
        ("gaps", draw_gaps(levels, roads, transform)),
        ("errors", draw_errors(picture, errors, transform)),
    ):
        fig.savefig(IMAGES / f"{name}.jpg", pil_kwargs={"quality": 80})


if __name__ == "__main__":
    main()
