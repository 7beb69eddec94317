"""georoads extract: a scene in, a road layer out."""

from __future__ import annotations

import dataclasses
import json
from functools import partial
from pathlib import Path

import click

from georoads.cli.models import terms_line


@click.command()
@click.argument("scene", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Road layer to write.")
@click.option("--model", default="default", help="Model by name or path.")
@click.option("-b", "--bidx", help="Bands to use, as 1,2,3.")
@click.option("--nodata", type=float, help="Value that means no data.")
@click.option("--gsd", default="auto", help="auto, native, or metres per pixel.")
@click.option("--threshold", type=float, help="p from which a pixel is road; default: the model's.")
@click.option("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps.")
@click.option("--runtime", default="auto", help="auto, torch or openvino.")
@click.option("--set", "settings", multiple=True, help="network.PARAMETER=VALUE or predict.PARAMETER=VALUE.")
@click.option("--resume", is_flag=True, help="Go on with a run that was stopped.")
@click.option("--overwrite", is_flag=True, help="Replace an existing output.")
@click.option(
    "--json", "json_file", type=click.Path(path_type=Path, allow_dash=True), help="Summary as JSON."
)
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
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
    settings: tuple[str, ...],
    resume: bool,
    overwrite: bool,
    json_file: Path | None,
    quiet: bool,
) -> None:
    """Extract the roads of SCENE into a GeoPackage, GeoJSON, FlatGeobuf or GeoParquet layer."""
    from georoads import walk
    from georoads.inference.select import PredictParams
    from georoads.jobs.progress import progress
    from georoads.jobs.settings import parse_assignments, with_values
    from georoads.model.checkpoint import find_checkpoint
    from georoads.network.params import VectorizeParams
    from georoads.scene.scene import SceneParams

    checkpoint = find_checkpoint(model)
    rooms = parse_assignments(settings)
    lines = VectorizeParams(threshold=threshold or checkpoint.card.threshold)
    bands = tuple(int(b) for b in bidx.split(",")) if bidx else None
    done = walk.extract(
        scene,
        output,
        checkpoint,
        SceneParams(bands, nodata, gsd=gsd if gsd in ("auto", "native") else float(gsd)),
        (
            with_values(PredictParams(device, runtime), rooms.get("predict", {}), "predict"),
            with_values(lines, rooms.get("network", {}), "network"),
        ),
        resume=resume,
        overwrite=overwrite,
        watch=partial(progress, quiet=quiet),
    )
    if json_file:
        click.open_file(str(json_file), "w").write(json.dumps(dataclasses.asdict(done), indent=1) + "\n")
    if not quiet:
        for message in done.messages:
            click.echo(f"note: {message}", err=True)
        click.echo(
            f"{done.output}: {done.roads} roads, {done.length_km:.2f} km, in "
            f"{sum(done.seconds.values()):.1f} s on {done.device} ({done.runtime}, {done.precision})",
            err=True,
        )
        click.echo(f"model {checkpoint.card.name}, {terms_line(checkpoint.card)}", err=True)
