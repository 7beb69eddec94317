"""georoads export: a model for other programs."""

from __future__ import annotations

from pathlib import Path

import click

from georoads.cli import options


@click.command()
@click.argument("model", default="default")
@options.output("ONNX file")
@options.overwrite
@options.quiet
def export(model: str, output: Path, overwrite: bool, quiet: bool) -> None:
    """Write MODEL (default: the one that ships) as ONNX for the QGIS plugin Deepness and for GeoDeep.

    The file takes RGB values 0..1 at the model's pixel size and gives two channels, background and road.
    Beside it a STAC item says the same to catalogues of models, NAME.stac.json (extension MLM).
    """
    from georoads.errors import GeoroadsError
    from georoads.extras import NETWORK, require_extra

    require_extra("train,onnx", "georoads export", (*NETWORK, "onnx"))

    from georoads.files.atomic import check_output, replace_when_complete
    from georoads.model.checkpoint import file_sha256, find_checkpoint, load_network
    from georoads.model.onnx import export_for_plugins
    from georoads.model.stac import SUFFIX, item_of_plugin_file, write_item

    if output.suffix.lower() != ".onnx":
        raise GeoroadsError(f"{output} is not the name of an ONNX file", "let it end in .onnx")
    checkpoint = find_checkpoint(model)
    item = output.with_name(output.stem + SUFFIX)
    for file in (output, item):
        check_output(file, overwrite=overwrite, inputs=checkpoint.paths)
    with (
        replace_when_complete(item, overwrite=overwrite) as item_path,
        replace_when_complete(output, overwrite=overwrite) as path,
    ):
        export_for_plugins(load_network(checkpoint), checkpoint.card, path)
        write_item(item_of_plugin_file(checkpoint.card, output.name, file_sha256(path)), item_path)
    if not quiet:
        card = checkpoint.card
        options.say(
            f"{output}: {output.stat().st_size / 1e6:.1f} MB, {card.name}, {card.gsd_m * 100:g} cm pixels, "
            f"tile {card.tile_px} px; terms: {card.terms}",
            err=True,
        )
