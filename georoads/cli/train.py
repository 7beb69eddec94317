"""georoads train: a data set in, a model out."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from georoads.cli import options
from georoads.cli.programs import watched
from georoads.text import without_secrets

if TYPE_CHECKING:
    from georoads.evaluation.evaluate import Evaluation
    from georoads.training.prepare import PreparedTraining
    from georoads.training.recipe import Recipe
    from georoads.training.run_folder import Epoch


@click.command()
@click.argument("dataset", required=False)
@click.option(
    "--recipe",
    "recipe_name",
    help="Recipe, by name or as a TOML file; default: deepglobe, or finetune with --init.",
)
@click.option("--init", default="", metavar="NAME|PATH", help="Model to go on from, instead of an encoder.")
@click.option("--split", help="How DATASET is divided: auto, random, published, spatial, or a file.")
@click.option(
    "--gsd-m",
    type=click.FloatRange(min=0, min_open=True),
    help="Metres per pixel, where DATASET does not say.",
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Folder of the run; default: runs/DATE."
)
@click.option("--epochs", type=int, help="Times that the ground of each picture is seen.")
@click.option("--minutes", type=float, help="Duration of the training, instead of epochs.")
@options.settings
@click.option("--resume", is_flag=True, help="Go on with the run in the output folder.")
@click.option("--skip-bad", is_flag=True, help="Leave out pictures that cannot be used.")
@click.option("--dry-run", is_flag=True, help="Print the whole recipe and what it amounts to, then stop.")
@options.quiet
def train(
    dataset: str | None,
    recipe_name: str | None,
    init: str,
    split: str | None,
    gsd_m: float | None,
    output: Path | None,
    epochs: int | None,
    minutes: float | None,
    settings: tuple[str, ...],
    resume: bool,
    skip_bad: bool,
    dry_run: bool,
    quiet: bool,
) -> None:
    """Train a model on DATASET (default: the data sets that the recipe names)."""
    from georoads.extras import TRAINING, require_extra

    require_extra("train", "georoads train", TRAINING)

    from georoads.settings import parse_assignments
    from georoads.training.distributed import join_process_group
    from georoads.training.prepare import prepare
    from georoads.training.recipe import compose_recipe

    if "help" in settings:
        plain = compose_recipe(recipe=recipe_name, init=init)
        options.with_settings(
            settings, model=plain.model, chip=plain.chip, train=plain.train, tile=plain.tile
        )
    recipe = compose_recipe(
        dataset, recipe=recipe_name, init=init, split=split, gsd_m=gsd_m,
        overrides=parse_assignments(settings), epochs=epochs, minutes=minutes, skip_bad=skip_bad or None,
    )  # fmt: skip
    folder = output or Path("runs") / time.strftime("%Y-%m-%d-%H%M%S")
    with _told_where_it_stopped(folder):
        prepared = prepare(recipe, join_process_group(os.environ))
        is_first = prepared.processes.is_first
        for message in prepared.messages if is_first else ():
            options.say(f"note: {message}", err=True)
        if dry_run:
            _show_plan(recipe, prepared)
        else:
            _train(recipe, prepared, folder, resume=resume, quiet=quiet or not is_first)


def _show_plan(recipe: Recipe, prepared: PreparedTraining) -> None:
    """The answer of ``--dry-run``, once the starting weights are there too."""
    from georoads.training.prepare import build_networks

    build_networks(recipe, "cpu")
    parts = prepared.split
    click.echo(json.dumps(recipe.as_dict(), indent=1))
    options.say(
        f"{len(parts.train)} train, {len(parts.val)} val, {len(parts.test)} test; "
        f"{prepared.total_steps or 'timed'} steps; {prepared.processes.device}, {prepared.precision}",
        err=True,
    )


def _train(recipe: Recipe, prepared: PreparedTraining, folder: Path, *, resume: bool, quiet: bool) -> None:
    """Train with a progress bar, in seconds or steps, and a line for each epoch; then tell the result."""
    from georoads.training.loop import evaluate_best
    from georoads.training.loop import train as train_model

    total = recipe.train.minutes * 60 if recipe.train.minutes else float(prepared.total_steps or 1)
    with watched(quiet)("train", total, "s" if recipe.train.minutes else "steps") as on_progress:
        train_model(
            recipe,
            folder,
            prepared=prepared,
            resume=resume,
            command=without_secrets("georoads " + " ".join(sys.argv[1:])),
            on_progress=on_progress,
            on_epoch=_Teller(recipe),
        )
    if prepared.processes.is_first:
        _tell_result(recipe, folder, *evaluate_best(recipe, prepared, folder))
    prepared.processes.leave()


@contextmanager
def _told_where_it_stopped(folder: Path) -> Iterator[None]:
    """Where a signal ends the block, say from which step ``--resume`` goes on; the exit code is its own."""
    try:
        yield
    except (KeyboardInterrupt, SystemExit) as stop:
        from georoads.training.state import saved_step

        step = saved_step(folder)
        way_on = "nothing was saved yet" if step is None else f"--resume goes on from step {step}"
        options.say(f"stopped; {way_on}", err=True)
        code = stop.code if isinstance(stop, SystemExit) else 130
        raise click.exceptions.Exit(code if isinstance(code, int) else 1) from stop


class _Teller:
    """Prints a line for each epoch, and whether its model is the best so far."""

    def __init__(self, recipe: Recipe) -> None:
        self._pooled = recipe.train.choose_by == "pooled_iou"
        self._best = -1.0

    def __call__(self, epoch: Epoch) -> None:
        options.say(
            f"Epoch: {epoch.epoch}  train loss {epoch.train_loss:.4f}, road IoU {epoch.train_iou:.4f}; val "
            f"road IoU {epoch.val_iou:.4f} at p >= {epoch.val_threshold:.3f}, pooled with "
            f"the background {epoch.val_pooled_iou:.4f}; {epoch.waited:.0%} of the time waiting for chips"
        )
        reached = epoch.val_pooled_iou if self._pooled else epoch.val_iou
        if reached > self._best:
            self._best = reached
            options.say("Model saved!")


def _tell_result(recipe: Recipe, folder: Path, subset: str, found: Evaluation) -> None:
    at, (low, high) = found.at_threshold, found.interval
    options.say(f"Loaded {recipe.model.architecture} model from this run.")
    note = "" if subset == "test" else " (val, on which the model was chosen: this split has no test)"
    options.say(f"Evaluation on Test Data:{note}")
    options.say(
        f"Mean IoU Score: {found.two_class_iou:.4f} (background and road pooled, p >= 0.5; a mask without "
        f"road scores {found.all_background_iou:.4f})"
    )
    options.say(
        f"Mean Dice Loss: {found.dice_loss:.4f} (both channels; a mask without road scores "
        f"{found.all_background_dice_loss:.4f})"
    )
    options.say(
        f"road IoU: {at.iou:.4f} (95 % interval {low:.3f} to {high:.3f}; road class, pooled over "
        f"{len(found.tiles)} pictures, p >= {at.threshold:.3f}); precision {at.precision:.3f}, recall "
        f"{at.recall:.3f}"
    )
    options.say(f"{folder}/best.safetensors, history.csv, the two plots, sample_predictions/")
