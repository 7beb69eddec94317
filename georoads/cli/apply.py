"""georoads apply: edits made on the page of view in, the corrected road network out."""

from __future__ import annotations

import os
from pathlib import Path

import click

from georoads.cli import options


@click.command()
@click.argument("edits", type=options.PATH)
@click.argument("roads", type=options.PATH)
@options.output("Road layer (.gpkg, .geojson, .fgb, .parquet, .osm)")
@click.option("--layer", metavar="NAME", help="Layer of ROADS, where the file has several.")
@options.overwrite
@options.json_file
@options.quiet
def apply(
    edits: Path,
    roads: Path,
    output: Path,
    layer: str | None,
    overwrite: bool,
    json_file: Path | None,
    quiet: bool,
) -> None:
    """Put EDITS, saved from the page of view, into ROADS: lines that were deleted go, drawn ones are joined
    to the network. docs/correct.md walks through it.
    """
    from georoads.correction.request import CorrectionRequest, apply_edits
    from georoads.files.figures import check_figures, write_figures
    from georoads.output.provenance import source_date

    request = CorrectionRequest(edits, roads, output, layer, overwrite, source_date(os.environ))
    check_figures(json_file, overwrite=overwrite, inputs=(edits, roads), outputs=(output,))
    done = apply_edits(request)
    write_figures(json_file, done.as_dict(), overwrite=overwrite)
    if not quiet:
        for note in done.notes:
            options.say(f"note: {note}", err=True)
        options.say(
            f"{output}: {done.network.n_edges:,} lines, {done.network.length_m.sum() / 1000:,.2f} km "
            f"(before {done.before_m / 1000:,.2f}); {done.deleted} deleted, {done.added} drawn, "
            f"{done.joined} ends joined, {done.right} right",
            err=True,
        )
