"""georoads info: what a scene or a data set is, before anything is done with it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from georoads.cli import options

if TYPE_CHECKING:
    from georoads.scene.describe import Lines
    from georoads.scene.mosaic import Mosaic
    from georoads.scene.scene import SceneParams


@click.command()
@click.argument("path", type=options.PATH)
@click.option("--model", default="default", help="Model whose pixel size decides the working grid.")
@options.scene_flags
@options.settings
def info(path: Path, model: str, scene_params: SceneParams, settings: tuple[str, ...]) -> None:
    """Describe a scene (a raster), list the scenes of an index, or check a data set (a folder).

    A scene that could not be extracted is described, too, and why it could not. Its bounds can be given
    to --set scene.bounds= (in its CRS) and to --aoi (in degrees). Of a data set each picture and mask is
    opened.
    """
    from georoads.errors import SceneError
    from georoads.model.checkpoint import find_checkpoint
    from georoads.scene.describe import describe_refused, describe_scene
    from georoads.scene.index import is_index
    from georoads.scene.mosaic import Mosaic, open_scenes

    scene_params = options.with_settings(settings, scene=scene_params)["scene"]
    if path.is_dir():
        _dataset(path, scene_params.stated_gsd)
        return
    try:
        scene = open_scenes((path,), scene_params)
    except SceneError as e:
        if is_index(path):
            raise
        _print(describe_refused(path, scene_params, e))
        return
    model_gsd_m = find_checkpoint(model).card.gsd_m
    if isinstance(scene, Mosaic):
        _mosaic(path, scene, model_gsd_m, scene_params)
    else:
        _print(describe_scene(scene, model_gsd_m, scene_params))


def _mosaic(path: Path, mosaic: Mosaic, model_gsd_m: float, scene_params: SceneParams) -> None:
    from georoads.crs import parse_crs
    from georoads.scene.mosaic import common_grid, with_grid_notes

    work = common_grid(mosaic, model_gsd_m, scene_params)
    folder = path.resolve().parent
    options.say(f"{'index':>13}: {path.name}, {len(mosaic.members)} scenes")
    for scene in mosaic.members:
        grid = scene.grid
        options.say(
            f"{'scene':>13}: {scene.path.relative_to(folder)}, {grid.width} x {grid.height} px of "
            f"{grid.gsd_m:.3f} m, {scene.dtype}, {parse_crs(grid.crs).name}"
        )
    options.say(f"{'working grid':>13}: {work.width} x {work.height} px of {work.gsd_m:.3f} m")
    for message in with_grid_notes(mosaic, model_gsd_m).messages:
        options.say(f"{'note':>13}: {message}")


def _print(lines: Lines) -> None:
    for key, value in lines:
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
            several if len(hints) > 1 else hints.pop(),
        )
    options.say("every picture and mask can be read, and their sizes agree")
    for name, samples in (("train", split.train), ("val", split.val), ("test", split.test)):
        if samples:
            survey = survey_masks(samples, name)
            options.say(f"{name}: {survey.road_share:.1%} of the pixels are road")
            for doubt in describe_doubts(survey, name):
                options.say(f"note: {doubt}")
