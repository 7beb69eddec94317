"""georoads vectorize: anyone's mask or probability raster in, a road layer out."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import click


@click.command()
@click.argument("raster", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Road layer to write.")
@click.option("--threshold", type=float, help="p from which a pixel is road; default: the raster's, or 0.5.")
@click.option("--set", "settings", multiple=True, help="network.PARAMETER=VALUE.")
@click.option("--overwrite", is_flag=True, help="Replace an existing output.")
@click.option("--json", "json_file", type=click.Path(path_type=Path, allow_dash=True), help="As JSON.")
@click.option("-q", "--quiet", is_flag=True, help="No summary.")
def vectorize(
    raster: Path,
    output: Path,
    threshold: float | None,
    settings: tuple[str, ...],
    overwrite: bool,
    json_file: Path | None,
    quiet: bool,
) -> None:
    """Trace the roads of RASTER: a 0/1 or 0/255 mask, floats 0 to 1, or bytes with a scale."""
    from georoads import walk
    from georoads.inference.raster import ProbabilityRaster
    from georoads.jobs.settings import parse_assignments, with_values
    from georoads.network.params import VectorizeParams
    from georoads.output.write import WriteOptions

    if threshold is None:
        with ProbabilityRaster(raster) as opened:
            threshold = float(opened.tags.get("GEOROADS_THRESHOLD", 0.5))
    rooms = parse_assignments(settings)
    params = with_values(VectorizeParams(threshold=threshold), rooms.get("network", {}), "network")
    options = WriteOptions(walk.provenance_of(raster, params), sources=(raster.name,), overwrite=overwrite)
    done = walk.vectorize(raster, output, params, options)
    if json_file:
        click.open_file(str(json_file), "w").write(json.dumps(dataclasses.asdict(done), indent=1) + "\n")
    if not quiet:
        click.echo(f"{done.output}: {done.roads} roads, {done.length_km:.2f} km", err=True)
