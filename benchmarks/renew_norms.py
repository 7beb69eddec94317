"""The statistics of a model's batch norms, taken anew from chips of their own light, not that of a training.

    cd DATA; python benchmarks/renew_norms.py MODEL.json --recipe lite3-round --chips 600 -o FOLDER

A mean of models has no statistics of its own (P. Izmailov et al., "Averaging weights leads to wider optima
and better generalization", UAI 2018, take them anew), and those of a training are of augmented chips (Y. Wu
and J. Johnson, "Rethinking 'Batch' in BatchNorm", 2021). Here each norm's mean and variance become those over
chips of the recipe's mix as it is at the training's end, turned and mirrored only. The data sets are looked
for from the current folder.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterable
from contextlib import closing
from itertools import islice
from pathlib import Path

import torch
from torch import nn

from georoads.model.checkpoint import find_checkpoint, load_network, save_checkpoint
from georoads.training.chip_loader import ChipSampler, load_chips
from georoads.training.prepare import prepare
from georoads.training.recipe import load_recipe


@torch.no_grad()
def renew(network: nn.Module, batches: Iterable[torch.Tensor]) -> None:
    """Set the statistics of all batch norms to those over the batches, each of which counts the same.

    Args:
        network: in eval mode, also afterwards.
        batches: (N, 3, H, W) float32 input.
    """
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # then torch takes the plain mean
        norm.train()
    for batch in batches:
        network(batch.contiguous(memory_format=torch.channels_last))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
        norm.eval()


def main() -> None:
    """Look at chips, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model")
    parser.add_argument("--recipe", required=True)
    parser.add_argument("--chips", type=int, default=600)
    parser.add_argument("--batch", type=int, default=10)
    parser.add_argument("--name", help="of the new model; else as before")
    parser.add_argument("-o", "--output", type=Path, required=True)
    args = parser.parse_args()
    model, recipe = find_checkpoint(args.model), load_recipe(args.recipe)
    recipe = dataclasses.replace(
        recipe,
        chip=dataclasses.replace(recipe.chip, size_px=model.card.tile_px),
        train=dataclasses.replace(recipe.train, augmentation="flips"),
    )
    chips = ChipSampler(first=0, batch=args.batch, stride=args.batch, progress=lambda number: 1.0)
    network = load_network(model).eval()
    with closing(load_chips(prepare(recipe).chips, chips, recipe.train.workers)) as batches:
        renew(network, (image for image, _, _ in islice(batches, -(-args.chips // args.batch))))
    card = dataclasses.replace(model.card, name=args.name or model.card.name, metrics={})
    args.output.mkdir(parents=True, exist_ok=True)
    save_checkpoint(args.output, card.name, network.state_dict(), card)
    print(args.output / f"{card.name}.json")


if __name__ == "__main__":
    main()
