"""What may be set of fetching."""

from __future__ import annotations

from dataclasses import dataclass

from georoads.remote.patience import ATTEMPTS
from georoads.settings import check_ranges


@dataclass(frozen=True)
class RemoteParams:
    """How imagery is fetched from servers.

    Attributes:
        zoom: level of tiles; "auto": the one whose pixels are nearest to the model's.
        margin_m: metres around the area that are fetched too, so that its border is seen with what lies
            beside.
        max_tiles: tiles of all addresses together; more are refused before the first one.
        max_mb: megabytes that may be fetched in all.
        tile_px: pixels along a tile (256, 512, …); 0: as the server sends them.
        connections: at the same time.
        timeout_s: seconds that one answer may take in all.
        attempts: of one question, before it is given up.
        pause_s: after the first failure; it doubles with each one more.
        private: hosts, parted by commas, that may lie on this machine or in a private network.
        attribution: whom the imagery is to be credited to, kept in the provenance.
    """

    zoom: str | int = "auto"
    margin_m: float = 64.0
    max_tiles: int = 20_000
    max_mb: float = 4_000.0
    tile_px: int = 0
    connections: int = 4
    timeout_s: float = 120.0
    attempts: int = ATTEMPTS
    pause_s: float = 1.0
    private: str = ""
    attribution: str = ""

    def __post_init__(self) -> None:
        ranges = {
            "margin_m": (0, 10_000), "max_tiles": (1, 10_000_000), "max_mb": (0.001, 10_000_000),
            "tile_px": (0, 2048), "connections": (1, 16), "timeout_s": (0.1, 3600), "attempts": (1, 20),
            "pause_s": (0, 60),
        }  # fmt: skip
        check_ranges(self, ranges)
        if self.zoom != "auto" and not (type(self.zoom) is int and 0 <= self.zoom <= 24):
            raise ValueError(f"zoom is auto or a level from 0 to 24, not {self.zoom!r}")
        if self.tile_px % 16:
            raise ValueError(f"tile_px is a multiple of 16, not {self.tile_px}")
