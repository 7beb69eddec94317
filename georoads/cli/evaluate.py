"""georoads evaluate: a model and a data set in, pixel metrics out."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import click


@click.command()
@click.argument("dataset")
@click.option("--split", default="auto", show_default=True, help="auto, random, or a split file.")
@click.option("--subset", default="val", show_default=True, help="train, val or test.")
@click.option("--model", default="default", help="Model by name or path.")
@click.option("--device", default="auto", help="auto, cpu, cuda, cuda:N or mps.")
@click.option("--runtime", default="auto", help="auto, torch or openvino.")
@click.option("--set", "settings", multiple=True, help="predict.PARAMETER=VALUE.")
@click.option(
    "--json", "json_file", type=click.Path(path_type=Path, allow_dash=True), help="Metrics as JSON."
)
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def evaluate(
    dataset: str,
    split: str,
    subset: str,
    model: str,
    device: str,
    runtime: str,
    settings: tuple[str, ...],
    json_file: Path | None,
    quiet: bool,
) -> None:
    """Judge a model's pixels on a subset of DATASET, at the model's own threshold, tile and overlap."""
    from georoads.data.dataset import open_dataset
    from georoads.data.split import split_dataset
    from georoads.evaluation.evaluate import evaluate_samples
    from georoads.inference.select import PredictParams, open_runtime
    from georoads.jobs.progress import progress
    from georoads.jobs.settings import parse_assignments, with_values
    from georoads.model.checkpoint import find_checkpoint

    checkpoint = find_checkpoint(model)
    samples = split_dataset(open_dataset(dataset), split).subset(subset)
    rooms = parse_assignments(settings)
    params = with_values(PredictParams(device, runtime, batch=1), rooms.get("predict", {}), "predict")
    ready, _ = open_runtime(checkpoint, params)
    with progress("evaluate", len(samples), "pictures", quiet=quiet) as on_progress:
        found = evaluate_samples(samples, checkpoint.card, ready, progress=on_progress)
    report = {
        "road_iou": found.at_threshold.iou,
        "threshold": checkpoint.card.threshold,
        "subset": subset,
        "tiles": len(samples),
        "runtime": f"{ready.name} {ready.device} {ready.precision}",
        **dataclasses.asdict(found),
    }
    if json_file:
        click.open_file(str(json_file), "w").write(json.dumps(report, indent=1) + "\n")
    low, high = found.interval
    click.echo(
        f"road IoU {found.at_threshold.iou:.4f} (95 % interval {low:.3f} to {high:.3f}), road class, "
        f"pooled over {len(samples)} {subset} tiles, at p >= {checkpoint.card.threshold:.3f}; "
        f"precision {found.at_threshold.precision:.3f}, recall {found.at_threshold.recall:.3f}; {ready.name} "
        f"{ready.precision}"
    )
