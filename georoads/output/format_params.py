"""Settings of the files that roads are written to, format by format."""

from __future__ import annotations

from dataclasses import dataclass

_LONGEST_TEXT = 255
"""Characters of a key or value that the server of OpenStreetMap takes."""


@dataclass(frozen=True)
class FormatParams:
    """What the formats leave open.

    Attributes:
        nodes: true writes the nodes to a second file, NAME_nodes.SUFFIX, beside formats of one layer
            (GeoJSON, FlatGeobuf, GeoParquet); the others hold them anyway.
        osm_tags: tags of every way of a .osm, as in highway=track,surface=unpaved; without a highway it is
            highway=road. width is that of each road unless it stands here.
        osm_first_id: number of the first node and of the first way of a .osm. Below 0 the others count down
            from it, and are new to an editor; above 0 they count up, and have the version and the date that
            routing engines ask for.
        overture_license: licence of the lines, for sources of the files for Overture, best as its SPDX
            identifier, as in CC-BY-4.0; "": none is stated.
    """

    nodes: bool = False
    osm_tags: str = "highway=road"
    osm_first_id: int = -1
    overture_license: str = ""

    def __post_init__(self) -> None:
        if self.osm_first_id == 0:
            raise ValueError("osm_first_id must be below or above 0")
        _parse_tags(self.osm_tags)
        said = self.overture_license
        if said != said.strip() or len(said) > _LONGEST_TEXT or not said.isprintable():
            raise ValueError("overture_license begins or ends with a space, is too long or cannot be printed")

    @property
    def tags(self) -> dict[str, str]:
        """The tags of every way: value by key."""
        return {"highway": "road"} | _parse_tags(self.osm_tags)


def _parse_tags(text: str) -> dict[str, str]:
    """``key=value,key=value`` as value by key.

    Raises:
        ValueError: it is no such text.
    """
    tags: dict[str, str] = {}
    for tag in filter(None, map(str.strip, text.split(","))):
        key, _, value = (part.strip() for part in tag.partition("="))
        if not (key and value):
            raise ValueError(f"osm_tags holds {tag!r}, which is not key=value")
        if max(len(key), len(value)) > _LONGEST_TEXT or not tag.isprintable():
            raise ValueError(f"osm_tags holds {tag[:40]!r}, which is too long or cannot be printed")
        tags[key] = value
    return tags
