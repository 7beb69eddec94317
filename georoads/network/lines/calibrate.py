"""Confidence and width as the model's calibration has them, instead of as p and its mask show them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from georoads.calibration import Calibration
from georoads.network.lines.widths import no_wider_than_long
from georoads.network.types import RoadNetwork


def calibrate(network: RoadNetwork, calibration: Calibration) -> RoadNetwork:
    """The network with confidences and widths corrected.

    Both are functions of the line's own value alone, so which of two roads is the surer or the wider stays
    as it was.
    """
    factor = calibration.width_factor(network.width_m)
    row = np.searchsorted(network.node_id, network.edge_nodes)
    return replace(
        network,
        confidence=calibration.confidence(network.confidence),
        confidence_p05=calibration.confidence(network.confidence_p05),
        width_m=no_wider_than_long(network.width_m * factor, network.length_m, row),
        width_std_m=network.width_std_m * factor,
    )
