"""georoads view: a road layer in, a map out: page, QGIS project or picture."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import click

from georoads.cli import options


@click.command()
@click.argument("roads", type=options.PATH)
@options.output("Map (.html, .qgz or .png)")
@click.option(
    "--scene", "scenes", type=options.PATH, multiple=True, help="Scene under the lines; may be repeated."
)
@click.option("--layer", metavar="NAME", help="Layer of the file; default: the only one, or roads.")
@click.option(
    "--width",
    type=click.Choice(["thin", "road"]),
    default="thin",
    show_default=True,
    help="Draw thin lines, or lines as wide as the road.",
)
@click.option(
    "--probability",
    type=options.PATH,
    metavar="TIF",
    help="Probability raster: lines drawn by hand on the page follow its highest p.",
)
@options.allow_vrt
@options.settings
@options.overwrite
@options.quiet
def view(
    roads: Path,
    output: Path,
    scenes: tuple[Path, ...],
    layer: str | None,
    width: str,
    probability: Path | None,
    allow_vrt: bool,
    settings: tuple[str, ...],
    overwrite: bool,
    quiet: bool,
) -> None:
    """Draw ROADS as a map in one HTML page that any browser opens, without a network.

    Or, by the suffix of the output, as a QGIS project (.qgz) or as a picture (.png). Lines have the colours
    of the layer's style in QGIS; on the page, pointing at one shows its attributes, and they can be repaired
    by hand (docs/correct.md).
    """
    from georoads.inference.raster import ProbabilityRaster
    from georoads.scene.scene import SceneParams
    from georoads.view.request import LineWidth
    from georoads.view.write import write_view

    params = options.with_settings(settings, scene=SceneParams(allow_vrt=allow_vrt))["scene"]
    with nullcontext() if probability is None else ProbabilityRaster(probability) as raster:
        made = write_view(
            roads, output, scenes, params,
            layer=layer, overwrite=overwrite, width=LineWidth(width), probability=raster,
        )  # fmt: skip
    if not quiet:
        for note in made.notes:
            options.say(f"note: {note}", err=True)
        options.say(
            f"{output}: {made.lines:,} lines, {made.length_m / 1000:,.2f} km, {made.file_bytes / 1e6:.1f} MB",
            err=True,
        )
