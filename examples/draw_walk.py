"""Draw the README's pictures from the example scene: python examples/draw_walk.py

Walks the scene through the shipped model and writes docs/images/roads.jpg (the road layer over the scene) and
docs/images/walk.jpg (scene, probability, mask with skeleton, lines with nodes, on one corner of it).
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import rasterio
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure

import georoads
from georoads.grid import Window
from georoads.levels import FULL, NODATA
from georoads.model.checkpoint import find_checkpoint
from georoads.network.mask.road_mask import drop_specks, fill_holes, read_mask
from georoads.network.params import VectorizeParams
from georoads.network.skeleton.thin import thin
from georoads.network.types import BlockPlan

HERE = Path(__file__).resolve().parent
IMAGES = HERE.parent / "docs" / "images"
CROP = slice(560, 1260), slice(960, 1860)


def pixels(layer: gpd.GeoDataFrame, transform: rasterio.Affine) -> list[np.ndarray]:
    """Lines of a layer in pixel coordinates of the scene."""
    back = ~transform
    lines = []
    for line in layer.geometry:
        x, y = np.asarray(line.coords).T
        lines.append(np.column_stack((back.a * x + back.b * y + back.c, back.d * x + back.e * y + back.f)))
    return lines


def draw_lines(axes: Axes, roads: gpd.GeoDataFrame, transform: rasterio.Affine, scale: float) -> None:
    """Lines as wide as their roads (``scale`` points per pixel), coloured by confidence, with a casing."""
    lines = pixels(roads, transform)
    widths = roads["width_m"].to_numpy() / 0.5 * scale
    axes.add_collection(LineCollection(lines, colors="#202020", linewidths=widths * 0.8 + 1.4))
    coloured = LineCollection(lines, linewidths=widths * 0.8, cmap="RdYlGn", array=roads["confidence"])
    coloured.set_clim(0.6, 0.95)
    axes.add_collection(coloured)


def figure(rows: int, cols: int, height: int, width: int, dpi: int = 100) -> tuple[Figure, list[Axes]]:
    """A figure of panels without margins, sizes in pixels."""
    fig = Figure(figsize=(cols * width / dpi, rows * height / dpi), dpi=dpi)
    axes = fig.subplots(rows, cols, squeeze=False, gridspec_kw={"wspace": 0.012, "hspace": 0.012})
    fig.subplots_adjust(0, 0, 1, 1)
    for a in axes.flat:
        a.set_axis_off()
    return fig, list(axes.flat)


def main() -> None:
    """Walk and draw."""
    checkpoint = find_checkpoint("default")
    params = VectorizeParams(threshold=checkpoint.card.threshold)
    with tempfile.TemporaryDirectory() as folder:
        raster, layer = Path(folder) / "p.tif", Path(folder) / "roads.gpkg"
        georoads.predict(HERE / "scene.tif", raster, checkpoint)
        georoads.vectorize(raster, layer, network=params)
        with rasterio.open(HERE / "scene.tif") as scene, rasterio.open(raster) as probability:
            picture, transform = scene.read().transpose(1, 2, 0), scene.transform
            picture = np.where(scene.dataset_mask()[..., None] > 0, picture, 255)
            levels = probability.read(1)
        roads, nodes = gpd.read_file(layer, layer="roads"), gpd.read_file(layer, layer="nodes")
    IMAGES.mkdir(parents=True, exist_ok=True)

    fig, (axes,) = figure(1, 1, 1100, 1100)
    axes.imshow(picture)
    draw_lines(axes, roads, transform, 1100 / 2048 * 0.72)
    fig.savefig(IMAGES / "roads.jpg", pil_kwargs={"quality": 82})

    plan = BlockPlan()
    mask = read_mask(lambda window: levels[window.slices], levels.shape, params.road_p, params.road_p, plan)
    road = fill_holes(drop_specks(mask, 240), 240).road
    skeleton = thin(road, np.zeros(0, np.int64), plan)
    line = np.divmod(skeleton.pixels, levels.shape[1])
    shown = road.paint(Window(0, 0, *levels.shape)).astype(int)
    shown[line] = 2
    height, width = CROP[0].stop - CROP[0].start, CROP[1].stop - CROP[1].start
    fig, panels = figure(2, 2, int(height * 0.62), int(width * 0.62))
    for axes in panels:
        axes.imshow(picture)
    panels[1].imshow(np.where(levels == NODATA, 0, levels), cmap="magma", vmin=0, vmax=FULL)
    panels[2].imshow(shown, cmap="gray")
    panels[2].scatter(*line[::-1], s=1.2, c="#e0301e")
    draw_lines(panels[3], roads, transform, 0.62 * 0.72)
    points = np.column_stack([nodes.geometry.x, nodes.geometry.y])
    back = ~transform
    panels[3].scatter(
        back.a * points[:, 0] + back.c, back.e * points[:, 1] + back.f, s=14, c="white", ec="black", zorder=3
    )
    for axes in panels:
        axes.set_xlim(CROP[1].start, CROP[1].stop)
        axes.set_ylim(CROP[0].stop, CROP[0].start)
    fig.savefig(IMAGES / "walk.jpg", pil_kwargs={"quality": 82})


if __name__ == "__main__":
    main()
