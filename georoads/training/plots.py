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
    iou = [("validation, background and road pooled", [e.val_pooled_iou for e in history])] if pooled else []
    dice = [("validation, both channels", [e.val_pooled_dice_loss for e in history])] if pooled else []
    epochs = [e.epoch for e in history]
    _draw_lines(
        folder / "iou_score_plot.png",
        "IoU of the road class",
        epochs,
        [
            ("training chips, p ≥ 0.5", [e.train_iou for e in history]),
            ("validation", [e.val_iou for e in history]),
            *iou,
        ],
    )
    _draw_lines(
        folder / "dice_loss_plot.png",
        "Loss",
        epochs,
        [
            ("training chips (BCE and Dice)", [e.train_loss for e in history]),
            ("validation Dice loss, road", [e.val_dice_loss for e in history]),
            *dice,
        ],
    )


def _draw_lines(path: Path, what: str, epochs: list[int], lines: list[tuple[str, list[float]]]) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.subplots()
    for label, values in lines:
        axes.plot(epochs, values, marker="o", markersize=3, label=label)
    axes.set_xlabel("epoch")
    axes.set_ylabel(what)
    axes.grid(alpha=0.3)
    axes.legend()
    figure.savefig(path, dpi=120)
