"""What a map lacks as tasks of MapRoulette: one for each new stretch of road.

The file is what MapRoulette calls line-by-line GeoJSON (https://learn.maproulette.org, "Line-by-Line GeoJSON
Format"): each line is a record separator (RFC 7464) and a FeatureCollection, which is one task. MapRoulette
takes the name of a task from the feature's ``id``; it does not look into the file for instructions, but
replaces ``{{instruction}}`` in those of the challenge by the property of this name.
"""

from __future__ import annotations

import functools
import json
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from georoads.errors import LayerError
from georoads.files.atomic import replace_when_complete
from georoads.output.places import PER_DEGREE, place_ids
from georoads.output.table import Table
from georoads.text import printable

_RECORD_SEPARATOR = "\x1e"
_DECIMALS = {"length_m": 0, "width_m": 1, "confidence": 2}
"""What an instruction may name, and the digits after the point that it is told with."""
_NAMED = re.compile(r"\{(.*?)\}")
_LONGEST_TEXT = 4000


@dataclass(frozen=True)
class TaskParams:
    """What the tasks of a .maproulette.geojson say.

    Attributes:
        instruction: what a mapper is asked to do, the property ``instruction`` of each task; {length_m},
            {width_m} and {confidence} are replaced by those of its road; "": none.
    """

    instruction: str = (
        "About {length_m} m of road seem to be missing here (confidence {confidence}, from 0 to 1). Look at "
        "the imagery. If there is a road, draw it, join its ends to the roads of the map and give it its "
        "class. If there is none, mark this as not an issue."
    )

    def __post_init__(self) -> None:
        if len(self.instruction) > _LONGEST_TEXT or not self.instruction.replace("\n", "").isprintable():
            raise ValueError("instruction is too long or cannot be printed")
        for name in _NAMED.findall(self.instruction):
            if name not in _DECIMALS:
                known = ", ".join(f"{{{known}}}" for known in _DECIMALS)
                raise ValueError(f"instruction names {{{name}}}; known: {known}")

    def told_of(self, properties: dict[str, Any]) -> str:
        """The instruction of a task, given its properties; what these do not hold is unknown."""

        def value_of(found: re.Match[str]) -> str:
            value = properties.get(found[1])
            is_number = isinstance(value, int | float)
            return f"{value:.{_DECIMALS[found[1]]}f}" if is_number else "unknown"

        return _NAMED.sub(value_of, self.instruction)


def count_tasks(changes: Table) -> int:
    """How many tasks the rows of the layer ``changes`` are."""
    return int(_is_new(changes).sum())


def write_tasks(path: Path, changes: Table, params: TaskParams, *, overwrite: bool) -> None:
    """Write the new stretches of a difference as tasks; the file appears whole or not at all.

    A task has the attributes of its row that have a value. Its id comes from where its road lies, so a
    challenge that is built anew knows the tasks that it has.

    Args:
        path: the file.
        changes: the layer ``changes``, in degrees.
        params: what the tasks say.
        overwrite: True when an existing file may be replaced.

    Raises:
        LayerError: the file does not hold what was written.
        GeoroadsError: as ``replace_when_complete``.
    """
    verify = functools.partial(_verify, expected=count_tasks(changes))
    with (
        replace_when_complete(path, overwrite=overwrite, verify=verify) as part,
        part.open("w", encoding="utf-8", newline="\n") as file,
    ):
        for task in _tasks(changes, params):
            text = json.dumps(task, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
            file.write(f"{_RECORD_SEPARATOR}{text}\n")


def _is_new(changes: Table) -> NDArray[np.bool_]:
    return np.asarray(changes.column("kind") == "new", dtype=np.bool_)


def _tasks(changes: Table, params: TaskParams) -> Iterator[dict[str, Any]]:
    """The FeatureCollections of the new stretches, in the order of the layer."""
    rows = np.flatnonzero(_is_new(changes)).tolist()
    lines = changes.geometry[rows]
    for row, line, task_id in zip(rows, lines, place_ids("task", lines), strict=True):
        properties = dict(_known_of(changes, row))
        if told := params.told_of(properties):
            properties["instruction"] = told
        places = np.rint(shapely.get_coordinates(line) * PER_DEGREE) / PER_DEGREE
        feature = {
            "type": "Feature", "id": task_id, "properties": properties,
            "geometry": {"type": "LineString", "coordinates": places.tolist()},
        }  # fmt: skip
        yield {"type": "FeatureCollection", "features": [feature]}


def _known_of(changes: Table, row: int) -> Iterator[tuple[str, Any]]:
    """Name and value of the attributes that a row has."""
    for field, column in zip(changes.layer.fields, changes.columns, strict=True):
        value = column[row].item() if isinstance(column[row], np.generic) else column[row]
        is_absent = field.name in changes.absent and changes.absent[field.name][row]
        is_number = not isinstance(value, float) or math.isfinite(value)
        if field.name != "kind" and value is not None and is_number and not is_absent:
            yield field.name, value


def _verify(path: Path, expected: int) -> None:
    """Read a file again: it must hold so many tasks.

    Raises:
        LayerError: it does not.
    """
    found = 0
    with path.open(encoding="utf-8", newline="\n") as file:
        for line in file:
            try:
                is_task = line[0] == _RECORD_SEPARATOR and len(json.loads(line[1:])["features"]) == 1
            except (ValueError, KeyError, TypeError):
                is_task = False
            found += is_task
    if found != expected:
        raise LayerError(
            f"{printable(path)} holds {found} of {expected} tasks",
            "the disk may be failing: write to another",
        )
