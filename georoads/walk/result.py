"""What the walk answers: a plan, a summary of what was done, and the roads."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

from georoads.network.types import RoadNetwork
from georoads.output.table import node_table, road_table
from georoads.resources import Needs

if TYPE_CHECKING:
    from geopandas import GeoDataFrame


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a walk would do.

    Attributes:
        width, height, gsd_m: of the working grid: pixels, metres.
        crs: its name.
        own_pixels: True when it has the scene's own pixels, False when these are resampled.
        tiles, tile_px, overlap_px, batch: what goes through the network.
        runtime, device, precision: of the network.
        needs: memory and disk, by estimate.
        messages: what was noticed about the scene.
    """

    width: int
    height: int
    gsd_m: float
    crs: str
    own_pixels: bool
    tiles: int
    tile_px: int
    overlap_px: int
    batch: int
    runtime: str
    device: str
    precision: str
    needs: Needs
    messages: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Summary:
    """What a walk did.

    Attributes:
        output: the file written, or the database as it is shown; "" where nothing was to be written.
        roads: number of lines.
        length_km: their length.
        seconds: by stage, one after another.
        runtime, device, precision: of the network.
        gsd_m: of the working grid.
        peak_rss_mb: largest resident memory so far; None where the system does not tell.
        messages: what was noticed about the scene.
        stages: seconds that predict's stages (read, network, write) were at work; they run side by side, and
            those of several workers are added.
        waited: share of predict's time in which a device had nothing to do.
        workers: networks at work at the same time, at the end.
    """

    output: str
    roads: int = 0
    length_km: float = 0.0
    seconds: dict[str, float] = field(default_factory=dict)
    runtime: str = ""
    device: str = ""
    precision: str = ""
    gsd_m: float = 0.0
    peak_rss_mb: float | None = None
    messages: tuple[str, ...] = ()
    stages: dict[str, float] = field(default_factory=dict)
    waited: float = 0.0
    workers: int = 1


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class RoadResult:
    """The roads that were found, as they were written or would be.

    Attributes:
        summary: what was done, in figures.
        network: the roads in pixel coordinates of the working grid.
        crs: of the tables.
        sources: names of the files that the roads come from.
    """

    summary: Summary
    network: RoadNetwork
    crs: str
    sources: tuple[str, ...] = ()

    @cached_property
    def roads(self) -> GeoDataFrame:
        """The lines with their attributes, as in the layer ``roads`` (docs/data-dictionary.md)."""
        from georoads.output.frame import frame_of

        return frame_of(road_table(self.network, self.crs, self.sources))

    @cached_property
    def nodes(self) -> GeoDataFrame:
        """The junctions and ends of the lines, as in the layer ``nodes``."""
        from georoads.output.frame import frame_of

        return frame_of(node_table(self.network, self.crs))

    def __repr__(self) -> str:
        where = f" in {self.summary.output}" if self.summary.output else ""
        return f"<{self.summary.roads} roads, {self.summary.length_km:.2f} km{where}>"
