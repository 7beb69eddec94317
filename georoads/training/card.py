"""The card of a model in training."""

from __future__ import annotations

from dataclasses import asdict
from importlib import metadata
from typing import Any

from georoads import __version__
from georoads.data.split import Split
from georoads.model.card import ModelCard
from georoads.model.checkpoint import find_checkpoint
from georoads.model.config import input_normalization
from georoads.training.recipe import Recipe
from georoads.training.teacher import Teacher


def training_card(
    recipe: Recipe,
    split: Split,
    threshold: float,
    epoch: dict[str, Any] | None = None,
    command: str = "",
    teacher: Teacher | None = None,
) -> ModelCard:
    """What is known of a model while it is trained.

    Args:
        recipe: of the training.
        split: of its first data set.
        threshold: p at which the validation subset's road IoU was best.
        epoch: line of the history, which becomes the val metrics.
        command: what the user typed.
        teacher: whose p stood beside the masks.
    """
    mean, std = input_normalization(recipe.model.encoder)
    # What a model was made from, or taught by, still binds it.
    base = find_checkpoint(recipe.init) if recipe.init else None
    bound_by = [base.card.terms if base else "", teacher.terms if teacher else ""]
    terms = [term for each in bound_by for term in each.split("; ")] + [d.terms for d in recipe.data]
    metrics: dict[str, Any] = {}
    if epoch:
        metrics["val"] = {
            "what": "road class, pixels pooled over the subset's pictures, at the threshold best on them",
            "pictures": len(split.val),
            "road_iou": round(epoch["val_iou"], 4),
            "precision": round(epoch["val_precision"], 4),
            "recall": round(epoch["val_recall"], 4),
            "threshold": epoch["val_threshold"],
            "epoch": epoch["epoch"],
            "step": epoch["step"],
        }
    return ModelCard(
        name=recipe.name,
        model=recipe.model,
        mean=mean,
        std=std,
        gsd_m=recipe.chip.gsd_m,
        tile_px=recipe.tile.tile_px,
        overlap_px=recipe.tile.overlap_px,
        threshold=threshold,
        terms="; ".join(dict.fromkeys(t for t in terms if t)),
        data=(base.card.data if base else ())
        + tuple({k: v for k, v in asdict(d).items() if v not in (None, "")} for d in recipe.data),
        split_sha256=split.sha256,
        metrics=metrics,
        command=command,
        versions={"georoads": __version__}
        | {n: metadata.version(n) for n in ("torch", "segmentation-models-pytorch")},
        extra=({"fine_tuned_from": {"name": base.card.name, "sha256": base.sha256}} if base else {})
        | ({"taught_by": {"name": teacher.name, "sha256": teacher.sha256}} if teacher else {}),
    )
