"""What the masks of a subset say together: how much is road, and whether road is written as road at all.

A single mask without a road is no fault, and a JPEG has grey levels of its own. But where a whole subset has
levels and none of road, its masks mean road in another way, and a model would learn that there is none.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from georoads.data.chip import resample_picture
from georoads.data.dataset import Sample
from georoads.data.picture_cache import read_picture
from georoads.data.pictures import ROAD_LEVEL, read_levels
from georoads.errors import DatasetError

QUICK = 200
"""Before a training so many masks of a subset are looked at, and all of them where these show no road."""
_REWRITE = (
    "write road as 255 and all else as 0, as this does on a copy: python -c 'import cv2, sys; "
    "[cv2.imwrite(f, cv2.imread(f, 0).clip(0, 1) * 255) for f in sys.argv[1:]]' masks/*"
)


@dataclass(frozen=True)
class MaskSurvey:
    """What masks hold.

    Attributes:
        levels: (256,) int64, pixels by grey level.
        faint: files that have levels above 0, but none of road.
    """

    levels: NDArray[np.int64]
    faint: tuple[Path, ...]

    @property
    def road_share(self) -> float:
        """Share of the pixels that are road, 0..1."""
        return float(self.levels[ROAD_LEVEL:].sum() / max(1, self.levels.sum()))


def survey_masks(samples: Sequence[Sample], what: str, most: int | None = None) -> MaskSurvey:
    """Look at the masks of a subset, and at those in ``valid/``.

    Args:
        samples: of the subset.
        what: the subset, for messages.
        most: look at so many, evenly spread, and at all where these show no road; None: at all.

    Raises:
        DatasetError: for a file that cannot be read, or where no level is that of road (or of valid ground).
    """
    _survey([s.valid for s in samples if s.valid], f"{what}, valid", most)
    return _survey([s.mask for s in samples], what, most)


def describe_doubts(survey: MaskSurvey, what: str) -> tuple[str, ...]:
    """What a user should look at before a training: no road, more than half road, masks without its levels.

    Args:
        survey: of the masks of a subset.
        what: the subset.
    """
    share, doubts = survey.road_share, []
    if not share:
        doubts.append(f"{what}: no pixel of its masks is road")
    if share > 0.5:
        doubts.append(f"{what}: {share:.0%} of the pixels are road; road is white: are the masks inverted?")
    if survey.faint:
        names = ", ".join(file.name for file in survey.faint[:5])
        doubts.append(
            f"{what}: {len(survey.faint)} masks have grey levels, but none from {ROAD_LEVEL} on, so no road: "
            f"{names}"
        )
    return tuple(doubts)


def shows_road(samples: Iterable[Sample], gsd_m: float, white_is_nodata: bool = False) -> bool:
    """Whether valid ground of any of the pictures is road, at the pixel size of a model.

    Args:
        samples: are read until one shows a road.
        gsd_m: metres per pixel.
        white_is_nodata: white pixels are not valid.
    """
    pictures = (resample_picture(read_picture(s, white_is_nodata), s.gsd_m, gsd_m) for s in samples)
    return any((picture.road & picture.valid).any() for picture in pictures)


def _survey(files: Sequence[Path], what: str, most: int | None) -> MaskSurvey:
    few = files
    if most is not None and len(files) > most:
        few = [files[round(at)] for at in np.linspace(0, len(files) - 1, most).tolist()]
    survey = _count(few)
    if not survey.road_share and len(few) < len(files):
        survey = _count(files)
    if survey.faint and not survey.road_share:
        raise DatasetError(
            f"{what}: the masks have the grey levels {_describe_levels(survey)} and none from {ROAD_LEVEL} "
            f"on, where road begins, as {survey.faint[0]}",
            _REWRITE,
        )
    return survey


def _count(files: Sequence[Path]) -> MaskSurvey:
    with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:  # OpenCV decodes without Python's lock
        counts = list(pool.map(_count_levels, files))
    total = np.zeros(256, dtype=np.int64)
    for count in counts:
        total += count
    faint = (f for f, c in zip(files, counts, strict=True) if c[1:].any() and not c[ROAD_LEVEL:].any())
    return MaskSurvey(total, tuple(faint))


def _count_levels(file: Path) -> NDArray[np.int64]:
    return np.bincount(read_levels(file).ravel(), minlength=256).astype(np.int64)


def _describe_levels(survey: MaskSurvey) -> str:
    found = np.flatnonzero(survey.levels).tolist()
    return ", ".join(map(str, found)) if len(found) <= 6 else f"{found[0]} to {found[-1]}"
