"""georoads score: two road layers in, scores out."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command()
@click.argument("roads", type=click.Path(path_type=Path))
@click.argument("reference", type=click.Path(path_type=Path))
@click.option("--buffer", "buffer_m", default=4.0, show_default=True, help="Metres within which lines match.")
@click.option("--json", "json_file", type=click.Path(path_type=Path, allow_dash=True), help="Scores as JSON.")
def score(roads: Path, reference: Path, buffer_m: float, json_file: Path | None) -> None:
    """Score ROADS against REFERENCE: buffered completeness, correctness, quality and F1 of the lines."""
    from georoads.output.read import read_roads
    from georoads.scoring.score import ScoreParams
    from georoads.scoring.score import score as score_roads

    result = score_roads(read_roads(roads), read_roads(reference), ScoreParams(buffer_m)).as_dict()
    if json_file:
        click.open_file(str(json_file), "w").write(json.dumps(result, indent=1) + "\n")
    for key, value in result.items():
        click.echo(f"{key}: {value:.4f}" if isinstance(value, float) else f"{key}: {value}")
