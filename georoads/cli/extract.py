"""georoads extract: a scene in, a road layer out."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import click

from georoads.cli import options


@click.command()
@click.argument("scene", type=options.PATH)
@options.output("Road layer (.gpkg, .geojson, .fgb)")
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

    checkpoint = find_checkpoint(model)
    lines = VectorizeParams(threshold=checkpoint.card.threshold)
    values = options.rooms(settings, network=lines, predict=PredictParams())
    if threshold is not None:
        values["network"] = {"threshold": threshold} | values["network"]
    done = walk.extract(
        scene,
        output,
        checkpoint,
        options.scene_params(bidx, nodata, gsd),
        (
            options.predict_params(device, runtime, values["predict"], symmetric=tta),
            with_values(lines, values["network"], "network"),
        ),
        resume=resume,
        overwrite=overwrite,
        watch=partial(progress, quiet=quiet),
    )
    options.write_json(json_file, done)
    options.summarize(done, checkpoint.card, quiet)
