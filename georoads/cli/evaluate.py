"""georoads evaluate: a model and a data set in, pixel metrics out."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import click

from georoads.cli import options


@click.command()
@click.argument("dataset")
@click.option("--split", default="auto", show_default=True, help="auto, random, or a split file.")
@click.option("--subset", default="val", show_default=True, help="train, val or test.")
@options.model
@options.device
@options.runtime
@options.settings
@options.json_file
@options.quiet
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
    from georoads.model.checkpoint import find_checkpoint

    checkpoint = find_checkpoint(model)
    samples = split_dataset(open_dataset(dataset), split).subset(subset)
    values = options.rooms(settings, predict=PredictParams())["predict"]
    ready = open_runtime(checkpoint, options.predict_params(device, runtime, values))
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
    options.write_json(json_file, report)
    low, high = found.interval
    click.echo(
        f"road IoU {found.at_threshold.iou:.4f} (95 % interval {low:.3f} to {high:.3f}), road class, "
        f"pooled over {len(samples)} {subset} tiles, at p >= {checkpoint.card.threshold:.3f}; "
        f"precision {found.at_threshold.precision:.3f}, recall {found.at_threshold.recall:.3f}; {ready.name} "
        f"{ready.precision}"
    )
