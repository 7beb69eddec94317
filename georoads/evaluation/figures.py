"""The two figures of an evaluation, as PNG files in memory."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from georoads.evaluation.evaluate import Evaluation

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, BLUE, ORANGE, PALE = "#1f2933", "#1f6fb2", "#d9660a", "#b8c2cc"


def draw_curve(found: Evaluation) -> bytes:
    """Precision over recall, strict and relaxed, over lines of equal IoU, with the thresholds marked."""
    figure, (axes,) = _make_figure(1)
    _draw_iou_lines(axes)
    axes.plot(
        found.relaxed_curve.recall, found.relaxed_curve.precision, color=BLUE, linestyle=(0, (4, 2)),
        linewidth=1.4, label="within the slack (relaxed)",
    )  # fmt: skip
    axes.plot(found.curve.recall, found.curve.precision, color=BLUE, linewidth=2.2, label="pixel by pixel")
    at, best = found.at_threshold, found.best
    axes.plot(
        at.recall, at.precision, "o", color=ORANGE, markersize=8,
        label=f"the model's threshold, {at.threshold:.3f}",
    )  # fmt: skip
    if best is not None:
        axes.plot(
            best.recall, best.precision, "o", markerfacecolor="none", markeredgecolor=INK, markersize=13,
            label=f"best threshold here, {best.threshold:.3f}",
        )  # fmt: skip
    axes.set(xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.01))
    axes.legend(loc="lower left", fontsize=9, framealpha=0.95)
    return _encode_png(figure)


def draw_calibration(found: Evaluation) -> bytes:
    """Share of road over mean p in ten bins; below, how many pixels each bin has."""
    figure, (top, bottom) = _make_figure(3, 1)
    filled = [b for b in found.bins if b.pixels]
    top.plot([0, 1], [0, 1], color=PALE, linewidth=1.4, label="right as often as it says")
    top.plot(
        [b.mean_p for b in filled], [b.road_share for b in filled], "o-", color=BLUE, linewidth=2,
        markersize=6, label=f"the model (expected calibration error {found.ece:.4f})",
    )  # fmt: skip
    top.set(ylabel="share that is road", xlim=(0, 1), ylim=(0, 1.01))
    top.legend(loc="upper left", fontsize=9, framealpha=0.95)
    middles = [(b.low + b.high) / 2 for b in filled]
    bottom.bar(middles, [b.pixels for b in filled], width=0.09, color=PALE)
    bottom.set_yscale("log")
    bottom.set(xlabel="p (road)", ylabel="pixels")
    return _encode_png(figure)


def _draw_iou_lines(axes: Axes) -> None:
    """Lines of equal IoU: 1/P + 1/R = 1 + 1/IoU."""
    for iou in (0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9):
        precision = np.linspace(iou, 1, 200)
        recall = 1 / (1 + 1 / iou - 1 / precision)
        axes.plot(recall, precision, color=PALE, linewidth=0.8, zorder=0)
        axes.annotate(
            f"IoU {iou:.1f}" if iou == 0.2 else f"{iou:.1f}", (recall[-1], 1.0), xytext=(0, 3), fontsize=8,
            textcoords="offset points", ha="center", color="#66727f", annotation_clip=False,
        )  # fmt: skip


def _make_figure(*heights: int) -> tuple[Figure, list[Axes]]:
    """A figure with one axes below another, as high as is said in proportion."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6.4, 5.2), layout="constrained", facecolor="white")
    column = figure.subplots(len(heights), sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for axes in column:
        axes.grid(color="#e6eaee", linewidth=0.8)
        axes.set_axisbelow(True)
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(colors=INK, labelsize=9)
    return figure, list(column)


def _encode_png(figure: Figure) -> bytes:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=140, metadata={"Software": None})
    return buffer.getvalue()
