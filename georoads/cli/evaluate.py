"""georoads evaluate: a model and a data set in, pixel metrics out."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from georoads.cli import options
from georoads.cli.programs import watched

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from georoads.data.dataset import RoadDataset, Sample
    from georoads.evaluation.evaluate import EvaluateParams, Evaluation
    from georoads.evaluation.gallery import Gallery
    from georoads.evaluation.report import About
    from georoads.inference.runtime import Runtime
    from georoads.inference.select import PredictParams
    from georoads.model.checkpoint import Checkpoint


@click.command()
@click.argument("dataset")
@click.option(
    "--split",
    default="auto",
    show_default=True,
    help="How DATASET is divided: auto, random, published, spatial, or a file.",
)
@click.option("--subset", default="val", show_default=True, help="Part to judge: train, val or test.")
@click.option(
    "--gsd-m",
    type=click.FloatRange(min=0, min_open=True),
    help="Metres per pixel, where DATASET does not say.",
)
@click.option("--white-nodata", is_flag=True, help="White pixels are no data (as in Massachusetts Roads).")
@options.model
@options.runtime_flags
@click.option(
    "--report", type=options.PATH, help="Folder to write: report.html, figures, tiles.csv, metrics.json."
)
@options.overwrite
@options.settings
@options.json_file
@options.quiet
def evaluate(
    dataset: str,
    split: str,
    subset: str,
    gsd_m: float | None,
    white_nodata: bool,
    model: str,
    predict_params: PredictParams,
    report: Path | None,
    overwrite: bool,
    settings: tuple[str, ...],
    json_file: Path | None,
    quiet: bool,
) -> None:
    """Judge a model's pixels on a subset of DATASET, at the model's own threshold, tile and overlap.

    The report shows pictures of DATASET: keep it where the data set's terms allow.
    """
    from georoads.data.dataset import open_dataset
    from georoads.data.split import split_dataset
    from georoads.evaluation.evaluate import EvaluateParams
    from georoads.evaluation.gallery import Gallery
    from georoads.evaluation.report import About, check_report, files_of_report, metrics, write_report
    from georoads.extras import require_extra
    from georoads.files.figures import check_figures, write_figures
    from georoads.inference.select import open_runtime
    from georoads.model.checkpoint import find_checkpoint

    require_extra("train", "georoads evaluate", ("matplotlib", "skimage"))
    how = EvaluateParams(subset, white_nodata)
    params = options.with_settings(settings, predict=predict_params, evaluate=how)
    how = params["evaluate"]
    if report is not None:
        check_report(report, overwrite=overwrite)
    checkpoint = find_checkpoint(model)
    data = open_dataset(dataset, gsd_m)
    parts = split_dataset(data, split)
    inputs, outputs = _files_read(checkpoint, data, split), files_of_report(report)
    check_figures(json_file, overwrite=overwrite, inputs=inputs, outputs=outputs)
    runtime = open_runtime(checkpoint, params["predict"])
    gallery = Gallery(how.gallery if report is not None else 0)
    found, seconds = _judged(parts.subset(subset), checkpoint, runtime, how, gallery, quiet=quiet)
    about = About(
        dataset=dataset,
        split=f"{parts.method}, sha256 {parts.sha256}",
        card=checkpoint.card,
        runtime=f"{runtime.name} {runtime.device} {runtime.precision}",
        seconds_per_tile=seconds / len(parts.subset(subset)),
        params=how,
    )
    write_figures(json_file, metrics(found, about), overwrite=overwrite)
    if report is not None:
        write_report(report, found, about, gallery, overwrite=overwrite)
    if not quiet:
        _say(found, about, to_stderr=str(json_file) == "-")
        if report is not None:
            options.say(f"{report / 'report.html'} shows more", err=True)


def _files_read(checkpoint: Checkpoint, data: RoadDataset, split: str) -> Iterator[Path]:
    """The files of model, data set and split."""
    yield from (*checkpoint.paths, Path(split))
    for sample in data.samples:
        yield from (sample.image, sample.mask)
    yield from (data.path / name for name in ("metadata.csv", "index.csv", "split.json"))


def _judged(
    samples: Sequence[Sample],
    checkpoint: Checkpoint,
    runtime: Runtime,
    params: EvaluateParams,
    gallery: Gallery,
    *,
    quiet: bool,
) -> tuple[Evaluation, float]:
    """The metrics, with a progress bar, and the seconds that they took; the gallery sees every picture."""
    from georoads.evaluation.evaluate import evaluate_samples

    start = time.perf_counter()
    with watched(quiet)("evaluate", len(samples), "pictures") as on_progress:
        found = evaluate_samples(
            samples, checkpoint.card, runtime, params, progress=on_progress, on_tile=gallery.consider
        )
    return found, time.perf_counter() - start


def _say(found: Evaluation, about: About, *, to_stderr: bool) -> None:
    at, relaxed, cldice, (low, high) = found.at_threshold, found.relaxed, found.cldice, found.interval
    lines = [
        f"road IoU {at.iou:.4f} (95 % interval {low:.3f} to {high:.3f}), road class, pooled over "
        f"{len(found.tiles)} {about.params.subset} tiles, at p >= {about.card.threshold:.3f}; precision "
        f"{at.precision:.3f}, recall {at.recall:.3f}; {about.runtime}",
        f"relaxed F1 {relaxed.f1:.4f} within {about.params.slack_px:g} px: precision "
        f"{relaxed.precision:.3f}, recall {relaxed.recall:.3f}; calibration error {found.ece:.4f}; "
        f"{about.seconds_per_tile:.2f} s a tile",
        f"clDice {cldice.cldice:.4f} by the skeletons of the masks: topology precision "
        f"{cldice.precision:.3f}, topology sensitivity {cldice.sensitivity:.3f}",
        f"two-class IoU {found.two_class_iou:.4f} (background and road pooled, p >= 0.5; a mask without road "
        f"{found.all_background_iou:.4f}); two-class Dice loss {found.dice_loss:.4f} (without road "
        f"{found.all_background_dice_loss:.4f})",
    ]
    for line in lines:
        options.say(line, err=to_stderr)
