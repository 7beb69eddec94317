"""georoads extract: a scene in, a road layer out."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from georoads.cli import options

if TYPE_CHECKING:
    from georoads.output.address import Output
    from georoads.scene.scene import SceneParams


@click.command()
@click.argument("scenes", type=options.PATH, nargs=-1, required=True)
@options.road_output
@options.model
@options.scene_flags
@options.threshold
@options.device
@options.runtime
@options.engine
@options.tta
@options.settings
@options.resume
@options.dry_run
@options.layer
@options.aoi
@options.append
@options.preview
@options.overwrite
@options.json_file
@options.quiet
def extract(
    scenes: tuple[Path, ...],
    output: Output,
    model: str,
    scene_params: SceneParams,
    threshold: float | None,
    device: str,
    runtime: str,
    engine: str,
    tta: bool,
    settings: tuple[str, ...],
    resume: bool | None,
    dry_run: bool,
    layer: str | None,
    aoi: str | None,
    append: bool,
    preview: Path | None,
    overwrite: bool,
    json_file: Path | None,
    quiet: bool,
) -> None:
    """Extract the roads of SCENES into a road layer; several are seen as one, the first on top."""
    from georoads import walk
    from georoads.inference.select import PredictParams
    from georoads.model.checkpoint import find_checkpoint
    from georoads.network.params import VectorizeParams
    from georoads.output.write import WriteOptions, check_road_output
    from georoads.progress import progress
    from georoads.settings import with_values
    from georoads.view.preview import check_preview_output, write_preview
    from georoads.workers.engine import EngineParams

    checkpoint = find_checkpoint(model)
    lines = VectorizeParams(threshold=checkpoint.card.threshold)
    values = options.rooms(
        settings, scene=scene_params, network=lines, predict=PredictParams(), engine=EngineParams()
    )
    if threshold is not None:
        values["network"] = {"threshold": threshold} | values["network"]
    scene_params = with_values(scene_params, values["scene"], "scene")
    how = options.predict_params(device, runtime, values["predict"], symmetric=tta)
    params = (
        options.with_engine(how, engine, values["engine"]),
        with_values(lines, values["network"], "network"),
    )
    area, area_file = options.area_of(aoi)
    writing = WriteOptions(
        walk.provenance_of(scenes, params[1], checkpoint),
        layer=layer,
        overwrite=overwrite,
        append=append,
        area=area,
    )
    check_road_output(output, writing, inputs=area_file)
    options.check_preview(output, preview)
    check_preview_output(preview, scenes, overwrite=overwrite)
    if dry_run:
        found = walk.plan(scenes, output, checkpoint, scene_params, params[0], area)
        options.write_json(json_file, found)
        options.show_plan(found)
        return
    done = walk.extract(
        scenes, output, checkpoint, scene_params, params, writing,
        resume=resume, watch=partial(progress, quiet=quiet),
    )  # fmt: skip
    if isinstance(output, Path):
        write_preview(preview, output, scenes, scene_params, layer=layer, overwrite=overwrite)
    options.write_json(json_file, done)
    options.summarize(done, checkpoint.card, quiet)
