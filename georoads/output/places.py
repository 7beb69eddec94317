"""Places in whole 1e-7 degrees, a centimetre, as OpenStreetMap and RFC 7946 keep them; ids made of places."""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Iterator

import numpy as np
import shapely
from numpy.typing import NDArray

from georoads.output.coordinates import Geometries

PER_DEGREE = 10_000_000
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "georoads")


def places_of(lonlat: NDArray[np.float64]) -> NDArray[np.int64]:
    """(N, 2) degrees as whole 1e-7 degrees, with longitudes from -180 to 180."""
    turned = lonlat - np.where(np.abs(lonlat) > [180, np.inf], 360 * np.sign(lonlat), 0)
    return np.rint(turned * PER_DEGREE).astype(np.int64)


def place_ids(what: str, geometry: Geometries) -> list[str]:
    """An id for each geometry, which depends on where it lies alone: equal runs give equal ids.

    A road keeps its id when others come or go. Where several geometries lie on the same places, the later
    ones are numbered.

    Args:
        what: the kind of thing; two kinds at one place have two ids.
        geometry: (N,) shapely points or lines, in degrees.

    Returns:
        (N,) UUIDs of version 5 (RFC 9562), all different.

    Example:
        >>> here = shapely.points([[9.0, 45.0], [9.00000001, 45.0]])  # a millimetre apart
        >>> first, second = place_ids("a", here)
        >>> first == second, first == place_ids("a", here[:1])[0], first == place_ids("b", here)[0]
        (False, True, False)
    """
    met: Counter[str] = Counter()
    ids = []
    for text in _place_texts(geometry):
        place_id = str(uuid.uuid5(_NAMESPACE, f"{what} {text}"))
        met[place_id] += 1
        again = met[place_id]
        ids.append(place_id if again == 1 else str(uuid.uuid5(_NAMESPACE, f"{what} {text} {again}")))
    return ids


def _place_texts(geometry: Geometries) -> Iterator[str]:
    """The places of each geometry as a text."""
    lonlat, owner = shapely.get_coordinates(geometry, return_index=True)
    places = places_of(lonlat).astype("<i8")
    for part in np.split(places, np.flatnonzero(np.diff(owner)) + 1) if len(places) else ():
        yield part.tobytes().hex()
