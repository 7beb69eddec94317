"""The scores as an aligned table for people."""

from __future__ import annotations

from georoads.scoring.apls import Direction
from georoads.scoring.score import Score
from georoads.text import printable

_Row = tuple[str, str, str]


def table(score: Score, proposal: str = "proposal", reference: str = "reference") -> list[str]:
    """Lines of text: each number, its name, and what it means."""
    p, topo, nodes = score.params, score.topo, score.nodes
    titled: list[tuple[str, list[_Row]]] = [
        (
            f"lengths, within {p.buffer_m:g} m",
            [
                _row("completeness", score.completeness, "share of the reference that was found"),
                _row("correctness", score.correctness, "share of the proposal that is right"),
                _row("F1", score.f1, "harmonic mean of the two"),
                _row("quality", score.quality, "right / (proposal + missed)"),
            ],
        ),
        (
            f"routes (APLS), {_curved(score)}, snapped within {p.apls_snap_m:g} m",
            [
                _row("APLS", score.apls.score, "routes are as long in both; harmonic mean"),
                _direction("reference on proposal", score.apls.reference_onto_proposal),
                _direction("proposal on reference", score.apls.proposal_onto_reference),
            ],
        ),
        (
            f"surroundings (TOPO), radius {p.topo_radius_m:g} m, step {p.topo_step_m:g} m, match "
            f"{p.topo_match_m:g} m",
            [
                _row("TOPO F1", topo.f1, _seeds(score)),
                _row("precision", topo.precision, f"{topo.matched} of {topo.marbles} reached are right"),
                _row("recall", topo.recall, f"{topo.matched} of {topo.holes} places are reached"),
            ],
        ),
        (
            f"junctions and dead ends, within {p.node_match_m:g} m",
            [
                _row("node F1", nodes.f1, "matched one to one"),
                _row("precision", nodes.precision, f"{nodes.matched} of {nodes.proposal} are right"),
                _row("recall", nodes.recall, f"{nodes.matched} of {nodes.reference} were found"),
            ],
        ),
        ("what a user feels, on the proposal", _feel(score)),
    ]
    rows = [row for _, part in titled for row in part]
    wide, far = max(len(name) for name, _, _ in rows), max(len(number) for _, number, _ in rows)
    proposal, reference = printable(proposal), printable(reference)
    lines = [f"{proposal} ({score.proposal_km:.2f} km) against {reference} ({score.reference_km:.2f} km)"]
    for title, part in titled:
        lines += ["", title]
        lines += [f"  {name:<{wide}}  {number:>{far}}  {meaning}" for name, number, meaning in part]
    return lines


def _row(name: str, value: float, meaning: str) -> _Row:
    return name, f"{value:.4f}", meaning


def _curved(score: Score) -> str:
    text = f"a control point each {score.params.apls_spacing_m:g} m"
    least = score.params.apls_min_curvature
    return f"{text} on edges of curvature {least:g} or more" if least else text


def _direction(name: str, found: Direction) -> _Row:
    drawn = f", from {found.sources} of them, drawn" if found.sources < found.control_points else ""
    near = f"{found.snapped} of {found.control_points} points are near{drawn}"
    return _row(name, found.score, f"{near}; {found.missing} of {found.pairs} routes missing")


def _seeds(score: Score) -> str:
    topo = score.topo
    drawn = f"drawn from {topo.possible_seeds}" if topo.seeds < topo.possible_seeds else "all that there are"
    return f"from {topo.seeds} seeds ({drawn}), {topo.unmatched_seeds} not on the proposal"


def _feel(score: Score) -> list[_Row]:
    feel, p = score.feel, score.params
    jitter = "none" if feel.jitter_m is None else f"{feel.jitter_m:.2f}"
    return [
        ("vertices / km", f"{feel.vertices_per_km:.1f}", "points of the lines"),
        (
            "dangles / km",
            f"{feel.dangles_per_km:.2f}",
            f"dead ends beyond {p.bound_m:g} m of the bound",
        ),
        ("spurs / km", f"{feel.spurs_per_km:.2f}", f"dead ends shorter than {p.spur_m:g} m"),
        (
            "doubled m / km",
            f"{feel.doubled_m_per_km:.1f}",
            f"metres within {p.doubled_m:g} m of another road, parallel within {p.doubled_deg:g}°",
        ),
        (
            "sharp bends / km",
            f"{feel.sharp_bends_per_km:.2f}",
            f"turns above {p.bend_deg:g}° between nodes",
        ),
        ("jitter (m)", jitter, "RMS distance to the reference, where it is within the buffer"),
    ]
