"""Run by torchrun: train a tiny recipe on two processes, judge the best model together, write its counts."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

from small_training import small_recipe

from georoads.evaluation.evaluate import count_samples
from georoads.inference.torch_runtime import TorchRuntime
from georoads.model.checkpoint import find_checkpoint, load_network
from georoads.training.distributed import ProcessGroup, join_process_group
from georoads.training.loop import train
from georoads.training.prepare import prepare
from georoads.training.recipe import DataSource, Recipe


def tiny(data: Path) -> Recipe:
    return small_recipe(DataSource(str(data), gsd_m=0.5), epochs=2, batch=2, augmentation="none")


def counts_of(recipe: Recipe, folder: Path, processes: ProcessGroup) -> list[list[int]]:
    """Level counts of the best model on val: each process judges its part, the sum is everybody's."""
    checkpoint = find_checkpoint(str(folder / "best.json"))
    val = prepare(recipe, processes).split.val[processes.rank :: processes.world_size]
    runtime = TorchRuntime(load_network(checkpoint), checkpoint.card, "cpu", "fp32")
    counts = count_samples(val, checkpoint.card, runtime)
    summed: list[list[int]] = processes.sum_counts(counts).tolist()
    return summed


if __name__ == "__main__":
    import torch
    from torch import distributed

    torch.set_num_threads(1)
    data, run, report = (Path(a) for a in sys.argv[1:4])
    processes = join_process_group(os.environ)
    recipe = tiny(data)
    train(recipe, run, prepared=prepare(recipe, processes))
    distributed.barrier()
    found = counts_of(recipe, run, processes)
    if processes.is_first:
        report.write_text(json.dumps({"world": processes.world_size, "counts": found}))
    processes.leave()
