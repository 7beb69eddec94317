"""What the training loop costs over its bare forward and backward pass, on the same shapes.

    python benchmarks/training_speed.py deepglobe [--recipe lite2-mix] [--steps 12] [--rounds 3]

Each round times the bare loop (one batch that lies in memory; forward, loss, backward, optimizer) and the
whole one (chips cut and augmented by workers, moving average, figures), in turn; medians of the rounds, and
their ratio.
"""

from __future__ import annotations

import dataclasses
import statistics
import tempfile
import time
from pathlib import Path

import click
import torch

from georoads.training.chip_loader import ChipRequest
from georoads.training.loop import forward, train
from georoads.training.loss import road_loss
from georoads.training.prepare import build_networks, prepare
from georoads.training.recipe import Recipe, compose_recipe
from georoads.training.run_folder import read_history


@click.command()
@click.argument("dataset")
@click.option("--recipe", "name", default="lite2-mix")
@click.option("--steps", default=12)
@click.option("--rounds", default=3)
@click.option("--cache", default="", help="Folder of decoded pictures.")
def main(dataset: str, name: str, steps: int, rounds: int, cache: str) -> None:
    recipe = compose_recipe(
        dataset, recipe=name, steps=steps + 3, validate_every=10_000, samples=0, cache=cache,
        overrides={"train": {"minutes": None}},
    )  # fmt: skip
    recipe = dataclasses.replace(recipe, data=recipe.data[:1])
    bare_s, whole_s, waited = [], [], []
    for _ in range(rounds):
        bare_s.append(bare(recipe, steps))
        seconds, share = whole(recipe, steps)
        whole_s.append(seconds)
        waited.append(share)
    one, other = statistics.median(bare_s), statistics.median(whole_s)
    click.echo(
        f"bare {one:.2f} s a step, whole {other:.2f} s: {one / other:.3f} of the bare loop's speed; "
        f"{statistics.median(waited):.1%} of the time waiting for chips"
    )


def bare(recipe: Recipe, steps: int) -> float:
    """Seconds of a step on one batch in memory; the first three do not count."""
    prepared = prepare(recipe)
    state = build_networks(recipe, prepared.processes.device)
    chips = [prepared.chips[ChipRequest(n, 0.0)] for n in range(recipe.train.batch)]
    image, road, valid = (torch.stack(layer) for layer in zip(*chips, strict=True))
    start = 0.0
    for step in range(steps + 3):
        if step == 3:
            start = time.perf_counter()
        logits = forward(state.network, image, prepared.precision)
        loss = road_loss(logits, road, valid, recipe.train.dice)
        state.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        state.optimizer.step()
    return (time.perf_counter() - start) / steps


def whole(recipe: Recipe, steps: int) -> tuple[float, float]:
    """The same of georoads' loop; and the share of the time in which it waited for chips."""
    times: list[float] = []
    prepared = prepare(recipe)
    # It validates once, after the last step that counts, on one picture.
    split = dataclasses.replace(prepared.split, val=prepared.split.val[:1])
    prepared = dataclasses.replace(prepared, split=split)
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"

        def note_time(done: float, note: str = "") -> None:
            times.append(time.perf_counter())

        train(recipe, run, prepared=prepared, on_progress=note_time)
        return (times[-1] - times[2]) / steps, read_history(run)[0].waited


if __name__ == "__main__":
    main()
