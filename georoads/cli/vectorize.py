"""georoads vectorize: anyone's mask or probability raster in, a road layer out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from georoads.cli import options

if TYPE_CHECKING:
    from georoads.walk import LayerRequest


@click.command()
@click.argument("raster", type=options.PATH)
@options.layer_flags
@click.option("-b", "--bidx", type=int, metavar="N", help="Band that holds the roads.")
@click.option(
    "--threshold",
    type=float,
    help="Probability, 0 to 1, from which a pixel is road; default: the raster's, or 0.5.",
)
@options.settings
@options.json_file
@options.quiet
def vectorize(
    raster: Path,
    layer_request: LayerRequest,
    bidx: int | None,
    threshold: float | None,
    settings: tuple[str, ...],
    json_file: Path | None,
    quiet: bool,
) -> None:
    """Trace the roads of RASTER: a 0/1 or 0/255 mask, floats 0 to 1, or whole numbers with a scale.

    Of any other raster say what its values mean: --set mask.…, listed by --set help. --set for=osm, or
    for=routing, sets what that purpose asks for.
    """
    from georoads import walk
    from georoads.files.figures import write_figures
    from georoads.inference.mask_params import MaskParams
    from georoads.output.format_params import FormatParams
    from georoads.settings import with_values

    mask = with_values(MaskParams(), {} if bidx is None else {"bidx": bidx}, "mask")
    network = options.network_params(threshold)
    params = options.with_settings(settings, network=network, write=FormatParams(), mask=mask)
    layer = options.completed(layer_request, params)
    request = walk.VectorizeRequest(raster=raster, mask=params["mask"], layer=layer, figures=json_file)
    with walk.prepare(request) as prepared:
        done = walk.vectorize(prepared).summary
    write_figures(json_file, done, overwrite=layer.write.overwrite)
    if not quiet:
        for message in done.messages:
            options.say(f"note: {message}", err=True)
        options.say(f"{done.output}: {done.roads} roads, {done.length_km:.2f} km", err=True)
