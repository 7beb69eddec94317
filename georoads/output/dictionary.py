"""The data dictionary: every field of the road layers, in one table.

The writer takes names, types and rounding from here, the GeoPackage its ``gpkg_data_columns``, and
docs/data-dictionary.md its text, so the three cannot drift apart.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from georoads.network.types import NodeKind

FieldType = Literal["int64", "int32", "float64", "text"]


@dataclass(frozen=True)
class Field:
    """One column of a layer.

    Attributes:
        name: the column's name.
        type: how it is stored.
        title: a short name for people.
        description: what it means.
        unit: "" where it has none.
        decimals: digits after the point that are written, for float64.
        constraint: name of its constraint (see ``VALUES`` and ``CONFIDENCE_RANGE``), or "".
    """

    name: str
    type: FieldType
    title: str
    description: str
    unit: str = ""
    decimals: int = 0
    constraint: str = ""


@dataclass(frozen=True)
class Layer:
    """One layer: its name, what it holds, its geometry type and its fields."""

    name: str
    geometry: Literal["LineString", "Point"]
    title: str
    fields: tuple[Field, ...]


KIND_CONSTRAINT = "georoads_node_kind"
CARRIAGEWAY_CONSTRAINT = "georoads_carriageway"
CONFIDENCE_CONSTRAINT = "georoads_confidence"

KINDS: dict[str, str] = {
    NodeKind.JUNCTION.label: "three or more roads meet",
    NodeKind.END.label: "one road ends",
    NodeKind.RING.label: "a ring was opened here, where no junction lies on it",
    NodeKind.SCENE_EDGE.label: "the road leaves the scene, its valid area or the area of interest",
}
"""The values of nodes.kind."""

CARRIAGEWAYS: dict[str, str] = {
    "left": "the other carriageway lies to the right of the line",
    "right": "the other carriageway lies to the left of the line",
}
"""The values of roads.carriageway."""

VALUES = {CARRIAGEWAY_CONSTRAINT: CARRIAGEWAYS, KIND_CONSTRAINT: KINDS}
"""The values that a field may have and what each means, by name of the field's constraint."""

ROADS = Layer(
    "roads",
    "LineString",
    "Road centrelines",
    (
        Field(
            "road_id", "int64", "Road",
            "Stable number, 1… in reading order (north to south, west to east of the first point)",
        ),
        Field(
            "length_m", "float64", "Length (m)", "Geodesic length on the WGS 84 ellipsoid",
            unit="m", decimals=3,
        ),
        Field(
            "width_m", "float64", "Width (m)",
            "Median width of the road away from junctions; of short lines that of the roads they go on as; "
            "corrected as the model's calibration has it",
            unit="m", decimals=3,
        ),
        Field(
            "width_std_m", "float64", "Spread of the width (m)",
            "Standard deviation of the width along the line",
            unit="m", decimals=3,
        ),
        Field(
            "confidence", "float64", "Confidence",
            "Mean of the model's probability of road along the line, in gaps that were closed straight of "
            "their ends, corrected to the share of such lines that are right",
            unit="0 to 1", decimals=4, constraint=CONFIDENCE_CONSTRAINT,
        ),
        Field(
            "confidence_p05", "float64", "Confidence, weakest part",
            "5th percentile of the probability of road along the line, corrected like the confidence",
            unit="0 to 1", decimals=4, constraint=CONFIDENCE_CONSTRAINT,
        ),
        Field(
            "bridged_m", "float64", "Bridged (m)",
            "Metres of the line that were bridged across gaps in the mask",
            unit="m", decimals=3,
        ),
        Field(
            "carriageway", "text", "Carriageway",
            "Of a road with two carriageways, the side that the line is on, seen in its direction; null "
            "where that is not known, which does not say that the road has only one",
            constraint=CARRIAGEWAY_CONSTRAINT,
        ),
        Field("from_node", "int64", "From node", "nodes.node_id at the first point of the line"),
        Field("to_node", "int64", "To node", "nodes.node_id at the last point of the line"),
        Field("source", "text", "Source", "File name of the scene, or of the scenes"),
    ),
)  # fmt: skip

NODES = Layer(
    "nodes",
    "Point",
    "Nodes of the road network",
    (
        Field(
            "node_id", "int64", "Node", "Stable number, 1… in reading order (north to south, west to east)"
        ),
        Field("degree", "int32", "Degree", "Road ends that meet here; a loop counts twice"),
        Field("kind", "text", "Kind", "What the node is", constraint=KIND_CONSTRAINT),
    ),
)

LAYERS = (ROADS, NODES)

CHANGE_CONSTRAINT = "georoads_change"

CHANGE_KINDS: dict[str, str] = {
    "new": "in ROADS, and nowhere in REFERENCE",
    "missing": "in REFERENCE, and nowhere in ROADS, though their scene was seen there",
    "moved": "in both, but farther apart than the tolerance",
    "same": "in both; written with --same",
}
"""The values of changes.kind."""

