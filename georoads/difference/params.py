"""How two road layers are compared, with the defaults and why they are so."""

from __future__ import annotations

from dataclasses import dataclass, field

from georoads.output.maproulette import TaskParams
from georoads.settings import check_ranges

NO_ROADS = (
    "footway", "path", "cycleway", "steps", "bridleway", "corridor", "elevator", "platform", "bus_stop",
    "via_ferrata", "proposed", "planned", "construction", "abandoned", "disused", "razed", "demolished",
)  # fmt: skip
"""Values of OpenStreetMap's ``highway`` that are no roads for vehicles, or none that are there."""

_RANGES: dict[str, tuple[float, float]] = {
    "match_m": (0.1, 1000), "angle_deg": (1, 90), "min_length_m": (0, 100_000), "close_m": (0, 10_000),
    "moved_m": (0, 1000), "snap_m": (0, 1000), "search_m": (0, 100),
}  # fmt: skip


@dataclass(frozen=True)
class DiffParams:
    """How roads are compared with a reference; lengths in metres on the ground. docs/diff.md says why.

    Attributes:
        match_m: lines that lie no farther apart, and run alike, are the same road.
        angle_deg: directions that differ by at most so many degrees are alike.
        moved_m: a matched road that lies farther from its partner was moved; match_m or more: none was.
        min_length_m: what is new, missing or moved hangs together for so many metres at least.
        close_m: gaps and matches that are shorter do not divide a stretch.
        snap_m: loose ends of new roads are led to the reference over so many metres at most; 0: none is.
        search_m: how large an offset between the layers can be found.
        no_roads: where the reference has a field highway (or fclass), its lines of these values are left out.
        align: whether the offset between the layers is looked for, and ROADS laid onto the reference by it.
        same: whether what has not changed is given, too.
        tasks: what tasks say, where the output holds tasks.
    """

    match_m: float = 8.0
    angle_deg: float = 30.0
    moved_m: float = 4.0
    min_length_m: float = 20.0
    close_m: float = 15.0
    snap_m: float = 10.0
    search_m: float = 12.0
    no_roads: tuple[str, ...] = NO_ROADS
    align: bool = True
    same: bool = False
    tasks: TaskParams = field(default_factory=TaskParams)

    def __post_init__(self) -> None:
        check_ranges(self, _RANGES)
