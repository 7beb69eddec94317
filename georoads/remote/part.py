"""What a scene on a server looks like before it is fetched: a plan, and how it is carried out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import shapely

from georoads.remote.client import Client
from georoads.remote.params import RemoteParams
from georoads.remote.pieces import Pieces

Tell = Callable[[int], None]
"""Told of each piece that has come."""


@dataclass(frozen=True)
class Wanted:
    """What all scenes of a request have in common.

    Attributes:
        polygon: the area with its margin on the plane of EPSG:3857; None: everything.
        model_gsd_m: metres per pixel that are wanted.
        params: limits and choices.
    """

    polygon: shapely.Geometry | None
    model_gsd_m: float
    params: RemoteParams


@dataclass(frozen=True, kw_only=True)
class Told:
    """What is said of a scene on a server.

    Attributes:
        name: of the local file, with its suffix.
        source: the address without secrets, and the level, for the provenance.
        kind: of the address, for people.
        pieces: that are to be fetched: tiles, or parts of a file.
        unit: what a piece is called.
        size_mb: of them together, by estimate; None where nobody knows.
        width, height: of the scene, pixels.
        gsd_m: of its pixels on the ground.
        hosts: servers that will be asked.
        attribution: whom the imagery is to be credited to, where the server says it.
        notes: what a user should know.
        identity: all that the pieces depend on, for the ledger: plain JSON values.
    """

    name: str
    source: str
    kind: str
    pieces: int
    unit: str
    size_mb: float | None
    width: int
    height: int
    gsd_m: float
    hosts: tuple[str, ...]
    attribution: str = ""
    notes: tuple[str, ...] = ()
    identity: dict[str, Any] = field(default_factory=dict)

    @property
    def tags(self) -> dict[str, str]:
        """By which the local file says where it comes from."""
        credit = {"TIFFTAG_COPYRIGHT": self.attribution} if self.attribution else {}
        return {"GEOROADS_SOURCE": self.source} | credit


class Part(Protocol):
    """A scene on a server."""

    @property
    def told(self) -> Told:
        """What is said of it."""
        ...

    def fetch(self, client: Client, pieces: Pieces, key: str, tell: Tell) -> None:
        """Bring what is missing of its pieces.

        Args:
            client: the door.
            pieces: where they are kept.
            key: how the names of its pieces begin.
            tell: told of each.
        """
        ...

    def write(self, pieces: Pieces, key: str, target: Path) -> tuple[str, ...]:
        """Make a GeoTIFF of the pieces, which are there; what is to be said of it.

        Args:
            pieces: where they are kept.
            key: how the names of its pieces begin.
            target: the file.
        """
        ...
