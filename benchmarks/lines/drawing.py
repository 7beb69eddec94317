"""Pictures for looking: the tile, and the lines of the reference and of two ways over it."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import shapely
from numpy.typing import NDArray
from tiles import tile_grid, to_layer

from georoads.data.dataset import Sample
from georoads.data.pictures import read_image
from georoads.grid import Points
from georoads.output.read import RoadLines
from georoads.picture_files import write_png

FAR_M = 4.0
BLUE, GREEN, RED, YELLOW = (255, 120, 0), (0, 220, 0), (0, 0, 255), (0, 230, 255)
"""BGR."""


def draw_tile(sample: Sample, reference: RoadLines, ways: dict[str, list[Points]], path: Path) -> None:
    """Four panels: the picture; the reference; each way's lines, green where the reference is within 4 m.

    In a way's panel red are lines that the reference does not have, yellow what it has and the way has not.
    """
    image = np.ascontiguousarray(read_image(sample)[..., ::-1])
    shape = image.shape[0], image.shape[1]
    true = shapely.unary_union(list(reference.lines))
    panels = [image, _panel(image, [(true, BLUE)], _ends(reference))]
    for lines in ways.values():
        layer = to_layer(lines, shape, sample.name)
        drawn = shapely.unary_union(list(layer.lines))
        near = true.buffer(FAR_M)
        parts = [
            (drawn.intersection(near), GREEN),
            (drawn.difference(near), RED),
            (true.difference(drawn.buffer(FAR_M)), YELLOW),
        ]
        panels.append(_panel(image, parts, _ends(layer)))
    rows = [np.hstack(panels[i : i + 2]) for i in range(0, len(panels), 2)]
    write_png(path, np.vstack(rows)[..., ::-1])


def _ends(layer: RoadLines) -> Points:
    return np.array([line.coords[i] for line in layer.lines for i in (0, -1)]).reshape(-1, 2)


def _panel(
    image: NDArray[np.uint8], parts: list[tuple[shapely.Geometry, tuple[int, int, int]]], ends: Points
) -> NDArray[np.uint8]:
    panel = (image * 0.55).astype(np.uint8)
    grid = tile_grid((image.shape[0], image.shape[1]))
    for geometry, colour in parts:
        for part in shapely.get_parts(geometry):
            points = grid.to_px(shapely.get_coordinates(part))
            cv2.polylines(panel, [np.round(points * 8).astype(np.int32)], False, colour, 2, cv2.LINE_AA, 3)
    for x, y in grid.to_px(ends) if len(ends) else ():
        cv2.circle(panel, (round(x), round(y)), 4, (255, 255, 255), 1, cv2.LINE_AA)
    return panel
