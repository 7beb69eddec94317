"""Judging the best model of a run once more, whole, when the training is over."""

from __future__ import annotations

from pathlib import Path

from georoads.evaluation.evaluate import EvaluateParams, Evaluation, evaluate_samples
from georoads.inference.torch_runtime import TorchRuntime
from georoads.model.checkpoint import find_checkpoint, load_network
from georoads.training.loop import Prepared
from georoads.training.recipe import Recipe


def judge_best(recipe: Recipe, p: Prepared, folder: Path) -> tuple[str, Evaluation]:
    """The subset judged (test where the split has one, else val) and what the run's best model reaches on it.

    The best model was chosen on val: its figures there flatter it a little.
    """
    subset = "test" if p.split.test else "val"
    best = find_checkpoint(str(folder / "best.json"))
    runtime = TorchRuntime(load_network(best), p.ranks.device, p.precision)
    params = EvaluateParams(subset, recipe.data[0].white_is_nodata)
    return subset, evaluate_samples(p.split.subset(subset), best.card, runtime, params)
