"""The two plots of a training: IoU and Dice loss by epoch."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from georoads.training.run_folder import Epoch


def draw_plots(history: Sequence[Epoch], folder: Path, *, pooled: bool = False) -> None:
    """Write ``iou_score_plot.png`` and ``dice_loss_plot.png`` to the folder.

    Args:
        history: the epochs, in order.
        folder: of the run.
        pooled: show also the figures of background and road pooled, as the DeepGlobe notebook plotted them.
    """
    iou = {"training chips, p ≥ 0.5": "train_iou", "validation": "val_iou"}
    loss = {"training chips (BCE and Dice)": "train_loss", "validation Dice loss, road": "val_dice_loss"}
    if pooled:
        iou["validation, background and road pooled"] = "val_pooled_iou"
        loss["validation, both channels"] = "val_pooled_dice_loss"
    _draw_lines(history, folder / "iou_score_plot.png", "IoU of the road class", iou)
    _draw_lines(history, folder / "dice_loss_plot.png", "Loss", loss)


def _draw_lines(history: Sequence[Epoch], path: Path, what: str, lines: dict[str, str]) -> None:
    """A figure of some figures of the epochs, whose names are given by their labels."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    for label, name in lines.items():
        values = [getattr(epoch, name) for epoch in history]
        axes.plot([epoch.epoch for epoch in history], values, marker="o", markersize=3, label=label)
    axes.set_xlabel("epoch")
    axes.set_ylabel(what)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=120)
