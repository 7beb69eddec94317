"""georoads predict: a scene in, a probability raster out."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from georoads.cli import options

if TYPE_CHECKING:
    from georoads.scene.scene import SceneParams


@click.command()
@click.argument("scene", type=options.PATH)
@options.output("GeoTIFF")
@options.model
@options.scene_flags
@options.device
@options.runtime
@options.tta
@options.settings
@options.resume
@options.overwrite
@options.json_file
@options.quiet
def predict(
    scene: Path,
    output: Path,
    model: str,
    scene_params: SceneParams,
    device: str,
    runtime: str,
    tta: bool,
    settings: tuple[str, ...],
    resume: bool,
    overwrite: bool,
    json_file: Path | None,
    quiet: bool,
) -> None:
    """Write the road probability of SCENE as a GeoTIFF: round(254 p), 255 = nodata."""
    from georoads import walk
    from georoads.inference.select import PredictParams
    from georoads.jobs.progress import progress
    from georoads.jobs.settings import with_values
    from georoads.model.checkpoint import find_checkpoint

    checkpoint = find_checkpoint(model)
    values = options.rooms(settings, scene=scene_params, predict=PredictParams())
    done = walk.predict(
        scene,
        output,
        checkpoint,
        with_values(scene_params, values["scene"], "scene"),
        options.predict_params(device, runtime, values["predict"], symmetric=tta),
        resume=resume,
        overwrite=overwrite,
        watch=partial(progress, quiet=quiet),
    )
    options.write_json(json_file, done)
    options.summarize(done, checkpoint.card, quiet)
