"""Roads of a file of OpenStreetMap (.osm), as editors and overpass servers write it.

Not by GDAL: it chooses among its drivers by what a text begins like, and some of those open other files. Here
expat reads tags alone; a document type, in which entities could be declared, is refused.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

import numpy as np
import shapely
from numpy.typing import NDArray

from georoads.errors import LayerError
from georoads.text import printable

MAX_OSM_BYTES = 1024**3
"""Larger files are refused: reading one takes about twice its size of memory."""
TAGS = (
    "name", "highway", "ref", "oneway", "lanes", "width", "surface", "bridge", "tunnel", "layer", "maxspeed",
)  # fmt: skip
"""The tags that matter for roads."""
MAX_REMARK = 500
"""Characters of a remark that are kept."""
_CONVERT = "convert it, as in: ogr2ogr roads.gpkg FILE lines"


@dataclass(frozen=True)
class OsmRoads:
    """The ways that are roads: those with the tag ``highway`` that are no areas.

    Attributes:
        lines: (N,) shapely LineStrings, longitude and latitude in degrees.
        columns: (N,) per field: ``osm_id``, and the tags that matter for roads, None where a way has none.
        left_out: what the file holds besides, in words; "" where there is nothing.
        doubt: why roads may be missing that the place has, in words; "" where there is no reason to think so.
    """

    lines: NDArray[np.object_]
    columns: dict[str, NDArray[np.generic]]
    left_out: str
    doubt: str = ""


@dataclass
class _Way:
    """A way: its attributes, its tags, and the ids of its nodes."""

    attributes: dict[str, str]
    tags: dict[str, str] = field(default_factory=dict)
    nodes: array[int] = field(default_factory=lambda: array("q"))

    @property
    def is_road(self) -> bool:
        """Whether it is there, has the tag ``highway``, and is no area."""
        is_there = self.attributes.get("action") != "delete" and self.attributes.get("visible") != "false"
        return is_there and "highway" in self.tags and self.tags.get("area") != "yes" and len(self.nodes) > 1


@dataclass
class _Content:
    """What has been read so far: numbers of nodes by id, their places, and the roads.

    Nodes may come after the ways that they belong to, as in answers of Overpass.
    """

    number_of: dict[int, int] = field(default_factory=dict)
    lonlat: array[float] = field(default_factory=lambda: array("d"))
    roads: list[_Way] = field(default_factory=list)
    other_ways: int = 0
    relations: int = 0
    root: str = ""
    way: _Way | None = None
    remark: str | None = None

    def begin(self, element: str, values: dict[str, str]) -> None:
        """An element begins."""
        if not self.root:
            self.root = element
        if element == "node" and "lon" in values:  # one that was deleted lies nowhere
            self.number_of[int(values["id"])] = len(self.lonlat) // 2
            self.lonlat.extend((float(values["lon"]), float(values["lat"])))
        elif element == "way":
            self.way = _Way(values)
        elif element == "relation":
            self.relations += 1
        elif element == "remark":
            self.remark = ""
        elif self.way is not None and element == "nd":
            self.way.nodes.append(int(values["ref"]))
        elif self.way is not None and element == "tag":
            self.way.tags[values["k"]] = values["v"]

    def end(self, element: str) -> None:
        """An element ends."""
        if element != "way" or self.way is None:
            return
        if self.way.is_road:
            self.roads.append(self.way)
        else:
            self.other_ways += 1
        self.way = None

    def say(self, text: str) -> None:
        """Text between elements: of a remark, in which a server says that it did not finish."""
        if self.remark is not None and len(self.remark) < MAX_REMARK:
            self.remark += text


def read_osm(path: Path) -> OsmRoads:
    """Read the roads of a file of OpenStreetMap.

    Raises:
        LayerError: it is no such file, is damaged, cut off, or larger than can be read.
    """
    shown = printable(path)
    size = path.stat().st_size
    if size > MAX_OSM_BYTES:
        raise LayerError(
            f"{shown} has {size / 1e9:.1f} GB; .osm is read up to {MAX_OSM_BYTES / 1e9:.1f} GB", _CONVERT
        )
    content = _Content()
    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = content.begin, content.end
    parser.CharacterDataHandler = content.say
    parser.StartDoctypeDeclHandler = _refuse_document_type
    try:
        with path.open("rb") as file:
            parser.ParseFile(file)
    except (expat.ExpatError, KeyError, ValueError, OverflowError) as e:
        raise LayerError(f"{shown} cannot be read: {e}", "fetch or export it anew") from e
    if content.root != "osm":
        raise LayerError(
            f"{shown} is no file of OpenStreetMap: it begins with {printable(content.root)!r}", _CONVERT
        )
    if content.remark and "error" in content.remark:
        raise LayerError(
            f"{shown} is not complete: the server says {printable(content.remark.strip())!r}",
            "ask for a smaller area, or for more time, as in [timeout:600]",
        )
    return _roads_of(content)


def _refuse_document_type(*declared: object) -> None:
    raise ValueError("it declares a document type")


def _roads_of(content: _Content) -> OsmRoads:
    lonlat = np.frombuffer(content.lonlat, dtype=np.float64).reshape(-1, 2)
    found = [[content.number_of[i] for i in way.nodes if i in content.number_of] for way in content.roads]
    lacking = sum(len(numbers) < len(way.nodes) for numbers, way in zip(found, content.roads, strict=True))
    kept = [(way, numbers) for way, numbers in zip(content.roads, found, strict=True) if len(numbers) > 1]
    line = np.repeat(np.arange(len(kept)), [len(n) for _, n in kept]).astype(np.int64)
    points = lonlat[np.concatenate([*(n for _, n in kept), np.empty(0)]).astype(np.int64)]
    lines = shapely.linestrings(points, indices=line) if kept else np.empty(0)
    columns: dict[str, NDArray[np.generic]] = {
        "osm_id": np.array([way.attributes.get("id") for way, _ in kept], dtype=np.object_)
    }
    for tag in TAGS:
        columns[tag] = np.array([way.tags.get(tag) for way, _ in kept], dtype=np.object_)
    others = (content.other_ways, "ways that are no roads"), (content.relations, "relations")
    left_out = ", ".join(f"{count} {what}" for count, what in others if count)
    return OsmRoads(
        np.asarray(lines, dtype=np.object_),
        columns,
        f"left out: {left_out}" if left_out else "",
        _lack_of_nodes(lacking, len(found) - len(kept)),
    )


def _lack_of_nodes(lacking: int, dropped: int) -> str:
    """What is said where the file lacks nodes of roads; "" where it has all of them."""
    if not lacking:
        return ""
    return (
        f"{lacking} roads have nodes that the file lacks: {dropped} are left out, the others drawn without "
        "them; fetch all nodes of the ways, too (in Overpass: (._;>;); before out)"
    )
