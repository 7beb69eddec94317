"""What a teacher sees on the training pictures: p that stands beside the masks as truth.

Knowledge distillation (G. Hinton, O. Vinyals, J. Dean, "Distilling the knowledge in a neural network", 2015).
The teacher may be the student itself, looking eight times: a model that averages the symmetries of each tile
judges better than in one look, and one look can learn it. Masks lack farm tracks and lie beside their roads;
where the teacher says otherwise, they count for less.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georoads.errors import GeoroadsError
from georoads.model.checkpoint import Checkpoint

_ABOUT = "teacher.json"


@dataclass(frozen=True)
class Teacher:
    """A folder of what a model sees, a file for each picture.

    Attributes:
        folder: holds it.
        name, sha256: of the model.
        terms: of the data that it learned from, which bind whoever learns from it.
    """

    folder: Path
    name: str
    sha256: str
    terms: str

    def levels(self, data: str, sample: str, shape: tuple[int, int]) -> NDArray[np.uint8] | None:
        """(H, W) uint8, round(254 p), of a sample; None where the teacher has not seen it.

        Args:
            data: path of the data set, as the recipe names it.
            sample: its name.
            shape: height and width of its file.

        Raises:
            GeoroadsError: the file is damaged, or of a picture of another size.
        """
        path = _path(self.folder, data, sample)
        if not path.is_file():
            return None
        try:
            found: Any = np.load(path, mmap_mode="r")
        except (OSError, ValueError, EOFError) as e:
            raise GeoroadsError(f"train.teacher: {path} cannot be read: {e}", _AGAIN) from e
        if found.shape != shape or found.dtype != np.uint8:
            raise GeoroadsError(
                f"train.teacher: {path} holds {found.dtype} of {found.shape}, the picture is {shape}", _AGAIN
            )
        return np.asarray(found)


_AGAIN = "make it again by benchmarks/teacher.py, or leave train.teacher out"


def read_teacher(folder: Path) -> Teacher:
    """The teacher whose folder it is.

    Raises:
        GeoroadsError: the folder is none of a teacher.
    """
    try:
        about = json.loads((folder / _ABOUT).read_text(encoding="utf-8"))
        return Teacher(folder, *(str(about[key]) for key in ("name", "sha256", "terms")))
    except (OSError, ValueError, KeyError, TypeError) as e:
        raise GeoroadsError(f"train.teacher: {folder} holds no teacher: {e}", _AGAIN) from e


def write_teacher(folder: Path, model: Checkpoint) -> None:
    """Say whose the folder is."""
    folder.mkdir(parents=True, exist_ok=True)
    about = {"name": model.card.name, "sha256": model.sha256, "terms": model.card.terms}
    (folder / _ABOUT).write_text(json.dumps(about), encoding="utf-8")


def write_levels(folder: Path, data: str, sample: str, levels: NDArray[np.uint8]) -> None:
    """Keep what the teacher sees of a sample.

    Args:
        folder: of the teacher.
        data: path of the data set, as the recipe names it.
        sample: its name.
        levels: (H, W) uint8, round(254 p), in the size of the sample's file.
    """
    path = _path(folder, data, sample)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, levels)


def _path(folder: Path, data: str, sample: str) -> Path:
    """Where a sample's levels lie, inside the folder wherever the data set lies."""
    return folder / re.sub(r"[^\w-]+", "_", data) / f"{sample}.npy"
