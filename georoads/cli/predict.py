"""georoads predict: a scene in, a probability raster out."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import click

from georoads.cli import options
from georoads.cli.programs import watched

if TYPE_CHECKING:
    from georoads.inference.select import PredictParams
    from georoads.scene.scene import SceneParams


@click.command()
@click.argument("scenes", type=options.PATH, nargs=-1, required=True)
@options.output("GeoTIFF")
@options.overwrite
@click.option("--cog", is_flag=True, help="Cloud-optimized: with overviews, which QGIS draws at once.")
@options.model
@options.scene_flags
@options.predict_flags
@options.settings
@options.resume
@options.dry_run
@options.json_file
@options.quiet
def predict(
    scenes: tuple[Path, ...],
    output: Path,
    overwrite: bool,
    cog: bool,
    model: str,
    scene_params: SceneParams,
    predict_params: PredictParams,
    settings: tuple[str, ...],
    resume: bool | None,
    dry_run: bool,
    json_file: Path | None,
    quiet: bool,
) -> None:
    """Write the road probability p of SCENES as a GeoTIFF of bytes: round(254 p), 255 = nodata.

    Several scenes are seen as one, the first on top.
    """
    from georoads import walk
    from georoads.files.figures import write_figures
    from georoads.inference.raster import RasterOptions
    from georoads.model.checkpoint import find_checkpoint

    checkpoint = find_checkpoint(model)
    params = options.with_settings(
        settings, scene=scene_params, predict=predict_params, engine=predict_params.engine
    )
    request = walk.PredictRequest(
        scenes=scenes,
        output=output,
        raster=RasterOptions(overwrite, cog),
        checkpoint=checkpoint,
        scene=params["scene"],
        predict=dataclasses.replace(params["predict"], engine=params["engine"]),
        resume=resume,
        figures=json_file,
    )
    with walk.prepare(request) as prepared:
        if dry_run:
            planned = walk.plan(prepared)
            write_figures(json_file, planned, overwrite=overwrite)
            options.show_plan(planned)
            return
        done = walk.predict(prepared, watch=watched(quiet))
    write_figures(json_file, done, overwrite=overwrite)
    options.summarize(done, checkpoint.card, quiet)
