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

from georoads.data.picture_cache import read_picture
from georoads.evaluation.evaluate import predict_samples
from georoads.inference.select import PredictParams, open_runtime
from georoads.model.checkpoint import find_checkpoint
from georoads.training.prepare import prepare
from georoads.training.recipe import load_recipe
from georoads.training.teacher import Teacher, read_teacher, write_levels, write_teacher


def teacher_in(folder: Path, model_name: str) -> Teacher:
    """The teacher of a folder, which is made where it is not there; two are not mixed."""
    model = find_checkpoint(model_name)
    if not folder.exists():
        write_teacher(folder, model)
    found = read_teacher(folder)
    if found.sha256 != model.sha256:
        raise SystemExit(f"{folder} is of {found.name}: name another folder")
    return found


def main() -> None:
    """Predict, keep."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--recipe", required=True)
    parser.add_argument("--model", default="default")
    parser.add_argument("--data", nargs="+", help="of the recipe's data sets, these alone")
    parser.add_argument("--plain", action="store_true", help="one look instead of eight")
    parser.add_argument("-o", "--output", type=Path, required=True)
    args = parser.parse_args()
    model, teacher = find_checkpoint(args.model), teacher_in(args.output, args.model)
    runtime = open_runtime(model, PredictParams(tta=not args.plain))
    for source in prepare(load_recipe(args.recipe)).chips.sources:
        path, white = source.source.path, source.source.white_is_nodata
        if args.data and path not in args.data:
            continue
        for sample in source.samples:
            height, width = read_picture(sample, white).road.shape
            if teacher.levels(path, sample.name, (height, width)) is not None:
                continue
            (found,) = predict_samples([sample], model.card, runtime, white)
            levels = cv2.resize(found.levels, (width, height), interpolation=cv2.INTER_AREA)
            write_levels(args.output, path, sample.name, np.asarray(levels, dtype=np.uint8))
        print(path, len(source.samples), flush=True)


if __name__ == "__main__":
    main()
