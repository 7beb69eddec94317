"""georoads score: two road layers in, scores out."""

from __future__ import annotations

import os
from pathlib import Path

import click

from georoads.cli import options


@click.command()
@click.argument("roads", type=options.PATH)
@click.argument("reference", type=options.PATH)
@click.option("--layer", metavar="NAME", help="Layer of ROADS, where the file has several.")
@click.option("--reference-layer", metavar="NAME", help="Layer of REFERENCE, where the file has several.")
@click.option(
    "--buffer",
    "buffer_m",
    default=4.0,
    show_default=True,
    help="Distance in metres within which lines match.",
)
@click.option(
    "--protocol",
    type=click.Choice(["georoads", "spacenet", "cityscale"]),
    default="georoads",
    show_default=True,
    help="APLS as papers of that data set compute it, with the constants of APLS and TOPO that go with it.",
)
@click.option(
    "--explain", type=options.PATH, help="GeoPackage of right, missing and false stretches to write."
)
@options.settings
@options.overwrite
@options.json_file
@options.quiet
def score(
    roads: Path,
    reference: Path,
    layer: str | None,
    reference_layer: str | None,
    buffer_m: float,
    protocol: str,
    explain: Path | None,
    settings: tuple[str, ...],
    overwrite: bool,
    json_file: Path | None,
    quiet: bool,
) -> None:
    """Score the lines of ROADS against REFERENCE.

    Completeness, correctness and F1 of lengths; APLS and TOPO of the network; precision and recall of its
    nodes; and how tidy ROADS are. docs/scoring.md explains each.
    """
    from georoads.files.figures import check_figures, write_figures
    from georoads.output.errors_layer import check_errors_output
    from georoads.output.read import read_roads
    from georoads.scoring.protocols import params_of
    from georoads.scoring.score import score as score_roads
    from georoads.scoring.table import table
    from georoads.settings import with_values

    given = with_values(params_of(protocol), {"buffer_m": buffer_m}, "score")
    params = options.with_settings(settings, score=given)["score"]
    inputs = roads, reference
    check_figures(
        json_file, overwrite=overwrite, inputs=inputs, outputs=() if explain is None else (explain,)
    )
    if explain is not None:
        check_errors_output(explain, overwrite=overwrite, inputs=inputs)
    proposal = read_roads(roads, layer)
    truth = read_roads(reference, reference_layer, flag="--reference-layer")
    result = score_roads(proposal, truth, params, protocol)
    write_figures(json_file, result.as_dict(), overwrite=overwrite)
    if not quiet:
        for line in table(result, roads.name, reference.name):
            options.say(line, err=str(json_file) == "-")
        for note in result.notes:
            options.say(f"note: {note}", err=True)
    if explain is not None:
        from georoads.output.provenance import source_date
        from georoads.scoring.explain import write_explained

        write_explained(
            explain, proposal, truth, params,
            proposal_file=roads, reference_file=reference,
            overwrite=overwrite, date=source_date(os.environ),
        )  # fmt: skip
        if not quiet:
            options.say(f"{explain} shows where", err=True)
