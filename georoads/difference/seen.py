"""Where ROADS' scene was seen, and what p says there: only there can a road of REFERENCE be missing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
import shapely
from numpy.typing import NDArray

from georoads.difference.nearby import Numbers
from georoads.grid import Grid, Points, Window
from georoads.inference.raster import BLOCK, ProbabilityRaster
from georoads.levels import NODATA, p_of
from georoads.ragged import offsets_of, owners, ranks
from georoads.scoring.segments import Segments
from georoads.scoring.stretches import LaidLines, Stretches

_STEP_M = 2.0
"""Along the roads, where it is seen or not is looked at in steps of this; longer where pixels are larger."""
_RIM_M = 1.0
"""The hull is so much wider: what lies on its border lies inside."""
_PART = 1_000_000
"""Steps that are looked at at once: bounds memory."""


class Seen(Protocol):
    """Where something was seen."""

    @property
    def step_m(self) -> float:
        """Metres along a road in which it is looked at."""

    @property
    def has_p(self) -> bool:
        """Whether p is known."""

    def p_at(self, places: Points) -> Numbers:
        """(N,) float64 at places (N, 2) of the plane: p, or 1 where it is not known; NaN where nothing was
        seen.

        Raises:
            GeoroadsError: as ``ProbabilityRaster.read``.
        """


@dataclass(frozen=True)
class SeenHull:
    """The convex hull of ROADS, where there is nothing better to go by.

    Attributes:
        hull: in the plane; empty where ROADS is.
    """

    hull: shapely.Geometry
    step_m: float = _STEP_M
    has_p: bool = False

    @classmethod
    def of(cls, segments: Segments) -> SeenHull:
        """The hull of lines."""
        points = np.concatenate((segments.start, segments.end))
        hull = shapely.convex_hull(shapely.multipoints(points)) if len(points) else shapely.Polygon()
        hull = shapely.buffer(hull, _RIM_M)
        shapely.prepare(hull)
        return cls(hull)

    def p_at(self, places: Points) -> Numbers:
        """As ``Seen.p_at``."""
        return np.where(shapely.intersects_xy(self.hull, *places.T), 1.0, np.nan)


@dataclass(frozen=True)
class SeenRaster:
    """The valid pixels of a probability raster.

    Attributes:
        raster: opened.
        to_px: takes places of the plane to pixel coordinates.
        step_m: as for ``Seen``.
    """

    raster: ProbabilityRaster
    to_px: ToPixels
    step_m: float
    has_p: bool = True

    @classmethod
    def of(cls, raster: ProbabilityRaster, to_px: ToPixels) -> SeenRaster:
        """Steps of two metres, or of a pixel where that is longer."""
        return cls(raster, to_px, max(_STEP_M, raster.grid.gsd_m))

    def p_at(self, places: Points) -> Numbers:
        """As ``Seen.p_at``."""
        return levels_at(self.raster, self.to_px(places))


class ToPixels(Protocol):
    """From places (N, 2) of the plane to pixel coordinates (N, 2)."""

    def __call__(self, places: Points) -> Points: ...


def levels_at(raster: ProbabilityRaster, places_px: Points) -> Numbers:
    """(N,) float64: p at places in pixel coordinates; NaN beyond the raster and where it has no value.

    Each block of the raster is read once.

    Raises:
        GeoroadsError: as ``ProbabilityRaster.read``.
    """
    p = np.full(len(places_px), np.nan)
    grid: Grid = raster.grid
    with np.errstate(invalid="ignore"):
        inside = (
            np.isfinite(places_px).all(axis=1)
            & (places_px >= 0).all(axis=1)
            & (places_px < [grid.width, grid.height]).all(axis=1)
        )
    rows = np.flatnonzero(inside)
    col, row = np.floor(places_px[rows]).astype(np.int64).T
    block = (row // BLOCK) * (grid.width // BLOCK + 1) + col // BLOCK
    order = np.argsort(block, kind="stable")
    for part in np.split(order, np.flatnonzero(np.diff(block[order])) + 1):
        if not len(part):
            continue
        top, left = int(row[part[0]]) // BLOCK * BLOCK, int(col[part[0]]) // BLOCK * BLOCK
        levels = raster.read(Window(top, left, BLOCK, BLOCK).intersect(grid.window))
        found = levels[row[part] - top, col[part] - left]
        p[rows[part]] = np.where(found == NODATA, np.nan, found * p_of(1))
    return p


def cut_to_seen(laid: LaidLines, stretches: Stretches, seen: Seen) -> tuple[Stretches, Numbers]:
    """The parts of stretches that lie where something was seen.

    Args:
        laid: the lines.
        stretches: of these.
        seen: where.

    Returns:
        The parts, in order, and (N,) float64, the mean of p along each.
    """
    counts = np.maximum(np.ceil(stretches.length_m / seen.step_m), 1).astype(np.int64)
    parts, means = [stretches.kept(np.zeros(len(stretches), dtype=bool))], [np.empty(0)]
    # As many stretches at once as have about so many steps.
    group = np.cumsum(counts) // _PART
    for rows in np.split(np.arange(len(stretches)), np.flatnonzero(np.diff(group)) + 1):
        some, p = _seen_parts(laid, stretches.kept(rows), counts[rows], seen)
        parts.append(some)
        means.append(p)
    return Stretches.joined(parts), np.concatenate(means)


def _seen_parts(
    laid: LaidLines, stretches: Stretches, counts: NDArray[np.int64], seen: Seen
) -> tuple[Stretches, Numbers]:
    """As ``cut_to_seen``, of stretches that are looked at in so many steps (N,)."""
    owner, step = owners(offsets_of(counts)), stretches.length_m / counts
    low = stretches.low_m[owner] + ranks(counts) * step[owner]
    at = low + step[owner] / 2
    p = seen.p_at(laid.points_at(at, laid.pieces_at(at)))
    return _runs_of(stretches, owner, low, low + step[owner], p)


def _runs_of(
    stretches: Stretches, owner: NDArray[np.int64], low: Numbers, high: Numbers, p: Numbers
) -> tuple[Stretches, Numbers]:
    """Steps of stretches, joined where they follow each other and p is a number."""
    rows = np.flatnonzero(~np.isnan(p))
    if not len(rows):
        return stretches.kept(np.zeros(len(stretches), dtype=bool)), np.empty(0)
    begins = np.append(True, (np.diff(rows) > 1) | (np.diff(owner[rows]) > 0))
    first, last = rows[begins], rows[np.append(begins[1:], True)]
    parts = Stretches(stretches.line[owner[first]], low[first], high[last])
    starts = np.flatnonzero(begins)
    return parts, np.add.reduceat(p[rows], starts) / np.diff(np.append(starts, len(rows)))
