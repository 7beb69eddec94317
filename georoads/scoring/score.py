"""How well a proposed road layer fits a reference: all scores together."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import shapely

from georoads.output.read import RoadLines
from georoads.scoring.apls import Apls
from georoads.scoring.buffered import match_lengths
from georoads.scoring.nodes import NodeScore, match_nodes
from georoads.scoring.params import ScoreParams
from georoads.scoring.protocols import OWN, apls_by, notes_on, params_of, tile_of
from georoads.scoring.road_graph import road_graph
from georoads.scoring.segments import Segments, local_crs, to_segments
from georoads.scoring.tidiness import Tidiness, measure_tidiness
from georoads.scoring.topo import Topo, topo


@dataclass(frozen=True)
class Score:
    """Scores of a proposal against a reference, each 0..1; lengths in kilometres.

    Attributes:
        completeness: share of the reference's length within the buffer of the proposal (recall).
        correctness: share of the proposal's length within the buffer of the reference (precision).
        f1: harmonic mean of the two.
        quality: matched proposal / (proposal + unmatched reference).
        apls: similarity of the lengths of routes.
        topo: similarity of what can be reached from many places.
        nodes: junctions and dead ends, matched one to one.
        tidiness: how tidy the proposal's lines are.
        reference_km, proposal_km: lengths of the layers.
        params: the settings.
        notes: what a user should know of how they came about.
        protocol: whose definition of APLS it is.
    """

    completeness: float
    correctness: float
    f1: float
    quality: float
    apls: Apls
    topo: Topo
    nodes: NodeScore
    tidiness: Tidiness
    reference_km: float
    proposal_km: float
    params: ScoreParams
    notes: tuple[str, ...] = ()
    protocol: str = OWN

    def as_dict(self) -> dict[str, Any]:
        """For JSON: the scores as plain numbers, how each came about, ``parameters``, and ``notes``."""
        return {
            "apls": self.apls.score,
            "topo_f1": self.topo.f1,
            "node_f1": self.nodes.f1,
            "completeness": self.completeness,
            "correctness": self.correctness,
            "f1": self.f1,
            "quality": self.quality,
            "reference_km": self.reference_km,
            "proposal_km": self.proposal_km,
            "apls_reference_onto_proposal": asdict(self.apls.reference_onto_proposal),
            "apls_proposal_onto_reference": asdict(self.apls.proposal_onto_reference),
            "topo": asdict(self.topo),
            "nodes": asdict(self.nodes),
            "tidiness": asdict(self.tidiness),
            "feel": asdict(self.tidiness),  # its name in earlier releases
            "protocol": self.protocol,
            "parameters": asdict(self.params),
            "notes": list(self.notes),
        }


def score(
    proposal: RoadLines, reference: RoadLines, params: ScoreParams | None = None, protocol: str = OWN
) -> Score:
    """Score a proposal against a reference.

    Both are projected to a plane around the reference, so a buffer of 4 m is 4 m on the ground in any CRS.
    The scores depend neither on the direction of lines nor on their number of points. Two empty layers score
    1, an empty one against another 0.

    Args:
        proposal: the lines to be judged.
        reference: the truth.
        params: None for those of the protocol.
        protocol: whose definition of APLS to use, one of ``PROTOCOLS``.

    Raises:
        GeoroadsError: no protocol has this name.
        LayerError: a layer cannot be projected.

    Example:
        >>> import numpy as np, shapely
        >>> road = RoadLines(np.array([shapely.LineString([(500000, 0), (500100, 0)])]), "EPSG:32633")
        >>> half = RoadLines(np.array([shapely.LineString([(500000, 0), (500046, 0)])]), "EPSG:32633")
        >>> result = score(half, road)
        >>> round(result.completeness, 3), result.correctness, round(result.apls.score, 3)
        (0.5, 1.0, 0.286)
    """
    params = params or params_of(protocol)
    crs = local_crs((reference, proposal))
    truth = to_segments(reference, crs)
    lines = to_segments(proposal, crs)
    matched = match_lengths(lines, truth, params.buffer_m)
    ours, theirs = road_graph(proposal, crs), road_graph(reference, crs)
    routes = apls_by(protocol, ours, theirs, params, tile_of(reference, crs, params))
    return Score(
        completeness=matched.completeness,
        correctness=matched.correctness,
        f1=matched.f1,
        quality=matched.quality,
        apls=routes,
        topo=topo(ours, theirs, params),
        nodes=match_nodes(ours, theirs, params.node_match_m),
        tidiness=measure_tidiness(proposal, crs, ours, truth, params),
        reference_km=matched.reference_m / 1000,
        proposal_km=matched.proposal_m / 1000,
        params=params,
        notes=(
            *proposal.notes,
            *reference.notes,
            *_note_gap(lines, truth, params.buffer_m),
            *notes_on(protocol, routes, params),
        ),
        protocol=protocol,
    )


def _note_gap(proposal: Segments, reference: Segments, buffer_m: float) -> tuple[str, ...]:
    """That the layers lie apart, if their boxes do by more than the buffer."""
    if not len(proposal) or not len(reference):
        return ()
    gap_m = float(shapely.distance(proposal.box, reference.box))
    if gap_m <= buffer_m:
        return ()
    apart = f"{gap_m / 1000:,.1f} km" if gap_m >= 1000 else f"{gap_m:.0f} m"
    return (f"the layers lie {apart} apart: do both show the same place, and is the CRS of both right?",)
