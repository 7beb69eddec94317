"""georoads extract: a scene in, a road layer out."""

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
    from georoads.walk import LayerRequest


@click.command()
@click.argument("scenes", type=remote_options.SCENE, nargs=-1, required=True)
@options.layer_flags
@options.model
@options.threshold
@options.scene_flags
@options.predict_flags
@remote_options.remote_flags
@options.settings
@options.resume
@options.dry_run
@options.json_file
@options.quiet
def extract(
    scenes: remote_options.Scenes,
    layer_request: LayerRequest,
    model: str,
    threshold: float | None,
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
    """Extract the roads of SCENES into a road layer.

    Several scenes are seen as one, the first on top. With --allow-remote also addresses, as for fetch.
    --set for=osm, or for=routing, sets what that purpose asks for.
    """
    from georoads import walk
    from georoads.files.figures import write_figures
    from georoads.model.checkpoint import find_checkpoint
    from georoads.output.format_params import FormatParams

    checkpoint = find_checkpoint(model)
    network = options.network_params(threshold, default=checkpoint.card.threshold)
    params = options.with_settings(
        settings, scene=scene_params, network=network, write=FormatParams(),
        predict=predict_params, engine=predict_params.engine, remote=remote_params,
    )  # fmt: skip
    request = walk.ExtractRequest(
        scenes=remote_options.as_paths(scenes),
        checkpoint=checkpoint,
        scene=params["scene"],
        predict=dataclasses.replace(params["predict"], engine=params["engine"]),
        layer=options.completed(layer_request, params),
        resume=resume,
        figures=json_file,
        remote=remote_options.remote_scenes(scenes, params["remote"], allowed=allow_remote),
    )
    watch = watched(quiet)
    if dry_run and remote_options.showed_fetch(request, json_file, overwrite=layer_request.write.overwrite):
        return
    with walk.fetched(request, watch=watch) as local, walk.prepare(local) as prepared:
        if dry_run:
            planned = walk.plan(prepared)
            write_figures(json_file, planned, overwrite=layer_request.write.overwrite)
            options.show_plan(planned)
            return
        done = walk.extract(prepared, watch=watch).summary
    write_figures(json_file, done, overwrite=layer_request.write.overwrite)
    options.summarize(done, checkpoint.card, quiet)
