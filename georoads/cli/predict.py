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
@click.argument("scenes", type=options.PATH, nargs=-1, required=True)
@options.output("GeoTIFF")
@options.model
@options.scene_flags
@options.device
@options.runtime
@options.engine
@options.tta
@options.settings
@options.resume
@options.dry_run
@click.option("--cog", is_flag=True, help="Cloud-optimized: with overviews, which QGIS draws at once.")
@options.overwrite
@options.json_file
@options.quiet
def predict(
    scenes: tuple[Path, ...],
    output: Path,
    model: str,
    scene_params: SceneParams,
    device: str,
    runtime: str,
    engine: str,
    tta: bool,
    settings: tuple[str, ...],
    resume: bool | None,
    dry_run: bool,
    cog: bool,
    overwrite: bool,
    json_file: Path | None,
    quiet: bool,
) -> None:
    """Write the road probability of SCENES as a GeoTIFF: round(254 p), 255 = nodata.

    Several scenes are seen as one, the first on top.
    """
    from georoads import walk
    from georoads.inference.raster import RasterOptions, check_raster_output
    from georoads.inference.select import PredictParams
    from georoads.model.checkpoint import find_checkpoint
    from georoads.progress import progress
    from georoads.settings import with_values
    from georoads.workers.engine import EngineParams

    checkpoint = find_checkpoint(model)
    values = options.rooms(settings, scene=scene_params, predict=PredictParams(), engine=EngineParams())
    scene_params = with_values(scene_params, values["scene"], "scene")
    params = options.predict_params(device, runtime, values["predict"], symmetric=tta)
    params = options.with_engine(params, engine, values["engine"])
    check_raster_output(output, overwrite=overwrite, inputs=scenes)
    if dry_run:
        found = walk.plan(scenes, output, checkpoint, scene_params, params)
        options.write_json(json_file, found)
        options.show_plan(found)
        return
    done = walk.predict(
        scenes, output, checkpoint, scene_params, params, RasterOptions(overwrite, cog),
        resume=resume, watch=partial(progress, quiet=quiet),
    )  # fmt: skip
    options.write_json(json_file, done)
    options.summarize(done, checkpoint.card, quiet)
