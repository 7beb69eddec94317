"""Where the score comes from: right, missing and false stretches of road, as lines on a map."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray

from georoads import __version__
from georoads.output.coordinates import run_on
from georoads.output.errors_layer import ErrorKind, ErrorLines, write_errors
from georoads.output.provenance import Provenance, provenance_date
from georoads.output.read import RoadLines
from georoads.scoring.buffered import Intervals, find_covered
from georoads.scoring.params import ScoreParams
from georoads.scoring.segments import Segments, local_crs, to_segments, unproject_points

_LEAST_M = 1e-6
"""Stretches and gaps that are shorter come from rounding."""


def explain(proposal: RoadLines, reference: RoadLines, params: ScoreParams | None = None) -> ErrorLines:
    """Cut both layers into the stretches of road that completeness and correctness count.

    Right and false stretches are those of the proposal, within and beyond the buffer of the reference;
    missing ones are those of the reference beyond the buffer of the proposal. So right / (right + false) is
    the correctness. A stretch is as long as a line goes on being the same kind.

    Args:
        proposal: the layer to be judged.
        reference: the truth.
        params: of which ``buffer_m`` matters; None for the defaults.

    Returns:
        The stretches in the proposal's CRS, with their lengths in the local plane, in metres.

    Raises:
        LayerError: a layer cannot be projected.
    """
    params = params or ScoreParams()
    crs = local_crs((reference, proposal))
    ours, truth = to_segments(proposal, crs), to_segments(reference, crs)
    cut = {
        ErrorKind.RIGHT: _cut_stretches(ours, truth, params.buffer_m, inside=True),
        ErrorKind.FALSE: _cut_stretches(ours, truth, params.buffer_m, inside=False),
        ErrorKind.MISSING: _cut_stretches(truth, ours, params.buffer_m, inside=False),
    }
    kinds = tuple(kind for kind, (found, _) in cut.items() for _ in found)
    lines, lengths = (np.concatenate(parts) for parts in zip(*cut.values(), strict=True))
    target = proposal if len(proposal.lines) else reference
    moved = shapely.transform(lines, lambda xy: unproject_points(xy, target, crs)) if len(lines) else lines
    return ErrorLines(run_on(moved, target.crs), kinds, lengths, target.crs)


def write_explained(
    path: Path,
    proposal: RoadLines,
    reference: RoadLines,
    params: ScoreParams,
    *,
    proposal_file: Path,
    reference_file: Path,
    overwrite: bool = False,
    date: datetime | None = None,
) -> ErrorLines:
    """Write the stretches as a styled GeoPackage; see ``write_errors`` for what it refuses.

    Args:
        path: the file to write.
        proposal, reference: the layers.
        params: the settings.
        proposal_file, reference_file: where the layers were read from, for the provenance.
        overwrite: True when an existing file may be replaced.
        date: of the file; None: that of the younger layer.
    """
    found = explain(proposal, reference, params)
    provenance = Provenance(
        model="",
        model_sha256="",
        model_terms="",
        parameters=json.dumps(asdict(params)),
        scene=f"{proposal_file.name} against {reference_file.name}",
        version=__version__,
        date=date or provenance_date((proposal_file, reference_file)),
    )
    write_errors(found, path, provenance, overwrite=overwrite)
    return found


def _cut_stretches(
    segments: Segments, others: Segments, buffer_m: float, *, inside: bool
) -> tuple[NDArray[np.object_], NDArray[np.float64]]:
    """Lines (N,) within or beyond the buffer of the others, in the plane, and their lengths in metres."""
    found = find_covered(segments, others, buffer_m)
    if not inside:
        found = _find_gaps(found, len(segments))
    own, low, high = found.own, found.low, found.high
    length = segments.length_m[own]
    real = (high - low) * length > _LEAST_M
    own, low, high, length = own[real], low[real], high[real], length[real]
    if not len(own):
        return np.empty(0, dtype=np.object_), np.empty(0)
    way = segments.end[own] - segments.start[own]
    start, end = (segments.start[own] + share[:, None] * way for share in (low, high))
    # An interval goes on where the one before left off: at the end of the segment before, on the same line.
    goes_on = np.zeros(len(own), dtype=bool)
    goes_on[1:] = (
        (own[1:] == own[:-1] + 1)
        & (segments.line[own[1:]] == segments.line[own[:-1]])
        & ((1 - high[:-1]) * length[:-1] < _LEAST_M)
        & (low[1:] * length[1:] < _LEAST_M)
    )
    first = np.flatnonzero(~goes_on)
    # A stretch has its first start, and the end of each of its pieces.
    row = np.cumsum(~goes_on) - 1
    points = np.insert(end, first, start[first], axis=0)
    rows = np.insert(row, first, row[first])
    lengths = np.bincount(row, weights=(high - low) * length).astype(np.float64)
    return np.asarray(shapely.linestrings(points, indices=rows), dtype=np.object_), lengths


def _find_gaps(covered: Intervals, count: int) -> Intervals:
    """What intervals leave of each of ``count`` segments."""
    # Each segment gets a last interval from 1 to 1, so that what comes before it is a gap like any other.
    own = np.concatenate((covered.own, np.arange(count)))
    low, high = (np.concatenate((ends, np.ones(count))) for ends in (covered.low, covered.high))
    order = np.lexsort((high, low, own))
    own, low, high = own[order], low[order], high[order]
    before = np.zeros(len(own))
    before[1:] = np.where(own[1:] == own[:-1], high[:-1], 0.0)
    return Intervals(own, before, low)
