"""georoads train: a data set in, a model out."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click


@click.command()
@click.argument("dataset", required=False)
@click.option(
    "--recipe", "recipe_name", help="Name or TOML file; default: deepglobe, or finetune with --init."
)
@click.option("--init", default="", metavar="NAME|PATH", help="Model to go on from, instead of an encoder.")
@click.option("--split", help="auto, random, published, spatial, or a split file.")
@click.option("-o", "--output", type=click.Path(path_type=Path), help="Run folder; default runs/DATE.")
@click.option("--epochs", type=int, help="How often each picture's ground is seen.")
@click.option("--minutes", type=float, help="Wall time of the training, instead of epochs.")
@click.option("--set", "settings", multiple=True, help="train.PARAMETER=VALUE, model.…, chip.…, tile.….")
@click.option("--resume", is_flag=True, help="Go on with the run in the output folder.")
@click.option("-q", "--quiet", is_flag=True, help="No progress.")
def train(
    dataset: str | None,
    recipe_name: str | None,
    init: str,
    split: str | None,
    output: Path | None,
    epochs: int | None,
    minutes: float | None,
    settings: tuple[str, ...],
    resume: bool,
    quiet: bool,
) -> None:
    """Train a model on DATASET (default: the data sets that the recipe names)."""
    from georoads.jobs.progress import progress
    from georoads.jobs.settings import parse_assignments
    from georoads.training.loop import prepare
    from georoads.training.loop import train as train_model
    from georoads.training.recipe import load_recipe, with_dataset

    rooms = parse_assignments(settings)
    given = {"epochs": epochs, "minutes": minutes}
    rooms["train"] = rooms.get("train", {}) | {k: v for k, v in given.items() if v is not None}
    if epochs is not None:
        rooms["train"] = {"steps": None} | rooms["train"]  # else a recipe's steps would rule
    recipe = load_recipe(recipe_name or ("finetune" if init else "deepglobe"), rooms, init)
    if dataset or split:
        recipe = with_dataset(recipe, dataset or recipe.data[0].path, split)
    folder = output or Path("runs") / time.strftime("%Y-%m-%d-%H%M%S")
    timed = recipe.train.minutes is not None
    total = (recipe.train.minutes or 0) * 60 if timed else float(prepare(recipe).total_steps or 1)
    with progress("train", total, "s" if timed else "steps", quiet=quiet) as on_progress:
        card = train_model(
            recipe,
            folder,
            resume=resume,
            command="georoads " + " ".join(sys.argv[1:]),
            on_progress=on_progress,
            on_epoch=lambda e: click.echo(f"epoch {e.epoch}: val road IoU {e.val_iou:.4f}"),
        )
    click.echo(f"{folder}/best.safetensors: val road IoU {card.metrics['val']['road_iou']}")
