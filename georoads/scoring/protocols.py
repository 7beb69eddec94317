"""Protocols: the APLS of a publication, with the constants that belong to it, by name.

``georoads`` is this package's own definition. The others exist so that figures can stand beside those of
papers; what each does otherwise stands in its module and in docs/scoring.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import shapely

from georoads.errors import GeoroadsError
from georoads.output.read import RoadLines
from georoads.scoring.apls import Apls, apls
from georoads.scoring.cityscale import apls_cityscale
from georoads.scoring.params import ScoreParams
from georoads.scoring.road_graph import RoadGraph
from georoads.scoring.segments import project_points
from georoads.scoring.spacenet import apls_spacenet
from georoads.settings import with_values

OWN = "georoads"
_DEGREE_M = 111_111.0
"""Metres of a degree in the program of City-Scale, whose constants are degrees."""
PROTOCOLS: Mapping[str, Mapping[str, float]] = MappingProxyType(
    {
        OWN: {},
        "spacenet": {
            "apls_all_pairs": 500,
            "topo_match_m": 4.0,
            "topo_step_m": 30.0,
            "topo_radius_m": 150.0,
        },
        "cityscale": {
            "apls_snap_m": 10.0,
            "apls_margin_m": 100.0,
            "apls_least_route_m": 100.0,
            "topo_match_m": round(0.0001 * _DEGREE_M, 2),
            "topo_step_m": round(0.00005 * _DEGREE_M, 2),
            "topo_radius_m": round(0.003 * _DEGREE_M, 2),
            "topo_seed_every_m": round(0.0005 * _DEGREE_M, 2),
            "topo_seeds": 100_000,
        },
    }
)
"""What each protocol sets, by its name; all else keeps its default."""


def params_of(protocol: str) -> ScoreParams:
    """The settings of a protocol.

    Raises:
        GeoroadsError: no protocol has this name.

    Example:
        >>> params_of("cityscale").apls_snap_m
        10.0
    """
    if protocol not in PROTOCOLS:
        raise GeoroadsError(f"there is no protocol {protocol!r}", f"known: {', '.join(PROTOCOLS)}")
    return with_values(ScoreParams(), PROTOCOLS[protocol], "score")


def apls_by(
    protocol: str, proposal: RoadGraph, reference: RoadGraph, params: ScoreParams, tile: shapely.Geometry
) -> Apls:
    """APLS of two networks by one of the protocols.

    Args:
        protocol: its name, one of ``PROTOCOLS``.
        proposal: the network to be judged.
        reference: the truth.
        params: the settings.
        tile: polygon in the networks' plane that City-Scale's margin is counted from.
    """
    if protocol == "spacenet":
        return apls_spacenet(proposal, reference, params)
    if protocol == "cityscale":
        return apls_cityscale(proposal, reference, params, tile)
    return apls(proposal, reference, params)


def tile_of(reference: RoadLines, crs: str, params: ScoreParams) -> shapely.Geometry:
    """The tile that the layers show, as a polygon in the plane ``crs``.

    Args:
        reference: the truth; its CRS is that of ``params.tile``, and the box around its lines is the tile
            where none is given.
        crs: the plane, as from ``local_crs``.
        params: names the tile, or does not.

    Raises:
        LayerError: the tile's corners cannot be projected.
    """
    if params.tile is None and not len(reference.lines):
        return shapely.Polygon()
    west, south, east, north = params.tile or shapely.total_bounds(reference.lines)
    corners = np.array([[west, south], [east, south], [east, north], [west, north]], dtype=np.float64)
    return shapely.Polygon(project_points(corners, reference, crs))


def notes_on(protocol: str, found: Apls, params: ScoreParams) -> tuple[str, ...]:
    """What a user should know of a score by a protocol.

    Args:
        protocol: its name.
        found: the score.
        params: the settings it was made with.
    """
    if protocol != "cityscale":
        return ()
    notes = []
    if params.tile is None:
        notes.append(
            f"the margin of {params.apls_margin_m:g} m is counted from the box around the reference: "
            "--set score.tile=[W,S,E,N] names the tile, in the reference's CRS"
        )
    if not (found.reference_onto_proposal.pairs and found.proposal_onto_reference.pairs):
        notes.append(
            f"no route of more than {params.apls_least_route_m:g} m lies within the margin: "
            "such a direction counts as 0 in APLS"
        )
    return tuple(notes)
