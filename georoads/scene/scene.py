"""A scene: a raster that was looked at and found usable, and how it is to be read."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path

from georoads.errors import SceneError
from georoads.grid import Grid
from georoads.scene.blocks import BlockMap
from georoads.scene.guard import RasterFile


@dataclass(frozen=True)
class SceneParams:
    """How a scene is to be read.

    Attributes:
        bidx: bands (from 1) to use as red, green, blue; or one, for grey.
        nodata: value that means no data where all used bands have it, besides what the file says.
        rescale: (low, high) values that become dark and bright; None: by the scene's own percentiles
            where it is not 8-bit, or 8-bit but dark.
        gsd: metres per pixel to work at: "auto", "native", or a number.
        bounds: (west, south, east, north) in the scene's CRS of the part to work on; None: all.
        max_megapixels: larger rasters are refused.
        skip_bad: blocks that cannot be read count as nodata; else they are refused.
        allow_vrt: a VRT mosaic may be read whose sources lie in its folder.
        assume_crs: CRS of a raster that has none; "local": metres, of no place on the Earth. Where it has no
            transform either, ``gsd`` states the size of its pixels.
        alpha: an alpha band decides which pixels are valid; false: it is not asked.
    """

    bidx: tuple[int, ...] | None = None
    nodata: float | None = None
    rescale: tuple[float, float] | None = None
    gsd: str | float = "auto"
    bounds: tuple[float, float, float, float] | None = None
    max_megapixels: float = 100_000.0
    skip_bad: bool = False
    allow_vrt: bool = False
    assume_crs: str | None = None
    alpha: bool = True

    def __post_init__(self) -> None:
        whole = self.bidx is None or all(type(b) is int for b in self.bidx)
        if not whole:
            raise ValueError(f"bidx holds whole numbers, not {self.bidx}")
        if self.rescale is not None and not _is_ascending(self.rescale):
            raise ValueError(f"rescale is two numbers, the lower first, not {self.rescale}")
        if self.bounds is not None and not _is_box(self.bounds):
            raise ValueError(f"bounds is west, south, east, north, not {self.bounds}")
        size = self.gsd
        if size not in ("auto", "native") and not (isinstance(size, float | int) and 0.01 <= size <= 1000):
            raise ValueError(f"gsd is auto, native or metres per pixel (0.01 to 1000), not {size!r}")

    @property
    def stated_gsd(self) -> float | None:
        """Metres per pixel where the user gives a number."""
        return None if isinstance(self.gsd, str) else float(self.gsd)


@dataclass(frozen=True)
class Scene:
    """A raster that was looked at and found usable.

    Attributes:
        file: the raster, found fit to be opened.
        grid: its own pixel grid.
        written: the blocks that the file holds; the others have no data.
        bands: band numbers (from 1) for red, green, blue; equal ones for grey.
        alpha: band number of the alpha band, or 0.
        dtype: of the values.
        nodata: value that means no data where all bands have it, or None.
        fills: values that mean no data where any band has one, though the file does not say so.
        stretch: per colour (low, high) of the values that become LOW and HIGH; empty: taken as they are.
        palette: (N, 4) colours and opacities as nested tuples where the band is an index, else empty.
        messages: what the summary must say.
        bad: blocks that cannot be read, and count as nodata; None where none is known.
        is_stated: True when its pixels' size was given by the user.
        stamps: name, size and time of modification of its files when it was opened.
    """

    file: RasterFile
    grid: Grid
    written: BlockMap
    bands: tuple[int, int, int]
    alpha: int
    dtype: str
    nodata: float | None
    fills: tuple[float, ...] = ()
    stretch: tuple[tuple[float, float], ...] = ()
    palette: tuple[tuple[int, int, int, int], ...] = ()
    messages: tuple[str, ...] = ()
    bad: BlockMap | None = None
    is_stated: bool = False
    stamps: tuple[tuple[str, int, int], ...] = ()

    @property
    def path(self) -> Path:
        """The scene's file as the user named it."""
        return self.file.path

    @property
    def fingerprint(self) -> str:
        """Differs where the files (size, time of modification) do, or how they are read."""
        bad = [] if self.bad is None else self.bad.positions().tolist()
        place = [self.grid.crs, list(self.grid.transform)[:6], str(self.path) if not self.stamps else ""]
        what = [self.stamps, self.bands, self.alpha, self.nodata, self.fills, self.stretch, bad, place]
        return hashlib.sha256(json.dumps(what).encode()).hexdigest()

    @property
    def is_as_stored(self) -> bool:
        """Whether the bytes that a network sees are those of the file."""
        return self.dtype == "uint8" and not self.stretch and not self.palette

    @property
    def held_m2(self) -> float:
        """Square metres of ground under the blocks that the file holds."""
        return float(self.written.marked.mean()) * self.grid.width * self.grid.height * self.grid.gsd_m**2

    def refuse_if_changed(self) -> None:
        """Look whether its files are still those that were opened.

        Raises:
            SceneError: they are not.
        """
        if tuple(self.file.stamps()) != self.stamps:
            raise SceneError(
                f"{self.path} was changed while it was read", "run again when nothing writes to it"
            )


def _is_ascending(pair: tuple[float, ...]) -> bool:
    numbers = len(pair) == 2 and all(type(v) in (int, float) and math.isfinite(v) for v in pair)
    return numbers and pair[0] < pair[1]


def _is_box(bounds: tuple[float, ...]) -> bool:
    if len(bounds) != 4 or not all(type(v) in (int, float) and math.isfinite(v) for v in bounds):
        return False
    west, south, east, north = bounds
    return west < east and south < north
