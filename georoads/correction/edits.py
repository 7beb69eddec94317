"""Edits of a road layer, as the page of ``georoads view`` saves them: lines, each with what is to be done."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from georoads.errors import LayerError
from georoads.output.read import RoadLines, read_roads


class EditKind(StrEnum):
    """What is done with a line: it is new, it goes, or it was looked at and is right."""

    ADD = "add"
    DELETE = "delete"
    RIGHT = "right"


@dataclass(frozen=True)
class Edits:
    """What a person changed, in the order in which it was done.

    Attributes:
        lines: the lines that were drawn, or chosen on the map.
        kinds: (N,) values of EditKind.
        confidence: (N,) float64 in 0..1, mean p along each line; NaN where it is not known.
    """

    lines: RoadLines
    kinds: NDArray[np.object_]
    confidence: NDArray[np.float64]

    def of(self, kind: EditKind) -> RoadLines:
        """The lines of one kind."""
        return self.lines.kept(self.kinds == kind)


def read_edits(path: Path) -> Edits:
    """Read edits from a layer of lines with the field ``edit`` (add, delete or right) and, if it has one,
    ``confidence``.

    Raises:
        LayerError: as ``read_roads``; the field is missing or says something else.
    """
    lines = read_roads(path, with_columns=True)
    kinds = lines.columns.get("edit")
    known = ", ".join(EditKind)
    if kinds is None:
        raise LayerError(
            f"{lines.name} has no field 'edit', so it is no file of edits",
            f"save one from the page of georoads view, or give each line an edit: {known}",
        )
    unknown = [kind for kind in kinds.tolist() if kind not in set(EditKind)]
    if unknown:
        raise LayerError(f"{lines.name}: {unknown[0]!r} is no edit", f"edit is one of {known}")
    p = lines.columns.get("confidence")
    stated = p is not None and p.dtype.kind in "fiu"
    confidence = p.astype(np.float64) if p is not None and stated else np.full(len(kinds), np.nan)
    confidence = np.where((confidence >= 0) & (confidence <= 1), confidence, np.nan)
    return Edits(lines, kinds, confidence)