CHANGES = Layer(
    "changes",
    "LineString",
    "New, missing and moved roads",
    (
        Field("change_id", "int64", "Change", "Number, 1… by kind, and in the order of the layers"),
        Field("kind", "text", "Kind", "What became of the road", constraint=CHANGE_CONSTRAINT),
        Field("length_m", "float64", "Length (m)", "Length on the ground", unit="m", decimals=3),
        Field(
            "distance_m", "float64", "Distance (m)",
            "Of what is in both, the mean distance of one from the other", unit="m", decimals=3,
        ),
        Field(
            "p", "float64", "Mean p",
            "Of what is missing, the mean probability of road along it, where a probability raster was given",
            unit="0 to 1", decimals=4, constraint=CONFIDENCE_CONSTRAINT,
        ),
    ),
)  # fmt: skip
"""The layer of ``diff``, without the attributes of the layers that it compares."""

_INTRODUCTION = """# Data dictionary

The layers that georoads writes; the suffix of the output chooses the format.

| suffix | format | holds |
|---|---|---|
| `.gpkg` | GeoPackage 1.3 | `roads` and `nodes` |
| `.geojson`, `.json` | GeoJSON (RFC 7946) | the roads |
| `.fgb` | FlatGeobuf with spatial index | the roads |
| `.parquet`, `.geoparquet` | GeoParquet 1.1; needs `pip install "georoads[parquet]"` | the roads |
| `.osm` | OSM XML 0.6: [files of OpenStreetMap](osm.md) | nodes and ways, tagged |
| `.overture.parquet`, `.overture.geojson` | [for Overture Maps](overture.md) | segments; connectors beside |

An address `postgresql://…` takes `roads` and `nodes` as tables: [PostGIS](postgis.md).

A GeoPackage also holds this dictionary (`gpkg_data_columns`), a default style and others by name
(`layer_styles`, [view.md](view.md#styles-in-qgis)) and the provenance (`gpkg_metadata`). GeoJSON and
FlatGeobuf keep the provenance as `DESCRIPTION` of the layer, GeoParquet as `georoads` in the metadata of the
file, `.osm` as a comment.

Rows, their order and values are the same in all of them, but that `.osm` knows widths alone, and Overture's
files know widths and confidence; only FlatGeobuf stores them in the order of its index, where `road_id` tells
the order. Names and types are the same when a layer is empty (GeoJSON cannot say types).

Coordinates are in the scene's CRS; GeoJSON (RFC 7946), `.osm` and Overture's files are always WGS 84
longitude and latitude with 7 decimals. The end points of a line equal the positions of its two nodes.

- `--layer NAME` names the roads in a GeoPackage; its nodes are called `NAME_nodes`. Other formats have no
  named layers and refuse it.
- `--set write.nodes=true` writes the nodes beside GeoJSON, FlatGeobuf and GeoParquet, `roads_nodes.geojson`
  beside `roads.geojson`: `from_node` and `to_node` are rows there. The second file takes its place just
  before the first does. Should a run be killed in between, the nodes are newer than the roads: run it again.
- An output that exists is refused. `--overwrite` replaces the whole file. `--append` adds the layers to
  a GeoPackage, on a copy that takes its place when it is complete; other layers stay as they are, and a name
  that is taken is refused.
- `--aoi AREA` keeps what lies inside: the polygons of a file in any CRS (GeoPackage, GeoJSON, FlatGeobuf,
  Shapefile, GeoParquet), or `west,south,east,north` in degrees. Lines are cut at the border, where they get
  nodes of kind `scene_edge`. `length_m` of a part is measured anew, `bridged_m` is shared by length; width,
  confidence and carriageway stay those of the whole road. The name of the area stands in the provenance.
"""


_OF_CHANGES = """
## changes: New, missing and moved roads (LineString)

`georoads diff` writes this layer ([diff.md](diff.md)). After these fields come the attributes of ROADS under
their own names, and those of REFERENCE with `ref_` before the name; a value is empty where a road is not in
that layer. A `.maproulette.geojson` holds the new stretches alone, as [tasks](diff.md#tasks-for-maproulette).
"""


def markdown() -> str:
    """The text of docs/data-dictionary.md."""
    parts = [_INTRODUCTION]
    for layer in LAYERS:
        parts.append(f"\n## {layer.name}: {layer.title} ({layer.geometry})\n")
        parts.append(_fields_of(layer))
    for layer in LAYERS:
        for field in layer.fields:
            if field.constraint in VALUES:
                parts.append(_values_of(field.name, VALUES[field.constraint]))
    parts.extend((_OF_CHANGES, _fields_of(CHANGES), _values_of("kind", CHANGE_KINDS)))
    return "".join(parts)


def _fields_of(layer: Layer) -> str:
    rows = ["\n| field | type | unit | meaning |\n|---|---|---|---|\n"]
    for field in layer.fields:
        meaning = field.description
        if field.type == "float64":
            meaning += f"; written with {field.decimals} decimals"
        rows.append(f"| `{field.name}` | {field.type} | {field.unit} | {meaning} |\n")
    return "".join(rows)


def _values_of(name: str, meanings: dict[str, str]) -> str:
    rows = [f"| `{value}` | {meaning} |\n" for value, meaning in meanings.items()]
    return "".join((f"\nValues of `{name}`:\n\n| value | meaning |\n|---|---|\n", *rows))
