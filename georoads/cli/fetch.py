"""georoads fetch: the address of imagery in, a GeoTIFF out."""

from __future__ import annotations

import os
from pathlib import Path

import click

from georoads.cli import options, remote_options
from georoads.cli.programs import watched


@click.command()
@click.argument("address")
@options.output("GeoTIFF")
@click.option(
    "--aoi", metavar="AREA", help="What of it: a file of polygons, or west,south,east,north in degrees."
)
@remote_options.zoom_flag
@click.option("--gsd", default="auto", show_default=True, help="Pixel size to come near: auto, or metres.")
@options.model
@options.overwrite
@options.settings
@options.resume
@options.dry_run
@options.json_file
@options.quiet
def fetch(
    address: str,
    output: Path,
    aoi: str | None,
    zoom: str,
    gsd: str,
    model: str,
    overwrite: bool,
    settings: tuple[str, ...],
    resume: bool | None,
    dry_run: bool,
    json_file: Path | None,
    quiet: bool,
) -> None:
    """Fetch imagery by ADDRESS to a cloud-optimized GeoTIFF.

    ADDRESS is one of tiles ('https://HOST/{z}/{x}/{y}.png'), of a WMS or WMTS (with layers=), of a GeoTIFF,
    or of a STAC item. Without --gsd, pixels are those that suit the model.
    """
    from georoads.errors import GeoroadsError
    from georoads.files.figures import check_figures, write_figures
    from georoads.model.checkpoint import find_checkpoint
    from georoads.output.area import read_area
    from georoads.remote.address import is_address
    from georoads.remote.fetch import FetchRequest
    from georoads.remote.save import plan_save, save_scene

    params = options.with_settings(settings, remote=remote_options.params_of(zoom))["remote"]
    if not is_address(address):
        raise GeoroadsError(f"{address} is no address", "it begins with https://")
    area = None if aoi is None else read_area(aoi)
    request = FetchRequest(
        addresses=(address,),
        area=area,
        model_gsd_m=find_checkpoint(model).card.gsd_m if gsd == "auto" else options.metres(gsd),
        params=params,
        keys=os.environ,
        headers=remote_options.headers_of(os.environ),
    )
    inputs = [area.file] if area is not None and area.file is not None else []
    check_figures(json_file, overwrite=overwrite, inputs=inputs, outputs=(output,))
    if dry_run:
        told, disk_mb = plan_save(request, output, overwrite=overwrite)
        write_figures(json_file, told, overwrite=overwrite)
        remote_options.show_told(told)
        options.say(f"{'disk':>12}: about {disk_mb:,.0f} MB")
        return
    watch = watched(quiet)
    done = save_scene(request, output, overwrite=overwrite, resume=resume, watch=watch)
    write_figures(json_file, done, overwrite=overwrite)
    if not quiet:
        for message in done.messages:
            options.say(f"note: {message}", err=True)
        credit = f"; credit: {done.attribution}" if done.attribution else ""
        options.say(
            f"{done.output}: {done.width} x {done.height} px, {done.size_mb:.1f} MB{credit}", err=True
        )
