"""One model of several: the mean of their weights, which often judges better than each of them.

    python benchmarks/average_models.py START.json END.json --shares 0.5 0.5 --name roads-lite3 -o FOLDER

Models of the same network, best such as come one from the other by training (P. Izmailov et al., "Averaging
weights leads to wider optima and better generalization", UAI 2018; M. Wortsman et al., "Model soups", ICML
2022). Every tensor is averaged, the statistics of the batch norms too. The card is that of the last model,
with the terms of all.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Sequence
from pathlib import Path

import torch

from georoads.model.checkpoint import Checkpoint, find_checkpoint, load_network, save_checkpoint


def averaged(models: Sequence[Checkpoint], shares: Sequence[float]) -> dict[str, torch.Tensor]:
    """The mean of the models' tensors by shares that add up to 1; whole numbers are those of the last."""
    states = [load_network(model).state_dict() for model in models]
    mean = dict(states[-1])
    for name, tensor in mean.items():
        if tensor.is_floating_point():
            mean[name] = sum(share * state[name] for share, state in zip(shares, states, strict=True))
    return mean


def main() -> None:
    """Average, write."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="+")
    parser.add_argument("--shares", type=float, nargs="+", help="of each model; equal where not given")
    parser.add_argument("--name", required=True)
    parser.add_argument("-o", "--output", type=Path, required=True)
    args = parser.parse_args()
    models = [find_checkpoint(name) for name in args.models]
    shares = args.shares or [1 / len(models)] * len(models)
    if len(shares) != len(models) or abs(sum(shares) - 1) > 1e-6:
        raise SystemExit("--shares: one for each model, that add up to 1")
    cards = [model.card for model in models]
    terms = dict.fromkeys(term for card in cards for term in card.terms.split("; ") if term)
    card = dataclasses.replace(cards[-1], name=args.name, terms="; ".join(terms), metrics={})
    args.output.mkdir(parents=True, exist_ok=True)
    save_checkpoint(args.output, args.name, averaged(models, shares), card)
    print(args.output / f"{args.name}.json")


if __name__ == "__main__":
    main()
