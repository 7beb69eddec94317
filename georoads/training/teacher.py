"""What a teacher sees on the training pictures: p that stands beside the masks as truth.

Knowledge distillation (G. Hinton, O. Vinyals, J. Dean, "Distilling the knowledge in a neural network", 2015).
The teacher may be the student itself, looking eight times: a model that averages the symmetries of each tile
judges better than in one look, and one look can learn it. Masks lack farm tracks and lie beside their roads;
where the teacher says otherwise, they count for less.
"""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georoads.errors import GeoroadsError
from georoads.files.atomic import replace_when_complete

ABOUT = "teacher.json"
"""File of the folder that says whose it is."""


@dataclass(frozen=True)
class Teacher:
    """Who saw the pictures, and how.

    Attributes:
        name, sha256: of the model.
        terms: of the data that it learned from, which bind whoever learns from it.
        looks: at each tile: 1, or 8 symmetries whose mean it is.
    """

    name: str
    sha256: str
    terms: str
    looks: int = 8


@dataclass(frozen=True)
class TaughtPictures:
    """A folder of what a teacher sees, a file for each picture.

    Attributes:
        folder: holds them.
        teacher: whose they are.
    """

    folder: Path
    teacher: Teacher

    def path(self, data: str, sample: str) -> Path:
        """Where a sample's levels lie: inside the folder, whatever the names.

        Args:
            data: path of the data set, as the recipe names it.
            sample: its name.
        """
        return self.folder / _key(str(Path(data))) / f"{_key(sample)}.npy"

    def levels(self, data: str, sample: str, shape: tuple[int, int]) -> NDArray[np.uint8] | None:
        """(H, W) uint8, round(254 p), of a sample; None where the teacher has not seen it.

        Args:
            data: path of the data set, as the recipe names it.
            sample: its name.
            shape: height and width of its file.

        Raises:
            GeoroadsError: the file is damaged, or of a picture of another size.
        """
        path = self.path(data, sample)
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

    def write(self, data: str, sample: str, levels: NDArray[np.uint8]) -> None:
        """Keep what the teacher sees of a sample.

        Args:
            data: path of the data set, as the recipe names it.
            sample: its name.
            levels: (H, W) uint8, round(254 p), in the size of the sample's file.
        """
        path = self.path(data, sample)
        path.parent.mkdir(parents=True, exist_ok=True)
        with replace_when_complete(path, overwrite=True) as part:
            np.save(part, levels)


_AGAIN = "remove it and make it again by benchmarks/teacher.py, or leave train.teacher out"


def read_teacher(folder: Path) -> TaughtPictures:
    """The pictures of a teacher's folder.

    Raises:
        GeoroadsError: the folder is none of a teacher.
    """
    try:
        said = json.loads((folder / ABOUT).read_text(encoding="utf-8"))
        name, sha256, terms = (str(said[key]) for key in ("name", "sha256", "terms"))
        return TaughtPictures(folder, Teacher(name, sha256, terms, int(said["looks"])))
    except (OSError, ValueError, KeyError, TypeError) as e:
        raise GeoroadsError(f"train.teacher: {folder} holds no teacher: {e}", _AGAIN) from e


def begin_teacher(folder: Path, teacher: Teacher) -> TaughtPictures:
    """The folder of a teacher, which is made where it is not there.

    Raises:
        GeoroadsError: it is that of another one, or cannot be written.
    """
    if not (folder / ABOUT).is_file():
        folder.mkdir(parents=True, exist_ok=True)
        with replace_when_complete(folder / ABOUT) as part:
            part.write_text(json.dumps(asdict(teacher)), encoding="utf-8")
    found = read_teacher(folder)
    if found.teacher != teacher:
        was = f"{found.teacher.name}, {found.teacher.looks} looks"
        raise GeoroadsError(f"{folder} is that of another teacher ({was})", "name another folder")
    return found


def _key(name: str) -> str:
    """A file's name that no other name has, with what can be read of it before."""
    return f"{re.sub(r'[^A-Za-z0-9-]+', '_', name)[-60:]}-{hashlib.sha256(name.encode()).hexdigest()[:12]}"
