"""georoads diff: two road layers in, a layer of what is new, missing and moved out."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from georoads.cli import options

if TYPE_CHECKING:
    from georoads.difference.request import Difference


@click.command()
@click.argument("roads", type=options.PATH)
@click.argument("reference", type=options.PATH)
@options.output("Layer of changes (.gpkg, .geojson, .fgb, .parquet), or tasks (.maproulette.geojson)")
@click.option("--layer", metavar="NAME", help="Layer of ROADS, where the file has several.")
@click.option("--reference-layer", metavar="NAME", help="Layer of REFERENCE, where the file has several.")
@click.option(
    "--probability",
    type=options.PATH,
    metavar="TIF",
    help="Probability raster of ROADS: roads are missing only where it is valid, and get its mean p.",
)
@click.option(
    "--align",
    type=click.Choice(["auto", "no"]),
    default="auto",
    show_default=True,
    help="Estimate the offset between the layers, and lay ROADS onto REFERENCE by it.",
)
@click.option("--same", is_flag=True, help="Also write what has not changed.")
@options.settings
@options.overwrite
@options.json_file
@options.quiet
def diff(
    roads: Path,
    reference: Path,
    output: Path,
    layer: str | None,
    reference_layer: str | None,
    probability: Path | None,
    align: str,
    same: bool,
    settings: tuple[str, ...],
    overwrite: bool,
    json_file: Path | None,
    quiet: bool,
) -> None:
    """Find what is new in ROADS, missing from them, or moved, as against REFERENCE.

    REFERENCE is a map (an extract of OpenStreetMap: .osm, .osm.pbf, or any other layer of lines), or the
    roads of an earlier scene. docs/diff.md explains the kinds.
    """
    from georoads.difference.params import DiffParams
    from georoads.difference.request import DiffRequest
    from georoads.difference.request import diff as find_difference
    from georoads.files.figures import check_figures, write_figures
    from georoads.output.formats import driver_of_changes
    from georoads.output.maproulette import count_tasks
    from georoads.output.provenance import source_date
    from georoads.settings import with_values

    given = with_values(DiffParams(), {"align": align == "auto", "same": same}, "diff")
    set_to = options.with_settings(settings, diff=given, task=given.tasks)
    params = replace(set_to["diff"], tasks=set_to["task"])
    request = DiffRequest(
        roads, reference, layer, reference_layer, probability, params,
        output=output, overwrite=overwrite, date=source_date(os.environ),
    )  # fmt: skip
    check_figures(json_file, overwrite=overwrite, inputs=request.inputs, outputs=(output,))
    found = find_difference(request)
    write_figures(json_file, found.as_dict(), overwrite=overwrite)
    if not quiet:
        for note in found.notes:
            options.say(f"note: {note}", err=True)
        for line in _summary(found):
            options.say(line, err=str(json_file) == "-")
        is_tasks = driver_of_changes(output) == "MapRoulette"
        rows = f"{count_tasks(found.table):,} tasks" if is_tasks else f"{len(found.table.geometry):,} changes"
        options.say(f"{output}: {rows}", err=True)


def _summary(found: Difference) -> list[str]:
    """The printed figures."""
    from georoads.output.changes_layer import ChangeKind

    lines = []
    if found.offset.found:
        east, north = found.offset_m
        share = f"{found.offset.agree:.0%} of the places agree"
        lines.append(f"offset  REFERENCE lies {east:+.2f} m east, {north:+.2f} m north of ROADS ({share})")
    for kind in ChangeKind:
        rows = found.count(kind)
        is_written = kind is not ChangeKind.SAME or found.request.params.same
        many = f"{rows:,} {'row' if rows == 1 else 'rows'}" if is_written else "not written"
        lines.append(f"{kind:<8}{found.km(kind):10.2f} km  {many}")
    return lines
