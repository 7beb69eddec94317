"""Where the score comes from: right, missing and false stretches of road, as lines on a map."""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import datetime
from pathlib import Path

import numpy as np
import shapely

from georoads import __version__
from georoads.output.coordinates import run_on
from georoads.output.errors_layer import ErrorKind, ErrorLines, write_errors
from georoads.output.provenance import Provenance, provenance_date
from georoads.output.read import RoadLines
from georoads.scoring.params import ScoreParams
from georoads.scoring.segments import local_crs, to_segments, unproject_points
from georoads.scoring.stretches import LaidLines


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
    laid, laid_truth = LaidLines(ours), LaidLines(truth)
    right = laid.covered(laid_truth, params.buffer_m)
    found = {
        ErrorKind.RIGHT: (laid, right),
        ErrorKind.FALSE: (laid, laid.rest(right)),
        ErrorKind.MISSING: (laid_truth, laid_truth.rest(laid_truth.covered(laid, params.buffer_m))),
    }
    kinds = tuple(kind for kind, (_, stretches) in found.items() for _ in stretches.line)
    lines = np.concatenate([of.cut(stretches) for of, stretches in found.values()])
    lengths = np.concatenate([stretches.length_m for _, stretches in found.values()])
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
