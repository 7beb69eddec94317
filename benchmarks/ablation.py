"""What each part of a training is worth: one training per row, one thing changed, equal numbers of steps.

    python benchmarks/ablation.py deepglobe -o runs/ablation

Rows that are finished are not trained again, so it can be stopped and started. Prints the table when all are
there.
"""

from __future__ import annotations

import csv
import subprocess
import sys
from pathlib import Path

import click

RECIPE = Path(__file__).with_suffix(".toml")

ROWS: dict[str, tuple[str, ...]] = {
    "base: Dice + BCE, EMA, full augmentation, scales, road-centred chips, cosine, ImageNet": (),
    "base, seed 43": ("train.seed=43",),
    "base, seed 44": ("train.seed=44",),
    "encoder from random weights": ("model.encoder_weights=none",),
    "flips only": ("train.augmentation=flips",),
    "no augmentation": ("train.augmentation=none",),
    "one scale": ("chip.scale=1.0",),
    "chips anywhere": ("chip.road_centred=0.0",),
    "BCE alone": ("train.dice=0.0",),
    "Dice alone": ("train.dice=1.0",),
    "no EMA": ("train.ema=0.0",),
    "constant rate": ("train.schedule=constant",),
    "with soft-clDice, weight 0.3": ("train.cldice=0.3",),
}


@click.command()
@click.argument("dataset")
@click.option("-o", "--output", type=click.Path(path_type=Path), default=Path("runs/ablation"))
def main(dataset: str, output: Path) -> None:
    output.mkdir(parents=True, exist_ok=True)
    for number, (row, settings) in enumerate(ROWS.items()):
        folder = output / f"{number:02d}"
        if not (folder / "last.json").is_file():
            click.echo(row)
            train_row(dataset, settings, folder)
    click.echo(markdown_table(output))


def train_row(dataset: str, settings: tuple[str, ...], folder: Path) -> None:
    """Train one row; a row that was broken off goes on."""
    command = [sys.executable, "-m", "georoads", "train", dataset]
    command += ["--recipe", str(RECIPE), "-q", "-o", str(folder)]
    command += [part for setting in settings for part in ("--set", setting)]
    if (folder / "recipe.json").is_file():
        command.append("--resume")
    with (folder.parent / f"{folder.name}.log").open("a") as log:
        subprocess.run(command, check=True, stdout=log, stderr=log)


def markdown_table(output: Path) -> str:
    """Markdown: the row, its road IoU, and what it is from the mean of the base's seeds."""
    reached = []
    for number, row in enumerate(ROWS):
        if not (output / f"{number:02d}" / "history.csv").is_file():
            continue
        with (output / f"{number:02d}" / "history.csv").open(newline="") as f:
            last = list(csv.DictReader(f))[-1]
        reached.append((row, float(last["val_iou"]), float(last["val_precision"]), float(last["val_recall"])))
    base = [iou for row, iou, _, _ in reached if row.startswith("base")]
    mean = sum(base) / len(base)
    lines = [
        "| one thing changed | road IoU | from the base's mean | precision | recall |",
        "|---|---|---|---|---|",
    ]
    lines += [f"| {row} | {iou:.3f} | {iou - mean:+.3f} | {p:.3f} | {r:.3f} |" for row, iou, p, r in reached]
    return "\n".join(lines)


if __name__ == "__main__":
    main()
