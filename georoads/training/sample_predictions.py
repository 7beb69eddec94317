"""Pictures of what a model sees: picture, truth, prediction, and the probability as a heat map."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from georoads.data.dataset import Sample
from georoads.data.pictures import read_image
from georoads.evaluation.evaluate import predict_samples
from georoads.inference.runtime import Runtime
from georoads.levels import FULL, threshold_level
from georoads.model.card import ModelCard


def draw_sample_predictions(
    samples: Sequence[Sample], card: ModelCard, runtime: Runtime, folder: Path
) -> None:
    """Write ``sample_pred_{i}.png`` for each sample, i from 0.

    The folder then holds pictures of the data set: its terms apply to them.

    Args:
        samples: to be predicted.
        card: of the model.
        runtime: with its weights.
        folder: made where it is missing.
    """
    from matplotlib.figure import Figure

    folder.mkdir(parents=True, exist_ok=True)
    predictions = predict_samples(samples, card, runtime)
    for i, (sample, found) in enumerate(zip(samples, predictions, strict=True)):
        levels = found.levels
        panels = (
            ("picture", read_image(sample), None),
            ("truth", found.picture.road, "gray"),
            (f"prediction, p ≥ {card.threshold:.2f}", levels >= threshold_level(card.threshold), "gray"),
            ("probability of road", levels, "magma"),
        )
        figure = Figure(figsize=(16, 4.3), layout="constrained")
        for axes, (title, picture, colours) in zip(figure.subplots(1, 4), panels, strict=True):
            axes.imshow(picture, cmap=colours, vmin=0, vmax=FULL if colours == "magma" else None)
            axes.set_title(title)
            axes.set_axis_off()
        figure.suptitle(sample.name)
        figure.savefig(folder / f"sample_pred_{i}.png", dpi=80)
