"""The scores as an aligned table for people."""

from __future__ import annotations

from georoads.scoring.apls import Direction
from georoads.scoring.protocols import OWN
from georoads.scoring.score import Score
from georoads.text import printable

_Row = tuple[str, str, str]
"""The name of a number, the number, and what it means."""


def table(score: Score, proposal: str = "proposal", reference: str = "reference") -> list[str]:
    """Lines of text: each number, its name, and what it means.

    Args:
        score: the scores.
        proposal, reference: what the layers are called in the first line.
    """
    parts = _titled_parts(score)
    rows = [row for part in parts.values() for row in part]
    wide, far = max(len(name) for name, _, _ in rows), max(len(number) for _, number, _ in rows)
    proposal, reference = printable(proposal), printable(reference)
    lines = [f"{proposal} ({score.proposal_km:.2f} km) against {reference} ({score.reference_km:.2f} km)"]
    for title, part in parts.items():
        lines += ["", title]
        lines += [f"  {name:<{wide}}  {number:>{far}}  {meaning}" for name, number, meaning in part]
    return lines


def _titled_parts(score: Score) -> dict[str, list[_Row]]:
    """The rows of each part of the table, by its title."""
    p, topo, nodes = score.params, score.topo, score.nodes
    topo_params = f"radius {p.topo_radius_m:g} m, step {p.topo_step_m:g} m, match {p.topo_match_m:g} m"
    return {
        f"lengths, within {p.buffer_m:g} m": [
            _share_row("completeness", score.completeness, "share of the reference that was found"),
            _share_row("correctness", score.correctness, "share of the proposal that is right"),
            _share_row("F1", score.f1, "harmonic mean of the two"),
            _share_row("quality", score.quality, "right / (proposal + missed)"),
        ],
        f"routes ({_name_apls(score)}), {_describe_spacing(score)}, snapped within {p.apls_snap_m:g} m": [
            _share_row("APLS", score.apls.score, f"routes are as long in both; {_name_mean(score)} mean"),
            _direction_row("reference on proposal", score.apls.reference_onto_proposal),
            _direction_row("proposal on reference", score.apls.proposal_onto_reference),
        ],
        f"surroundings (TOPO), {topo_params}": [
            _share_row("TOPO F1", topo.f1, _describe_seeds(score)),
            _share_row("precision", topo.precision, f"{topo.matched} of {topo.marbles} reached are right"),
            _share_row("recall", topo.recall, f"{topo.matched} of {topo.holes} places are reached"),
            _share_row("by seeds", topo.mean_f1, _describe_means(score)),
        ],
        f"junctions and dead ends, within {p.node_match_m:g} m": [
            _share_row("node F1", nodes.f1, "matched one to one"),
            _share_row("precision", nodes.precision, f"{nodes.matched} of {nodes.proposal} are right"),
            _share_row("recall", nodes.recall, f"{nodes.matched} of {nodes.reference} were found"),
        ],
        "tidiness of the proposal": _tidiness_rows(score),
    }


def _share_row(name: str, value: float, meaning: str) -> _Row:
    return name, f"{value:.4f}", meaning


def _name_apls(score: Score) -> str:
    return "APLS" if score.protocol == OWN else f"APLS by {score.protocol}"


def _name_mean(score: Score) -> str:
    return "arithmetic" if score.protocol == "cityscale" else "harmonic"


def _describe_means(score: Score) -> str:
    topo = score.topo
    return f"F1 of the seeds' means (He et al.): {topo.mean_precision:.4f}, {topo.mean_recall:.4f}"


def _describe_spacing(score: Score) -> str:
    text = f"a control point each {score.params.apls_spacing_m:g} m"
    least = score.params.apls_min_curvature
    return f"{text} on edges of curvature {least:g} or more" if least else text


def _direction_row(name: str, found: Direction) -> _Row:
    drawn = f", from {found.sources} of them, drawn" if found.sources < found.control_points else ""
    near = f"{found.snapped} of {found.control_points} points are near{drawn}"
    return _share_row(name, found.score, f"{near}; {found.missing} of {found.pairs} routes missing")


def _describe_seeds(score: Score) -> str:
    topo = score.topo
    drawn = f"drawn from {topo.possible_seeds}" if topo.seeds < topo.possible_seeds else "all that there are"
    return f"from {topo.seeds} seeds ({drawn}), {topo.unmatched_seeds} not on the proposal"


def _tidiness_rows(score: Score) -> list[_Row]:
    tidiness, p = score.tidiness, score.params
    jitter = "none" if tidiness.jitter_m is None else f"{tidiness.jitter_m:.2f}"
    turns = f"turns above {p.bend_deg:g}° between nodes"
    beside = f"metres within {p.doubled_m:g} m of another road, parallel within {p.doubled_deg:g}°"
    return [
        ("vertices / km", f"{tidiness.vertices_per_km:.1f}", "points of the lines"),
        ("dangles / km", f"{tidiness.dangles_per_km:.2f}", f"dead ends beyond {p.bound_m:g} m of the bound"),
        ("spurs / km", f"{tidiness.spurs_per_km:.2f}", f"dead ends shorter than {p.spur_m:g} m"),
        ("doubled m / km", f"{tidiness.doubled_m_per_km:.1f}", beside),
        ("sharp bends / km", f"{tidiness.sharp_bends_per_km:.2f}", turns),
        ("jitter (m)", jitter, "RMS distance to the reference, where it is within the buffer"),
    ]
