"""Run by torchrun: train a tiny recipe on two processes, judge the best model together, write its counts."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np

from georoads.data.chip import ChipParams
from georoads.evaluation.evaluate import count_samples
from georoads.inference.torch_runtime import TorchRuntime
from georoads.model.checkpoint import find_checkpoint, load_network
from georoads.model.config import ModelConfig
from georoads.training.loop import prepare, train
from georoads.training.ranks import join_ranks
from georoads.training.recipe import DataSource, Recipe, TileParams, TrainParams


def tiny(data: Path) -> Recipe:
    return Recipe(
        "tiny",
        ModelConfig("Unet", "resnet18", options={"decoder_channels": [16, 8, 8, 8, 8]}),
        "none",
        "",
        ChipParams(64, 0.5, 1.0, 0.5),
        TrainParams(epochs=2, batch=2, lr=3e-3, augmentation="none", precision="fp32", workers=0, samples=0),
        TileParams(96, 32),
        (DataSource(str(data), gsd_m=0.5),),
    )


def counts_of(recipe: Recipe, folder: Path) -> list[list[int]]:
    """Level counts of the best model on val: each process judges its part, the sum is everybody's."""
    ranks = join_ranks()
    checkpoint = find_checkpoint(str(folder / "best.json"))
    val = prepare(recipe, ranks).split.val[ranks.rank :: ranks.world]
    runtime = TorchRuntime(load_network(checkpoint), "cpu", "fp32")
    total = np.zeros((2, 255), dtype=np.int64)
    for _, counts in count_samples(val, checkpoint.card, runtime):
        total += counts
    summed: list[list[int]] = ranks.total(total).tolist()
    return summed


if __name__ == "__main__":
    import torch
    from torch import distributed

    torch.set_num_threads(1)
    data, run, report = (Path(a) for a in sys.argv[1:4])
    here = join_ranks()
    recipe = tiny(data)
    train(recipe, run)
    distributed.barrier()
    found = counts_of(recipe, run)
    if here.is_first:
        report.write_text(json.dumps({"world": here.world, "counts": found}))
    here.leave()
