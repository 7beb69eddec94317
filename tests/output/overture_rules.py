"""What Overture's published schema asks of segments and connectors, as a check that needs no package.

Written after https://docs.overturemaps.org/schema/reference/transportation/segment and .../connector (schema
2.0, of September 2026); of what the schema knows, the parts that a file of georoads can hold. What else
stands in a feature is an error, as there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

Rule = Callable[[Any], bool]

CLASSES = (
    "motorway", "primary", "secondary", "tertiary", "residential", "living_street", "trunk", "unclassified",
    "service", "pedestrian", "footway", "steps", "path", "track", "cycleway", "bridleway", "unknown",
)  # fmt: skip


def is_number(value: Any, least: float, most: float = float("inf")) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most


def is_id(value: Any) -> bool:
    return isinstance(value, str) and re.fullmatch(r"\S+", value) is not None


def is_stripped(value: Any) -> bool:
    return isinstance(value, str) and value == value.strip()


def is_date(value: Any) -> bool:
    return isinstance(value, str) and datetime.fromisoformat(value).tzinfo is not None


def lists(rules: Mapping[str, Rule], required: Sequence[str], least: int) -> Rule:
    """A list of at least so many objects, all different, which hold what is required and nothing unknown."""

    def check(value: Any) -> bool:
        if not isinstance(value, list) or len(value) < least or any(value.count(v) > 1 for v in value):
            return False
        return all(
            set(required) <= item.keys() <= rules.keys() and all(rules[k](v) for k, v in item.items())
            for item in value
        )

    return check


SOURCES = lists(
    {
        "property": lambda v: v == "" or str(v).startswith("/"), "dataset": lambda v: isinstance(v, str),
        "license": is_stripped, "record_id": lambda v: isinstance(v, str), "update_time": is_date,
        "confidence": lambda v: is_number(v, 0, 1),
    },
    ["property"], 1,
)  # fmt: skip
COMMON: dict[str, Rule] = {
    "theme": lambda v: v == "transportation",
    "version": lambda v: is_number(v, 0) and isinstance(v, int),
    "sources": SOURCES,
}
RULES: dict[str, dict[str, Rule]] = {
    "connector": COMMON | {"type": lambda v: v == "connector"},
    "segment": COMMON | {
        "type": lambda v: v == "segment", "subtype": lambda v: v == "road", "class": lambda v: v in CLASSES,
        "connectors": lists(
            {"connector_id": is_id, "at": lambda v: is_number(v, 0, 1)}, ["connector_id"], 2
        ),
        "width_rules": lists({"value": lambda v: is_number(v, 1e-9)}, ["value"], 1),
    },
}  # fmt: skip
REQUIRED = {
    "connector": {"theme", "type", "version"},
    "segment": {"theme", "type", "version", "subtype", "class", "connectors"},
}
GEOMETRY = {"connector": ("Point", 0), "segment": ("LineString", 1)}


def broken_rules(feature: Mapping[str, Any]) -> Iterator[str]:
    """What is wrong with a GeoJSON feature."""
    properties = feature["properties"]
    kind = properties.get("type")
    if kind not in RULES:
        yield f"type {kind!r}"
        return
    if feature.get("type") != "Feature":
        yield "no Feature"
    if not is_id(feature.get("id")):
        yield "id"
    yield from (f"{name} is missing" for name in sorted(REQUIRED[kind] - properties.keys()))
    for name, value in properties.items():
        if name not in RULES[kind]:
            yield f"{name} is unknown"
        elif not RULES[kind][name](value):
            yield f"{name} is {value!r}"
    if not is_geometry(feature["geometry"], *GEOMETRY[kind]):
        yield "geometry"


def is_geometry(geometry: Mapping[str, Any], kind: str, nested: int) -> bool:
    """Whether it is of a type, and in degrees."""
    places = geometry["coordinates"] if nested else [geometry["coordinates"]]
    return (
        geometry["type"] == kind
        and len(places) >= 1 + nested
        and all(is_number(x, -180, 180) and is_number(y, -90, 90) for x, y in places)
    )


def loose_ends(segments: Sequence[Mapping[str, Any]], connectors: Sequence[Mapping[str, Any]]) -> list[str]:
    """Segments whose first or last connector is not in the list, or does not lie where the segment ends."""
    places = {feature["id"]: feature["geometry"]["coordinates"] for feature in connectors}
    loose = []
    for feature in segments:
        line = feature["geometry"]["coordinates"]
        ends = sorted(feature["properties"]["connectors"], key=lambda connector: connector["at"])
        found = [places.get(end["connector_id"]) for end in (ends[0], ends[-1])]
        if found != [line[0], line[-1]] or [end["at"] for end in ends] != [0, 1]:
            loose.append(feature["id"])
    return loose
