"""What a model sees on the ground that another learns from: makes the folder that ``train.teacher`` names.

    cd DATA; python benchmarks/teacher.py --recipe lite3-round --model MODEL -o FOLDER

The training pictures of the recipe's data sets, which are looked for from the current folder, are predicted,
each tile in its eight symmetries. A picture that the folder holds is passed over, so a run that was stopped
goes on.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from georoads.data.picture_cache import read_picture
from georoads.errors import GeoroadsError
from georoads.evaluation.evaluate import predict_samples
from georoads.inference.select import PredictParams, open_runtime
from georoads.model.checkpoint import find_checkpoint
from georoads.training.prepare import prepare
from georoads.training.recipe import load_recipe
from georoads.training.teacher import TaughtPictures, Teacher, begin_teacher


def is_seen(pictures: TaughtPictures, data: str, sample: str, shape: tuple[int, int]) -> bool:
    """Whether the folder holds a picture, whole and of this size."""
    try:
        return pictures.levels(data, sample, shape) is not None
    except GeoroadsError:
        return False


def resized(levels: NDArray[np.uint8], height: int, width: int) -> NDArray[np.uint8]:
    """Levels in the size of the sample's file."""
    how = cv2.INTER_AREA if height < levels.shape[0] else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(levels, (width, height), interpolation=how), dtype=np.uint8)


def main() -> None:
    """Predict, keep."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recipe", required=True)
    parser.add_argument("--model", default="default")
    parser.add_argument("--data", nargs="+", default=[], help="of the recipe's data sets, these alone")
    parser.add_argument("--plain", action="store_true", help="one look instead of eight")
    parser.add_argument("-o", "--output", type=Path, required=True)
    args = parser.parse_args()
    sources = prepare(load_recipe(args.recipe)).chips.sources
    unknown = set(args.data) - {each.source.path for each in sources}
    if unknown:
        raise SystemExit(f"--data: the recipe has no {', '.join(sorted(unknown))}")
    model = find_checkpoint(args.model)
    looks = 1 if args.plain else 8
    pictures = begin_teacher(args.output, Teacher(model.card.name, model.sha256, model.card.terms, looks))
    # Not what is fastest here: a run may go on on another machine.
    runtime = open_runtime(model, PredictParams(tta=not args.plain, precision="fp32"))
    for each in sources:
        path, white = each.source.path, each.source.white_is_nodata
        for sample in each.samples if path in (args.data or [path]) else ():
            height, width = read_picture(sample, white).road.shape
            if is_seen(pictures, path, sample.name, (height, width)):
                continue
            (found,) = predict_samples([sample], model.card, runtime, white)
            pictures.write(path, sample.name, resized(found.levels, height, width))
            print(f"{path}: {sample.name}", flush=True)


if __name__ == "__main__":
    main()
