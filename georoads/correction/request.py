"""georoads apply, from files to a file: what is asked for, and what was done."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import shapely

from georoads.correction.correct import correct
from georoads.correction.edits import EditKind, read_edits
from georoads.correction.network import network_of
from georoads.correction.pieces import Spot
from georoads.errors import LayerError
from georoads.network.types import RoadNetwork
from georoads.output.dictionary import NODES, ROADS
from georoads.output.geopackage import provenance_in
from georoads.output.provenance import Provenance, provenance_date
from georoads.output.read import RoadLines, read_roads
from georoads.output.vector_files import POINTS, read_features
from georoads.output.write import WriteOptions, check_road_output, write_roads
from georoads.text import printable


@dataclass(frozen=True)
class CorrectionRequest:
    """What is to be corrected.

    Attributes:
        edits: the file of edits, as the page of ``georoads view`` saves it.
        roads: the file of the road layer that the page showed.
        output: the file to write; its suffix chooses the format.
        layer: the layer of roads, where the file has several.
        overwrite: True when an existing file may be replaced.
        date: of the output; None: that of the youngest file.
    """

    edits: Path
    roads: Path
    output: Path
    layer: str | None = None
    overwrite: bool = False
    date: datetime | None = None


@dataclass(frozen=True)
class Correction:
    """What was done.

    Attributes:
        network: as written.
        deleted, added, right: numbers of edits.
        joined: ends of drawn lines that meet a road.
        before_m: metres of road before.
        notes: what a user should know of how the files were read.
    """

    network: RoadNetwork
    deleted: int
    added: int
    right: int
    joined: int
    before_m: float
    notes: tuple[str, ...] = ()

    def as_dict(self) -> dict[str, Any]:
        """For JSON: numbers of edits, lines and nodes, and kilometres before and after."""
        return {
            "deleted": self.deleted,
            "added": self.added,
            "right": self.right,
            "joined": self.joined,
            "lines": self.network.n_edges,
            "nodes": self.network.n_nodes,
            "before_km": round(self.before_m / 1000, 4),
            "after_km": round(float(self.network.length_m.sum()) / 1000, 4),
            "notes": list(self.notes),
        }


def apply_edits(request: CorrectionRequest) -> Correction:
    """Put edits into a road layer and write the network that comes of it.

    Raises:
        LayerError: a file cannot be read, or the edits belong to another layer; as ``write_roads``.
        GeoroadsError: as ``check_road_output``.
    """
    options = WriteOptions(overwrite=request.overwrite)
    check_road_output(request.output, options, inputs=(request.edits, request.roads))
    edits = read_edits(request.edits)
    roads = read_roads(request.roads, request.layer, with_columns=True)
    corrected = correct(roads, edits)
    network = network_of(corrected.pieces, roads.crs, _node_kinds(request, roads))
    provenance = provenance_in(request.roads) or Provenance()
    right = int((edits.kinds == EditKind.RIGHT).sum())
    done = {"deleted": corrected.deleted, "added": corrected.added, "right": right}
    options = dataclasses.replace(
        options,
        sources=_sources(roads, request.edits),
        provenance=dataclasses.replace(
            provenance,
            parameters=json.dumps({"edits": done, "of": _parsed(provenance.parameters)}),
            date=request.date or provenance_date((request.edits, request.roads)),
        ),
    )
    written = write_roads(network, request.output, options)
    notes = (*roads.notes, *edits.lines.notes, *_lost_fields(roads))
    return Correction(written, **done, joined=corrected.joined, before_m=corrected.before_m, notes=notes)


def _node_kinds(request: CorrectionRequest, roads: RoadLines) -> dict[Spot, str]:
    """What the nodes were, by place, where a GeoPackage has a layer of them."""
    if request.roads.suffix.lower() != ".gpkg":
        return {}
    name = NODES.name if request.layer in (None, ROADS.name) else f"{request.layer}_{NODES.name}"
    try:
        found = read_features(request.roads, name, POINTS, lambda fields: [f for f in fields if f == "kind"])
    except LayerError:
        return {}
    kinds = found.columns.get("kind")
    if kinds is None or found.crs != roads.crs:
        return {}
    spots = shapely.get_coordinates(found.geometry).tolist()
    return {(x, y): str(kind) for (x, y), kind in zip(spots, kinds, strict=True)}


def _sources(roads: RoadLines, edits: Path) -> tuple[str, ...]:
    """The sources that the layer names, and the edits."""
    before = roads.columns.get("source", np.empty(0, dtype=object))
    named = dict.fromkeys(str(source) for source in before.tolist() if source)
    return (*named, printable(edits.name))


def _parsed(parameters: str) -> Any:
    try:
        return json.loads(parameters)
    except ValueError:
        return parameters


def _lost_fields(roads: RoadLines) -> tuple[str, ...]:
    """A note of the attributes that a network has no place for."""
    known = {field.name for field in ROADS.fields}
    lost = [name for name in roads.columns if name not in known]
    return (f"attributes that are not kept: {', '.join(map(printable, lost))}",) if lost else ()
