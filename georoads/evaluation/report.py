"""Writing an evaluation: the metrics as JSON, a table of the tiles, two figures and the report."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from georoads.errors import GeoroadsError
from georoads.evaluation.evaluate import EvaluateParams, Evaluation, TileScore
from georoads.evaluation.figures import draw_calibration, draw_curve
from georoads.evaluation.gallery import Gallery
from georoads.evaluation.page import Pictures, render_page
from georoads.files.atomic import check_output, replace_when_complete
from georoads.model.card import ModelCard
from georoads.text import printable

FILES = ("pr_curve.png", "calibration.png", "tiles.csv", "metrics.json", "report.html")
"""What a report folder holds; report.html needs none of the others."""
TILE_COLUMNS = (
    "name", "valid_pixels", "road_share", "iou", "precision", "recall", "f1", "relaxed_precision",
    "relaxed_recall", "relaxed_f1", "cldice_precision", "cldice_sensitivity", "cldice",
)  # fmt: skip


@dataclass(frozen=True)
class About:
    """What was evaluated, and how.

    Attributes:
        dataset: folder, as the user named it.
        split: how the subset was told apart, and the split's sha256.
        card: of the model.
        runtime: name, device and precision.
        seconds_per_tile: wall time, reading and counting included.
        params: how it was judged.
    """

    dataset: str
    split: str
    card: ModelCard
    runtime: str
    seconds_per_tile: float
    params: EvaluateParams


def metrics(found: Evaluation, about: About) -> dict[str, Any]:
    """All figures by name, for JSON; of the road class and pooled, where the name says nothing else."""
    at, relaxed, cldice = found.at_threshold, found.relaxed, found.cldice
    return {
        "road_iou": at.iou,
        "threshold": about.card.threshold,
        "subset": about.params.subset,
        "tiles": len(found.tiles),
        "interval": found.interval,
        "precision": at.precision,
        "recall": at.recall,
        "f1": at.f1,
        "at_threshold": dataclasses.asdict(at),
        "best": found.best and dataclasses.asdict(found.best) | {"threshold": found.best.threshold},
        "mean_tile_iou": found.mean_tile_iou,
        "average_precision": found.average_precision,
        "relaxed_precision": relaxed.precision,
        "relaxed_recall": relaxed.recall,
        "relaxed_f1": relaxed.f1,
        "relaxed_breakeven": found.relaxed_breakeven,
        "cldice": cldice.cldice,
        "cldice_precision": cldice.precision,
        "cldice_sensitivity": cldice.sensitivity,
        "slack_px": about.params.slack_px,
        "pooled_two_class_iou": found.two_class_iou,
        "all_background_iou": found.all_background_iou,
        "mean_dice_loss": found.dice_loss,
        "all_background_dice_loss": found.all_background_dice_loss,
        "ece": found.ece,
        "reliability": [dataclasses.asdict(b) for b in found.bins],
        "temperature": found.temperature and dataclasses.asdict(found.temperature),
        "dataset": printable(about.dataset),
        "split": about.split,
        "model": about.card.name,
        "white_is_nodata": about.params.white_is_nodata,
        "runtime": about.runtime,
        "seconds_per_tile": about.seconds_per_tile,
        "per_tile": {printable(t.name): t.score.iou for t in found.tiles if t.pixels},
    }


def files_of_report(folder: Path | None) -> tuple[Path, ...]:
    """What ``write_report`` writes; nothing where no report is wanted."""
    return () if folder is None else tuple(folder / name for name in FILES)


def check_report(folder: Path, *, overwrite: bool = False) -> None:
    """Refuse a report folder before any work is done for it.

    Raises:
        GeoroadsError: it cannot be made or written to, or holds a report and may not be overwritten.
    """
    if not folder.exists():
        check_output(folder)
    elif not folder.is_dir():
        raise GeoroadsError(f"{printable(folder)} is not a folder", "name a folder for the report")
    else:
        for name in FILES:
            check_output(folder / name, overwrite=overwrite)


def write_report(
    folder: Path, found: Evaluation, about: About, gallery: Gallery, *, overwrite: bool = False
) -> None:
    """Write the files of ``FILES`` to the folder; it is made where it is missing.

    report.html holds its figures and pictures itself and asks nothing of a network. It and the folder hold
    pictures of the data set: its terms apply to them.

    Args:
        folder: of the report.
        found: the evaluation.
        about: what was evaluated, and how.
        gallery: its worst and best pictures.
        overwrite: replace a report that the folder holds.

    Raises:
        GeoroadsError: as check_report.
    """
    check_report(folder, overwrite=overwrite)
    folder.mkdir(exist_ok=True)
    curve, calibration = draw_curve(found), draw_calibration(found)
    pictures = Pictures(curve, calibration, worst=gallery.worst, best=gallery.best)
    summary = metrics(found, about)
    contents = {
        "pr_curve.png": curve,
        "calibration.png": calibration,
        "tiles.csv": tile_table(found.tiles).encode(),
        "metrics.json": (json.dumps(summary, indent=1, allow_nan=False) + "\n").encode(),
        "report.html": render_page(found, about.card, summary, pictures).encode(),
    }
    for name in FILES:
        with replace_when_complete(folder / name, overwrite=overwrite) as part:
            part.write_bytes(contents[name])


def tile_table(tiles: tuple[TileScore, ...]) -> str:
    """CSV with one line a tile, in the data set's order; road class, at the card's threshold."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(TILE_COLUMNS)
    for tile in tiles:
        s, r, c = tile.score, tile.relaxed, tile.cldice
        values = (
            *(tile.road_share, s.iou, s.precision, s.recall, s.f1),
            *(r.precision, r.recall, r.f1, c.precision, c.sensitivity, c.cldice),
        )
        table.writerow([printable(tile.name), tile.pixels, *(f"{v:.6f}" for v in values)])
    return text.getvalue()
