"""georoads info: what a scene or a data set is, before anything is done with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from georoads.cli import options

if TYPE_CHECKING:
    from georoads.scene.mosaic import Mosaic
    from georoads.scene.scene import Scene, SceneParams


@click.command()
@click.argument("path", type=options.PATH)
@click.option("--model", default="default", help="Model whose pixel size decides the working grid.")
@options.scene_flags
@options.settings
def info(path: Path, model: str, scene_params: SceneParams, settings: tuple[str, ...]) -> None:
    """Describe a scene (a raster), list the scenes of an index, or check a data set (a folder).

    Of a data set every picture and mask is opened.
    """
    from georoads.scene.mosaic import Mosaic, open_scenes

    scene_params = options.with_settings(settings, scene=scene_params)["scene"]
    if path.is_dir():
        _dataset(path, scene_params.stated_gsd)
        return
    scene = open_scenes((path,), scene_params)
    if isinstance(scene, Mosaic):
        _mosaic(path, scene, model, scene_params)
    else:
        _scene(scene, model, scene_params)


def _mosaic(path: Path, mosaic: Mosaic, model: str, scene_params: SceneParams) -> None:
    from georoads.grid import parse_crs
    from georoads.model.checkpoint import find_checkpoint
    from georoads.scene.mosaic import common_grid

    work = common_grid(mosaic, find_checkpoint(model).card.gsd_m, scene_params)
    folder = path.resolve().parent
    options.say(f"{'index':>13}: {path.name}, {len(mosaic.members)} scenes")
    for scene in mosaic.members:
        grid = scene.grid
        options.say(
            f"{'scene':>13}: {scene.path.relative_to(folder)}, {grid.width} x {grid.height} px of "
            f"{grid.gsd_m:.3f} m, {scene.dtype}, {parse_crs(grid.crs).name}"
        )
    options.say(f"{'working grid':>13}: {work.width} x {work.height} px of {work.gsd_m:.3f} m")
    for message in mosaic.messages:
        options.say(f"{'note':>13}: {message}")


def _scene(scene: Scene, model: str, scene_params: SceneParams) -> None:

    from georoads.grid import parse_crs
    from georoads.model.checkpoint import find_checkpoint
    from georoads.scene.working_grid import working_grid
    from georoads.text import source_name

    grid = scene.grid
    work = working_grid(scene, find_checkpoint(model).card.gsd_m, scene_params)
    lonlat = grid.to_lonlat(grid.corners_px)
    (west, south), (east, north) = lonlat.min(axis=0), lonlat.max(axis=0)
    used = "own pixels" if work == grid else f"warped to {work.width} x {work.height} px"
    for key, value in (
        ("scene", source_name(scene.path)),
        ("size", f"{grid.width} x {grid.height} px, {grid.width * grid.height / 1e6:.1f} MP, {scene.dtype}"),
        ("CRS", parse_crs(grid.crs).name),
        ("pixel", f"{grid.steps_m[0]:.3f} x {grid.steps_m[1]:.3f} m on the ground"),
        ("bounds", f"{west:.6f} {south:.6f} {east:.6f} {north:.6f}"),
        ("bands", f"{scene.bands}, alpha {scene.alpha or 'none'}, nodata {scene.nodata}"),
        ("working grid", f"{work.gsd_m:.3f} m: {used}"),
        *(("note", message) for message in scene.messages),
    ):
        options.say(f"{key:>13}: {value}")


def _dataset(path: Path, gsd_m: float | None) -> None:
    from georoads.data.dataset import open_dataset
    from georoads.data.mask_survey import describe_doubts, survey_masks
    from georoads.data.pictures import find_broken
    from georoads.data.split import split_dataset
    from georoads.errors import DatasetError

    data = open_dataset(path, gsd_m)
    split = split_dataset(data)
    broken = find_broken(data.samples)
    options.say(
        f"{path}: {data.layout} layout, {len(data.samples)} labelled, {len(data.unlabelled)} unlabelled"
    )
    options.say(
        f"split: {split.method}: {len(split.train)} train, {len(split.val)} val, {len(split.test)} test"
    )
    if broken:
        hints = {fault.hint for fault in broken.values()}
        several = "replace them, remove their rows, or let georoads train --skip-bad leave them out"
        raise DatasetError(
            f"{len(broken)} pairs cannot be used: {'; '.join(f.message for f in [*broken.values()][:5])}",
            hints.pop() if len(hints) == 1 else several,
        )
    options.say("every picture and mask can be read, and their sizes agree")
    for name, samples in (("train", split.train), ("val", split.val), ("test", split.test)):
        if samples:
            survey = survey_masks(samples, name)
            options.say(f"{name}: {survey.road_share:.1%} of the pixels are road")
            for doubt in describe_doubts(survey, name):
                options.say(f"note: {doubt}")
