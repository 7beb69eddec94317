"""Where a model is wrong on the ground that it learns from: chips are cut there more often.

Mining hard examples is as old as detection (K.-K. Sung, MIT 1996; A. Shrivastava et al., CVPR 2016). Masks of
roads are wrong themselves, mostly by roads that they lack: places where the model is sure of a road that the
mask does not know are left out, or it would unlearn what it is right in.
"""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from georoads.data.chip import Chip
from georoads.errors import GeoroadsError
from georoads.levels import FULL

CELL_PX = 128
"""Wrong pixels of such a square of the picture are one place."""
LEAST_PX = 60
"""Of fewer wrong pixels none is made."""
SLACK_PX = 4
"""A pixel is wrong where the other mask has no road so near: edges of masks are nobody's truth."""
MOST = 0.5
"""A missed road that fills more of such a square is no road: an area was labelled, or another place."""
SURE = 0.93
"""False roads of a higher mean p are taken for roads that the mask lacks."""
KINDS = "missed", "false"


@dataclass(frozen=True)
class Wrong:
    """A place where a model is wrong.

    Attributes:
        row, col: of its middle, pixels of the sample's file.
        kind: one of KINDS: a road that the model misses, or one that is none.
        pixels: how many are wrong there, at the model's pixel size.
    """

    row: float
    col: float
    kind: str
    pixels: int


@dataclass(frozen=True)
class HardPlaces:
    """Places of a data set to cut chips around.

    Attributes:
        places: number of the sample, and row and column in its file.
        ends: sums of the places' weights up to each; the last is that of all.
    """

    places: tuple[tuple[int, float, float], ...]
    ends: tuple[float, ...]

    def draw(self, rng: np.random.Generator) -> tuple[int, tuple[float, float]]:
        """A place by its weight: sample, and (row, column)."""
        at = min(len(self.places) - 1, bisect_right(self.ends, rng.uniform(0, self.ends[-1])))
        sample, row, col = self.places[at]
        return sample, (row, col)


def wrong_places(picture: Chip, levels: NDArray[np.uint8], level: int, scale: float = 1.0) -> list[Wrong]:
    """Where a prediction is wrong, in reading order.

    Args:
        picture: (H, W) truth and validity.
        levels: (H, W) uint8, round(254 p).
        level: from which a pixel is road.
        scale: pixels of ``levels`` per pixel of the sample's file.
    """
    road, ours = picture.road & picture.valid, (levels >= level) & picture.valid
    found = []
    for kind, wrong in (("missed", road & ~_near(ours)), ("false", ours & ~_near(road) & picture.valid)):
        rows, cols = np.nonzero(wrong)
        across = levels.shape[1] // CELL_PX + 1
        cells, cell_of, counts = np.unique(
            rows // CELL_PX * across + cols // CELL_PX, return_inverse=True, return_counts=True
        )
        means = [
            np.bincount(cell_of, weights=values, minlength=len(cells)) / np.maximum(counts, 1)
            for values in (rows + 0.5, cols + 0.5, levels[rows, cols] / FULL)
        ]
        for row, col, p, pixels in zip(*means, counts, strict=True):
            is_label = p > SURE if kind == "false" else pixels > MOST * CELL_PX**2
            if pixels >= LEAST_PX and not is_label:
                found.append(Wrong(float(row / scale), float(col / scale), kind, int(pixels)))
    return sorted(found, key=lambda place: (place.row, place.col))


def _near(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which pixels have one of the mask within SLACK_PX."""
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * SLACK_PX + 1,) * 2)
    return cv2.dilate(mask.astype(np.uint8), disc) > 0


def write_hard_places(path: Path, model: str, places: Mapping[str, Mapping[str, Sequence[Wrong]]]) -> None:
    """Write places as JSON.

    Args:
        path: of the file; replaced.
        model: whose they are.
        places: by path of the data set, as the recipe names it, and name of the sample.
    """
    content = {
        data: {
            name: [[round(p.row, 1), round(p.col, 1), p.kind, p.pixels] for p in of_sample]
            for name, of_sample in samples.items()
            if of_sample
        }
        for data, samples in places.items()
    }
    path.write_text(json.dumps({"model": model, "places": content}), encoding="utf-8")


def read_hard_places(
    path: Path, sources: Sequence[tuple[str, Sequence[str]]]
) -> tuple[HardPlaces | None, ...]:
    """Places for the data sets of a training, in their order; None for those without.

    A place weighs as the root of its wrong pixels, and both kinds weigh the same in a data set.

    Args:
        path: JSON as ``write_hard_places`` writes it.
        sources: path of each data set, as the recipe names it, and the names of the samples learned from, in
            their order; other places are left out.

    Raises:
        GeoroadsError: the file cannot be read, is none, or has no place of these data sets.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))["places"]
        found = tuple(_weighed(content.get(data, {}), samples) for data, samples in sources)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as e:
        raise GeoroadsError(
            f"train.hard: {path} holds no hard places: {e}", "make it by benchmarks/hard_places.py"
        ) from e
    if not any(found):
        raise GeoroadsError(
            f"train.hard: {path} has no place of these data sets",
            "make it with this recipe, by benchmarks/hard_places.py, or leave train.hard out",
        )
    return found


def _weighed(content: Mapping[str, Sequence[Any]], samples: Sequence[str]) -> HardPlaces | None:
    found = [
        (kind, (i, float(row), float(col)), float(pixels) ** 0.5)
        for i, sample in enumerate(samples)
        for row, col, kind, pixels in content.get(sample, [])
    ]
    totals = {kind: sum(weight for k, _, weight in found if k == kind) for kind in {k for k, _, _ in found}}
    return (
        HardPlaces(
            tuple(place for _, place, _ in found),
            tuple(accumulate(weight / totals[kind] for kind, _, weight in found)),
        )
        if found
        else None
    )
