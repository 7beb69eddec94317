"""georoads extract: a scene in, a road layer out."""

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
@options.output("Road layer (.gpkg, .geojson, .fgb, .parquet)")
@options.model
@options.scene_flags
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
    scene_params: SceneParams,
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
    values = options.rooms(settings, scene=scene_params, network=lines, predict=PredictParams())
    if threshold is not None:
        values["network"] = {"threshold": threshold} | values["network"]
    scene_params = with_values(scene_params, values["scene"], "scene")
    params = (
        options.predict_params(device, runtime, values["predict"], symmetric=tta),
        with_values(lines, values["network"], "network"),
    )
    area, area_file = options.area_of(aoi)
    writing = WriteOptions(
        walk.provenance_of(scene, params[1], checkpoint),
        layer=layer,
        overwrite=overwrite,
        append=append,
        area=area,
    )
    check_road_output(output, writing, inputs=area_file)
    done = walk.extract(
        scene, output, checkpoint, scene_params, params, writing,
        resume=resume, watch=partial(progress, quiet=quiet),
    )  # fmt: skip
    options.write_json(json_file, done)
    options.summarize(done, checkpoint.card, quiet)
