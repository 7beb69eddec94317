"""georoads predict: a scene in, a probability raster out."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import click

from georoads.cli import options, remote_options
from georoads.cli.programs import watched

if TYPE_CHECKING:
    from georoads.inference.select import PredictParams
    from georoads.remote.params import RemoteParams
    from georoads.scene.scene import SceneParams


@click.command()
@click.argument("scenes", type=remote_options.SCENE, nargs=-1, required=True)
@options.output("GeoTIFF")
@options.overwrite
@click.option("--cog", is_flag=True, help="Cloud-optimized: with overviews, which QGIS draws at once.")
@click.option(
    "--aoi",
    metavar="AREA",
    help="Only tiles that bear on it: a file of polygons, or west,south,east,north in degrees.",
)
@options.model
@options.scene_flags
@options.predict_flags
@remote_options.remote_flags
@options.settings
@options.resume
@options.dry_run
@options.json_file
@options.quiet
def predict(
    scenes: remote_options.Scenes,
    output: Path,
    overwrite: bool,
    cog: bool,
    aoi: str | None,
    model: str,
    scene_params: SceneParams,
    predict_params: PredictParams,
    allow_remote: bool,
    remote_params: RemoteParams,
    settings: tuple[str, ...],
    resume: bool | None,
    dry_run: bool,
    json_file: Path | None,
    quiet: bool,
) -> None:
    """Write the road probability p of SCENES as a GeoTIFF of bytes: round(254 p), 255 = nodata.

    Several scenes are seen as one, the first on top. With --allow-remote also addresses, as for fetch.
    """
    from georoads import walk
    from georoads.files.figures import write_figures
    from georoads.inference.raster import RasterOptions
    from georoads.model.checkpoint import find_checkpoint
    from georoads.output.area import read_area

    checkpoint = find_checkpoint(model)
    params = options.with_settings(
        settings,
        scene=scene_params,
        predict=predict_params,
        engine=predict_params.engine,
        remote=remote_params,
    )
    request = walk.PredictRequest(
        scenes=remote_options.as_paths(scenes),
        output=output,
        raster=RasterOptions(overwrite, cog),
        checkpoint=checkpoint,
        scene=params["scene"],
        predict=dataclasses.replace(params["predict"], engine=params["engine"]),
        area=None if aoi is None else read_area(aoi),
        resume=resume,
        figures=json_file,
        remote=remote_options.remote_scenes(scenes, params["remote"], allowed=allow_remote),
    )
    watch = watched(quiet)
    if dry_run and remote_options.showed_fetch(request, json_file, overwrite=overwrite):
        return
    with walk.fetched(request, watch=watch) as local, walk.prepare(local) as prepared:
        if dry_run:
            planned = walk.plan(prepared)
            write_figures(json_file, planned, overwrite=overwrite)
            options.show_plan(planned)
            return
        done = walk.predict(prepared, watch=watch)
    write_figures(json_file, done, overwrite=overwrite)
    options.summarize(done, checkpoint.card, quiet)
