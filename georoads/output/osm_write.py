"""Road networks as files of OpenStreetMap (.osm, OSM XML 0.6), for editors and routing engines.

GDAL reads the format and does not write it. A node of the network is one node of the file, which all its ways
share; the other points of a line have nodes of their own. The root says ``upload="false"``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from xml.parsers import expat
from xml.sax.saxutils import quoteattr

import numpy as np
import shapely
from numpy.typing import NDArray

from georoads.errors import LayerError
from georoads.output.format_params import FormatParams
from georoads.output.places import PER_DEGREE, places_of
from georoads.output.provenance import Provenance
from georoads.output.table import Table
from georoads.text import printable

MAX_WAY_NODES = 2000
"""The server of OpenStreetMap takes no longer ways; a longer line becomes several that share a node."""
_AT_ONCE = 1 << 16
"""Nodes that are Python's numbers at a time: these take ten times the memory of the array."""


@dataclass(frozen=True)
class Ways:
    """A road network as nodes and ways.

    Attributes:
        places: (N, 2) int64, longitude and latitude of the nodes in 1e-7 degrees; those of the network come
            first, in the order of their ids.
        nodes: (R,) int64, rows of ``places``: the nodes of all lines, one after the other.
        start, stop: (W,) int64; way i has the nodes[start[i]:stop[i]].
        road: (W,) int64, row of the road that it is; parts after the first of a long road come last.
    """

    places: NDArray[np.int64]
    nodes: NDArray[np.int64]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    road: NDArray[np.int64]


def ways_of(roads: Table, nodes: Table) -> Ways:
    """The nodes and ways of a network.

    Points of a line that fall on the same centimetre as the one before are left out.

    Args:
        roads: the lines, in degrees; their ends lie on their nodes.
        nodes: the nodes, in degrees, by rising id.
    """
    points, line = shapely.get_coordinates(roads.geometry, return_index=True)
    is_first = np.diff(line, prepend=-1) > 0
    is_end = is_first | np.roll(is_first, -1)
    places = places_of(points)
    for neighbour in (1, -1):  # an inner point on the one before it, then one on the end of its line
        keep = is_end | (places != np.roll(places, neighbour, axis=0)).any(axis=1)
        places, line, is_end = places[keep], line[keep], is_end[keep]
    ids, *ends = (t.column(n) for t, n in ((nodes, "node_id"), (roads, "from_node"), (roads, "to_node")))
    rows = np.empty(len(places), dtype=np.int64)
    rows[is_end] = np.searchsorted(ids, np.column_stack(ends).ravel())
    rows[~is_end] = len(ids) + np.arange(np.count_nonzero(~is_end))
    at_nodes = places_of(shapely.get_coordinates(nodes.geometry))
    count = np.bincount(line, minlength=len(roads.geometry))
    return _cut(np.concatenate((at_nodes, places[~is_end])), rows, np.cumsum(count) - count, count)


def write_osm(
    path: Path, roads: Table, nodes: Table, params: FormatParams, provenance: Provenance
) -> tuple[int, int]:
    """Write a road network as OSM XML 0.6.

    Args:
        path: the file.
        roads: the lines, in degrees.
        nodes: their nodes, in degrees.
        params: tags and ids.
        provenance: goes into a comment of the file.

    Returns:
        How many nodes and ways it holds.
    """
    ways = ways_of(roads, nodes)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(_lines(ways, roads.column("width_m"), params, provenance))
    return len(ways.places), len(ways.start)


def verify_osm(path: Path, expected: tuple[int, int]) -> None:
    """Read a file again: it must be XML, with so many nodes and ways.

    Raises:
        LayerError: it is not.
    """
    found = {"node": 0, "way": 0}

    def count(element: str, attributes: dict[str, str]) -> None:
        if element in found:
            found[element] += 1

    parser = expat.ParserCreate()
    parser.StartElementHandler = count
    try:
        with path.open("rb") as file:
            parser.ParseFile(file)
    except expat.ExpatError as e:
        raise LayerError(f"{printable(path)} is damaged: {e}", "write to another disk") from e
    nodes, ways = found["node"], found["way"]
    if (nodes, ways) != expected:
        raise LayerError(
            f"{printable(path)} holds {nodes} of {expected[0]} nodes, {ways} of {expected[1]} ways",
            "the disk may be failing: write to another one",
        )


def _cut(
    places: NDArray[np.int64], nodes: NDArray[np.int64], first: NDArray[np.int64], count: NDArray[np.int64]
) -> Ways:
    """The ways of lines that begin at nodes[first] and have ``count`` of them, (E,) each."""
    parts = np.maximum(-(-(count - 1) // (MAX_WAY_NODES - 1)), 1)
    road = np.repeat(np.arange(len(count)), parts)
    part = np.arange(len(road)) - np.repeat(np.cumsum(parts) - parts, parts)
    order = np.argsort(part > 0, kind="stable")
    start = first[road] + part * (MAX_WAY_NODES - 1)
    stop = np.minimum(start + MAX_WAY_NODES, (first + count)[road])
    return Ways(places, nodes, start[order], stop[order], road[order])


def _lines(
    ways: Ways, width_m: NDArray[np.float64], params: FormatParams, provenance: Provenance
) -> Iterator[str]:
    """The text of the file, line by line."""
    first, tags = params.osm_first_id, params.tags
    step = 1 if first > 0 else -1
    date = provenance.date.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    said = f' version="1" timestamp="{date}"' if first > 0 else ""
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield f'<osm version="0.6" generator={quoteattr(f"georoads {provenance.version}")} upload="false">\n'
    if len(ways.places):
        (west, south), (east, north) = ways.places.min(axis=0), ways.places.max(axis=0)
        yield f' <bounds minlat="{_degrees(south)}" minlon="{_degrees(west)}" '
        yield f'maxlat="{_degrees(north)}" maxlon="{_degrees(east)}"/>\n'
    yield f" <!-- {_comment(provenance)} -->\n"
    for begin in range(0, len(ways.places), _AT_ONCE):
        for row, (lon, lat) in enumerate(ways.places[begin : begin + _AT_ONCE].tolist(), begin):
            yield f' <node id="{first + step * row}"{said} lat="{_degrees(lat)}" lon="{_degrees(lon)}"/>\n'
    for number, road in enumerate(ways.road.tolist()):
        yield f' <way id="{first + step * number}"{said}>\n'
        for row in ways.nodes[ways.start[number] : ways.stop[number]].tolist():
            yield f'  <nd ref="{first + step * row}"/>\n'
        for key, value in (tags | _width_tag(width_m[road], tags)).items():
            yield f"  <tag k={quoteattr(key)} v={quoteattr(value)}/>\n"
        yield " </way>\n"
    yield "</osm>\n"


def _width_tag(width_m: float, tags: dict[str, str]) -> dict[str, str]:
    """The width of a road, unless it is not known or ``tags`` say it."""
    is_known = np.isfinite(width_m) and width_m >= 0.05
    return {"width": f"{width_m:.1f}"} if is_known and "width" not in tags else {}


def _degrees(value: int) -> str:
    return f"{value / PER_DEGREE:.7f}"


def _comment(provenance: Provenance) -> str:
    """The provenance as ASCII JSON without two hyphens in a row, which end a comment."""
    return json.dumps(json.loads(provenance.as_json())).replace("--", r"-\u002d")
