"""The plane of a map: metres east and north of its middle, the same for lines and scene."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from georoads.crs import to_wgs84
from georoads.grid import Points, metric_crs, middle_of

Bounds = tuple[float, float, float, float]
"""west, south, east, north in metres of a plane."""


@dataclass(frozen=True)
class Plane:
    """The plane of ``metric_crs`` around a place: true to 1e-5 within 50 km, north up at its middle.

    Attributes:
        lon, lat: the middle, WGS 84 degrees.
    """

    lon: float
    lat: float

    @property
    def crs(self) -> str:
        """As a PROJ string."""
        return metric_crs(self.lon, self.lat)

    def project(self, points: Points, crs: str) -> Points:
        """Points (N, 2) of a CRS in metres of this plane; those that cannot be are infinite."""
        lonlat = to_wgs84(crs).transform(points[:, 0], points[:, 1])
        return np.column_stack(to_wgs84(self.crs).transform(*lonlat, direction="INVERSE"))

    def unproject(self, points: Points, crs: str) -> Points:
        """Points (N, 2) in metres of this plane in a CRS; those that cannot be are infinite."""
        lonlat = to_wgs84(self.crs).transform(points[:, 0], points[:, 1])
        return np.column_stack(to_wgs84(crs).transform(*lonlat, direction="INVERSE"))


def plane_around(points: Points, crs: str) -> Plane:
    """The plane around the middle of the box of some points (N, 2), N > 0."""
    (west, south), (east, north) = points.min(axis=0), points.max(axis=0)
    corners = to_wgs84(crs).transform([west, east, west, east], [south, south, north, north])
    return Plane(*middle_of(np.nan_to_num(np.column_stack(corners), posinf=0.0, neginf=0.0)))


def outline(bounds: Bounds, steps: int = 32) -> Points:
    """Points (4 * steps, 2) along the border of a box: a straight border of one CRS is bent in another."""
    west, south, east, north = bounds
    share = np.arange(steps) / steps
    across, up = west + share * (east - west), south + share * (north - south)
    sides = (
        (across, np.full(steps, south)),
        (np.full(steps, east), up),
        (across[::-1] + (east - west) / steps, np.full(steps, north)),
        (np.full(steps, west), up[::-1] + (north - south) / steps),
    )
    return np.concatenate([np.column_stack(side) for side in sides])


def box_of(points: Points) -> Bounds:
    """The box around points (N, 2), N > 0."""
    (west, south), (east, north) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    return west, south, east, north


def widened(bounds: Bounds, share: float, least_m: float) -> Bounds:
    """A box with a margin on each side.

    Args:
        bounds: the box.
        share: the margin as a share of the box's longer side.
        least_m: the margin is at least so wide.
    """
    west, south, east, north = bounds
    margin = max(least_m, share * max(east - west, north - south))
    return west - margin, south - margin, east + margin, north + margin


def round_length(most_m: float) -> float:
    """The largest of 1, 2, 5, 10, … metres that is not above ``most_m``: the length of a scale bar.

    Example:
        >>> round_length(73), round_length(0.4)
        (50.0, 0.2)
    """
    power = 10.0 ** np.floor(np.log10(most_m))
    return float(max(f * power for f in (1, 2, 5) if f * power <= most_m * (1 + 1e-9)))
