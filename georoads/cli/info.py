"""georoads info: what a scene or a data set is, before anything is done with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from georoads.cli import options

if TYPE_CHECKING:
    from georoads.scene.scene import SceneParams


@click.command()
@click.argument("path", type=options.PATH)
@click.option("--model", default="default", help="Model whose pixel size decides the working grid.")
@options.scene_flags
def info(path: Path, model: str, scene_params: SceneParams) -> None:
    """Describe a scene (a raster), or check a data set (a folder): every picture and mask is opened."""
    if path.is_dir():
        _dataset(path)
    else:
        _scene(path, model, scene_params)


def _scene(path: Path, model: str, scene_params: SceneParams) -> None:
    import numpy as np

    from georoads.grid import parse_crs
    from georoads.model.checkpoint import find_checkpoint
    from georoads.scene.read import working_grid
    from georoads.scene.scene import open_scene

    scene = open_scene(path, scene_params)
    grid = scene.grid
    work = working_grid(scene, find_checkpoint(model).card.gsd_m, scene_params)
    corners = np.array([[0, 0], [grid.width, 0], [0, grid.height], [grid.width, grid.height]], dtype=float)
    lonlat = grid.to_lonlat(corners)
    (west, south), (east, north) = lonlat.min(axis=0), lonlat.max(axis=0)
    used = "own pixels" if work == grid else f"warped to {work.width} x {work.height} px"
    for key, value in (
        ("scene", path.name),
        ("size", f"{grid.width} x {grid.height} px, {grid.width * grid.height / 1e6:.1f} MP, {scene.dtype}"),
        ("CRS", parse_crs(grid.crs).name),
        ("pixel", f"{grid.steps_m[0]:.3f} x {grid.steps_m[1]:.3f} m on the ground"),
        ("bounds", f"{west:.6f} {south:.6f} {east:.6f} {north:.6f}"),
        ("bands", f"{scene.bands}, alpha {scene.alpha or 'none'}, nodata {scene.nodata}"),
        ("working grid", f"{work.gsd_m:.3f} m: {used}"),
        *(("note", message) for message in scene.messages),
    ):
        options.say(f"{key:>13}: {value}")


def _dataset(path: Path) -> None:
    from georoads.data.dataset import open_dataset
    from georoads.data.pictures import find_broken
    from georoads.data.split import split_dataset
    from georoads.errors import DatasetError

    data = open_dataset(path)
    split = split_dataset(data)
    broken = find_broken(data.samples)
    options.say(
        f"{path}: {data.layout} layout, {len(data.samples)} labelled, {len(data.unlabelled)} unlabelled"
    )
    options.say(
        f"split: {split.method}: {len(split.train)} train, {len(split.val)} val, {len(split.test)} test"
    )
    if broken:
        raise DatasetError(
            f"{len(broken)} pairs cannot be used: {'; '.join([*broken.values()][:5])}",
            "replace them, remove their rows, or let georoads train --skip-bad leave them out",
        )
    options.say("every picture and mask can be read, and their sizes agree")
