"""Where is a model wrong on the ground that it learns from? Writes the file that ``train.hard`` names.

    cd DATA; python benchmarks/hard_places.py --recipe lite3-round --model MODEL -o hard.json --sheet hard.jpg

The training pictures of all data sets of the recipe, which are looked for from the current folder, are
predicted. The sheet shows the places with the most wrong pixels of either kind, with the mask's road and the
model's: look at it before the places are trusted, since masks miss farm tracks.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from georoads.evaluation.evaluate import Prediction, predict_samples
from georoads.inference.select import PredictParams, open_runtime
from georoads.levels import threshold_level
from georoads.model.checkpoint import find_checkpoint
from georoads.training.hard_places import KINDS, Wrong, write_hard_places, wrong_places
from georoads.training.prepare import prepare
from georoads.training.recipe import load_recipe

HALF_PX = 112
OURS, TRUTH = (255, 130, 0), (0, 170, 255)


@dataclass(frozen=True)
class Cut:
    """A place as it is shown: wrong pixels, and a picture (2 HALF_PX, 2 HALF_PX, 3) uint8."""

    pixels: int
    picture: NDArray[np.uint8]


def cut_around(found: Prediction, place: Wrong, level: int) -> Cut:
    """The ground around a place, the outlines of the mask in blue and of the prediction in orange."""
    side = 2 * HALF_PX
    drawn = cv2.copyMakeBorder(found.picture.image, *(HALF_PX,) * 4, cv2.BORDER_CONSTANT)
    for mask, colour in ((found.picture.road, TRUTH), (found.levels >= level, OURS)):
        padded = cv2.copyMakeBorder(mask.astype(np.uint8), *(HALF_PX,) * 4, cv2.BORDER_CONSTANT)
        lines, _ = cv2.findContours(padded, cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(drawn, lines, -1, colour, 1)
    row, col = int(place.row * found.scale), int(place.col * found.scale)
    return Cut(place.pixels, np.asarray(drawn[row : row + side, col : col + side], dtype=np.uint8))


def draw_sheet(cuts: Sequence[Cut], path: Path, across: int = 8) -> None:
    """The cuts, the worst first, in rows of one picture."""
    pictures = [cut.picture for cut in cuts] + [np.zeros_like(cuts[0].picture)] * (-len(cuts) % across)
    rows = [np.hstack(pictures[i : i + across]) for i in range(0, len(pictures), across)]
    cv2.imwrite(str(path), cv2.cvtColor(np.vstack(rows), cv2.COLOR_RGB2BGR))


def main() -> None:
    """Predict, write, say how many."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recipe", required=True)
    parser.add_argument("--model", default="default")
    parser.add_argument("-o", "--output", type=Path, required=True)
    parser.add_argument("--sheet", type=Path)
    parser.add_argument("--shown", type=int, default=32, help="places of either kind on the sheet")
    args = parser.parse_args()
    model = find_checkpoint(args.model)
    runtime, level = open_runtime(model, PredictParams()), threshold_level(model.card.threshold)
    places: dict[str, dict[str, list[Wrong]]] = {}
    worst: dict[str, list[Cut]] = {kind: [] for kind in KINDS}
    for source in prepare(load_recipe(args.recipe)).chips.sources:
        of_source = places.setdefault(source.source.path, {})
        for found in predict_samples(
            source.samples, model.card, runtime, white_is_nodata=source.source.white_is_nodata
        ):
            of_source[found.name] = wrong_places(found.picture, found.levels, level, found.scale)
            for place in of_source[found.name] if args.sheet else ():
                kept = worst[place.kind]
                if len(kept) < args.shown or place.pixels > kept[-1].pixels:
                    kept.append(cut_around(found, place, level))
                    kept.sort(key=lambda cut: -cut.pixels)
                    del kept[args.shown :]
        counts = [sum(p.kind == kind for of in of_source.values() for p in of) for kind in KINDS]
        print(source.source.path, *(f"{n} {kind}" for n, kind in zip(counts, KINDS, strict=True)), flush=True)
    write_hard_places(args.output, model.card.name, places)
    if args.sheet and any(worst.values()):
        draw_sheet([cut for kind in KINDS for cut in worst[kind]], args.sheet)


if __name__ == "__main__":
    main()
