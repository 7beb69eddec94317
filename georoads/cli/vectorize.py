"""georoads vectorize: anyone's mask or probability raster in, a road layer out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from georoads.cli import options

if TYPE_CHECKING:
    from georoads.output.address import Output


@click.command()
@click.argument("raster", type=options.PATH)
@options.road_output
@click.option("--threshold", type=float, help="p from which a pixel is road; default: the raster's, or 0.5.")
@options.settings
@options.layer
@options.aoi
@options.append
@options.preview
@options.overwrite
@options.json_file
@options.quiet
def vectorize(
    raster: Path,
    output: Output,
    threshold: float | None,
    settings: tuple[str, ...],
    layer: str | None,
    aoi: str | None,
    append: bool,
    preview: Path | None,
    overwrite: bool,
    json_file: Path | None,
    quiet: bool,
) -> None:
    """Trace the roads of RASTER: a 0/1 or 0/255 mask, floats 0 to 1, or bytes with a scale."""
    from georoads import walk
    from georoads.inference.raster import ProbabilityRaster
    from georoads.network.params import VectorizeParams
    from georoads.output.write import WriteOptions, check_road_output
    from georoads.settings import with_values
    from georoads.view.preview import check_preview_output, write_preview

    values = options.rooms(settings, network=VectorizeParams())["network"]
    area, area_file = options.area_of(aoi)
    if threshold is None:
        with ProbabilityRaster(raster) as opened:
            threshold = float(opened.tags.get("GEOROADS_THRESHOLD", 0.5))
    params = with_values(VectorizeParams(), {"threshold": threshold} | values, "network")
    provenance = walk.provenance_of(raster, params)
    writing = WriteOptions(
        provenance, layer=layer, sources=(raster.name,), overwrite=overwrite, append=append, area=area
    )
    check_road_output(output, writing, inputs=(raster, *area_file))
    options.check_preview(output, preview)
    check_preview_output(preview, (raster,), overwrite=overwrite)
    done = walk.vectorize(raster, output, params, writing)
    if isinstance(output, Path):
        write_preview(preview, output, (raster,), layer=layer, overwrite=overwrite)
    options.write_json(json_file, done)
    if not quiet:
        for message in done.messages:
            options.say(f"note: {message}", err=True)
        options.say(f"{done.output}: {done.roads} roads, {done.length_km:.2f} km", err=True)
