"""georoads extract: a scene in, a road layer out."""

from __future__ import annotations

import dataclasses
import shutil
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from georoads.cli import options

if TYPE_CHECKING:
    from georoads.inference.select import PredictParams
    from georoads.jobs.progress import Watch
    from georoads.model.checkpoint import Checkpoint
    from georoads.network.params import VectorizeParams
    from georoads.output.write import WriteOptions
    from georoads.scene.scene import SceneParams
    from georoads.walk import Walk


@click.command()
@click.argument("scene", type=options.PATH)
@options.output("Road layer (.gpkg, .geojson, .fgb, .parquet)")
@options.model
@options.bidx
@options.nodata
@options.gsd
@options.threshold
@options.device
@options.runtime
@options.tta
@options.settings
@options.resume
@options.layer
@options.aoi
@options.append
@options.overwrite
@options.json_file
@options.quiet
def extract(
    scene: Path,
    output: Path,
    model: str,
    bidx: str | None,
    nodata: float | None,
    gsd: str,
    threshold: float | None,
    device: str,
    runtime: str,
    tta: bool,
    settings: tuple[str, ...],
    resume: bool,
    layer: str | None,
    aoi: str | None,
    append: bool,
    overwrite: bool,
    json_file: Path | None,
    quiet: bool,
) -> None:
    """Extract the roads of SCENE into a road layer."""
    from georoads import walk
    from georoads.inference.select import PredictParams
    from georoads.jobs.progress import progress
    from georoads.jobs.settings import with_values
    from georoads.model.checkpoint import find_checkpoint
    from georoads.network.params import VectorizeParams
    from georoads.output.write import WriteOptions, check_road_output

    checkpoint = find_checkpoint(model)
    lines = VectorizeParams(threshold=checkpoint.card.threshold)
    values = options.rooms(settings, network=lines, predict=PredictParams())
    if threshold is not None:
        values["network"] = {"threshold": threshold} | values["network"]
    scene_params = options.scene_params(bidx, nodata, gsd)
    params = (
        options.predict_params(device, runtime, values["predict"], symmetric=tta),
        with_values(lines, values["network"], "network"),
    )
    watch = partial(progress, quiet=quiet)
    if layer is None and aoi is None and not append:
        done = walk.extract(
            scene, output, checkpoint, scene_params, params, resume=resume, overwrite=overwrite, watch=watch
        )
    else:
        area, area_file = options.area_of(aoi)
        writing = WriteOptions(
            walk.provenance_of(scene, params[1], checkpoint),
            layer=layer,
            sources=(scene.name,),
            overwrite=overwrite,
            append=append,
            area=area,
        )
        check_road_output(output, writing, inputs=(scene, *area_file))
        writing = _placed(writing, scene, output, checkpoint, scene_params)
        done = _in_two_steps((scene, output), checkpoint, scene_params, params, writing, watch, resume=resume)
    options.write_json(json_file, done)
    options.summarize(done, checkpoint.card, quiet)


def _placed(
    writing: WriteOptions, scene: Path, output: Path, checkpoint: Checkpoint, scene_params: SceneParams
) -> WriteOptions:
    """The options with the scene's CRS, once the area is seen to meet the scene: before any predicting."""
    from georoads.scene.read import working_grid
    from georoads.scene.scene import open_scene
    from georoads.walk import GEOJSON

    opened = open_scene(scene, scene_params)
    grid = working_grid(opened, checkpoint.card.gsd_m, scene_params.gsd)
    if writing.area is not None:
        writing.area.on(grid)
    if grid.crs != opened.grid.crs and output.suffix.lower() not in GEOJSON:
        return dataclasses.replace(writing, crs=opened.grid.crs)
    return writing


def _in_two_steps(
    files: tuple[Path, Path],
    checkpoint: Checkpoint,
    scene_params: SceneParams,
    params: tuple[PredictParams, VectorizeParams],
    writing: WriteOptions,
    watch: Watch,
    *,
    resume: bool,
) -> Walk:
    """Predict, then vectorize as ``writing`` says; through the same raster as ``walk.extract``."""
    from georoads import walk

    scene, output = files
    work = output.with_name(output.name + ".work")
    if work.exists() and not resume:
        shutil.rmtree(work)
    work.mkdir(exist_ok=True)
    raster = work / "probability.tif"
    seen = walk.predict(
        scene, raster, checkpoint, scene_params, params[0], resume=resume, overwrite=True, watch=watch
    )
    traced = walk.vectorize(raster, output, params[1], writing)
    shutil.rmtree(work)
    done = dataclasses.replace(
        seen,
        output=traced.output,
        roads=traced.roads,
        length_km=traced.length_km,
        seconds=seen.seconds | traced.seconds,
        peak_rss_mb=traced.peak_rss_mb,
    )
    return done if writing.area is None else options.as_written(done, writing.layer)
