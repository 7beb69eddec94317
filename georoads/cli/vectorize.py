"""georoads vectorize: anyone's mask or probability raster in, a road layer out."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING

import click

from georoads.cli import options

if TYPE_CHECKING:
    from georoads.output.address import Output


@click.command()
@click.argument("raster", type=options.PATH)
@options.road_output
@click.option("-b", "--bidx", type=int, metavar="N", help="Band that holds the roads.")
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
    bidx: int | None,
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
    """Trace the roads of RASTER: a 0/1 or 0/255 mask, floats 0 to 1, or whole numbers with a scale.

    Of any other raster say what its values mean: --set mask.…, listed by --set help.
    """
    from georoads import walk
    from georoads.inference.mask_params import MaskParams
    from georoads.inference.raster import ProbabilityRaster
    from georoads.network.params import VectorizeParams
    from georoads.output.write import WriteOptions, check_road_output
    from georoads.settings import with_values
    from georoads.view.preview import check_preview_output, write_preview

    values = options.rooms(settings, network=VectorizeParams(), mask=MaskParams())
    mask = with_values(MaskParams(), ({} if bidx is None else {"bidx": bidx}) | values["mask"], "mask")
    area, area_file = options.area_of(aoi)
    writing = WriteOptions(
        walk.provenance_of(raster, VectorizeParams()), layer=layer, sources=(raster.name,),
        overwrite=overwrite, append=append, area=area,
    )  # fmt: skip
    check_road_output(output, writing, inputs=(raster, *area_file))
    options.check_preview(output, preview)
    check_preview_output(preview, (raster,), overwrite=overwrite)
    if threshold is None:
        with ProbabilityRaster(raster, mask) as opened:
            threshold = opened.threshold
    params = with_values(VectorizeParams(), {"threshold": threshold} | values["network"], "network")
    writing = dataclasses.replace(writing, provenance=walk.provenance_of(raster, params, mask=mask))
    done = walk.vectorize(raster, output, params, writing, mask=mask)
    if isinstance(output, Path):
        write_preview(preview, output, (raster,), layer=layer, overwrite=overwrite)
    options.write_json(json_file, done)
    if not quiet:
        for message in done.messages:
            options.say(f"note: {message}", err=True)
        options.say(f"{done.output}: {done.roads} roads, {done.length_km:.2f} km", err=True)
