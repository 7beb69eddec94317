"""georoads score: two road layers in, scores out."""

from __future__ import annotations

from pathlib import Path

import click

from georoads.cli import options


@click.command()
@click.argument("roads", type=options.PATH)
@click.argument("reference", type=options.PATH)
@click.option("--buffer", "buffer_m", default=4.0, show_default=True, help="Metres within which lines match.")
@options.json_file
def score(roads: Path, reference: Path, buffer_m: float, json_file: Path | None) -> None:
    """Score ROADS against REFERENCE: buffered completeness, correctness, quality and F1 of the lines."""
    from georoads.output.read import read_roads
    from georoads.scoring.score import ScoreParams
    from georoads.scoring.score import score as score_roads

    result = score_roads(read_roads(roads), read_roads(reference), ScoreParams(buffer_m)).as_dict()
    options.write_json(json_file, result)
    for key, value in result.items():
        click.echo(f"{key}: {value:.4f}" if isinstance(value, float) else f"{key}: {value}")
