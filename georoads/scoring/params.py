"""The settings of the scores, with their defaults and where those come from."""

from __future__ import annotations

from dataclasses import dataclass, fields

from georoads.settings import check_ranges

_LENGTH_M = 0.01, 1_000_000
_RANGES: dict[str, tuple[float, float]] = {
    "apls_least_route_m": (0.001, 1_000_000), "apls_margin_m": (0, 1_000_000),
    "apls_min_curvature": (0, 1_000_000), "bound_m": (0, 1_000_000), "topo_step_m": (0.1, 1_000_000),
    "apls_spacing_m": (0.1, 1_000_000), "topo_seed_every_m": (0.1, 1_000_000),
    "apls_all_pairs": (0, 1_000_000), "apls_sources": (1, 1_000_000), "topo_seeds": (1, 1_000_000),
    "doubled_deg": (0.01, 90), "bend_deg": (0.01, 180), "seed": (0, 2**63 - 1),
}  # fmt: skip
"""Of what is no plain length; finer steps along the roads would never end."""


@dataclass(frozen=True)
class ScoreParams:
    """Settings of the scores; lengths in metres on the ground. docs/scoring.md says why.

    Attributes:
        buffer_m: how far lines may lie apart and still match.
        apls_spacing_m: greatest distance between control points along an edge.
        apls_min_curvature: edges of this curvature or more get control points between their ends; 0: all do.
        apls_snap_m: how far a control point may lie from the other network.
        apls_all_pairs: with up to so many control points, routes from each to all others are compared.
        apls_sources: with more, only the routes from so many of them, drawn with ``seed``.
        topo_match_m: how far a hole may lie from its marble, and a seed from the other network.
        topo_step_m: distance of holes and marbles along the roads.
        topo_radius_m: how far the roads are followed from a seed.
        topo_seed_every_m: greatest distance between possible seeds along an edge.
        topo_seeds: number of seeds at most, drawn with ``seed``.
        node_match_m: how far a node may lie from its partner.
        spur_m: a dead end shorter than this is a spur.
        doubled_m: roads closer than this, and nearly parallel, are doubled.
        doubled_deg: directions that differ by at most so many degrees are nearly parallel.
        bend_deg: a bend that turns by more degrees is sharp.
        bound_m: a road that ends within this of the layer's bound was cut there and is no dangle.
        seed: the random draws of control points and seeds begin with it.
        apls_least_route_m: shorter routes are not compared.
        apls_margin_m: control points nearer to the tile's bound are left out; with --protocol cityscale only.
        tile: (west, south, east, north) in the reference's CRS of the tile of that margin; null: the box
            around the reference.
    """

    buffer_m: float = 4.0
    apls_spacing_m: float = 50.0
    apls_min_curvature: float = 0.0
    apls_snap_m: float = 4.0
    apls_all_pairs: int = 1000
    apls_sources: int = 500
    topo_match_m: float = 8.0
    topo_step_m: float = 5.5
    topo_radius_m: float = 300.0
    topo_seed_every_m: float = 50.0
    topo_seeds: int = 500
    node_match_m: float = 8.0
    spur_m: float = 15.0
    doubled_m: float = 3.0
    doubled_deg: float = 15.0
    bend_deg: float = 45.0
    bound_m: float = 10.0
    seed: int = 42
    apls_least_route_m: float = 0.001
    apls_margin_m: float = 0.0
    tile: tuple[float, float, float, float] | None = None

    def __post_init__(self) -> None:
        numbers = [field.name for field in fields(self) if field.name != "tile"]
        check_ranges(self, {name: _RANGES.get(name, _LENGTH_M) for name in numbers})
        if self.tile is not None and not (self.tile[0] < self.tile[2] and self.tile[1] < self.tile[3]):
            raise ValueError(f"tile is west, south, east, north, not {self.tile}")
