"""Evaluating the best model of a training once more, whole, when the training is over."""

from __future__ import annotations

from pathlib import Path

from georoads.evaluation.evaluate import EvaluateParams, Evaluation, evaluate_samples
from georoads.inference.torch_runtime import TorchRuntime
from georoads.model.checkpoint import find_checkpoint, load_network
from georoads.training.prepare import PreparedTraining
from georoads.training.recipe import Recipe


def evaluate_best(recipe: Recipe, prepared: PreparedTraining, folder: Path) -> tuple[str, Evaluation]:
    """Evaluate the best model of a run folder, on test where the split has one, else on val.

    The best model was chosen on val: its figures there flatter it a little.

    Args:
        recipe: of the training.
        prepared: its data, device and precision.
        folder: its run folder, which holds ``best.json``.

    Returns:
        The name of the subset, and what the model reaches on it.
    """
    subset = "test" if prepared.split.test else "val"
    best = find_checkpoint(str(folder / "best.json"))
    runtime = TorchRuntime(load_network(best), prepared.processes.device, prepared.precision)
    params = EvaluateParams(subset, recipe.data[0].white_is_nodata)
    return subset, evaluate_samples(prepared.split.subset(subset), best.card, runtime, params)
