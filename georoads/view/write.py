"""A map, written as the suffix of the output says: as a page, a QGIS project or a picture."""

from __future__ import annotations

from pathlib import Path

from georoads.errors import GeoroadsError
from georoads.scene.scene import SceneParams
from georoads.text import printable
from georoads.view.layer import MapSize
from georoads.view.page import write_map
from georoads.view.preview import write_picture
from georoads.view.probability import LevelRaster
from georoads.view.project import write_project
from georoads.view.request import LineWidth, MapRequest

WRITERS = {".html": write_map, ".htm": write_map, ".qgz": write_project, ".png": write_picture}
"""What writes which suffix."""


def write_view(
    roads: Path,
    output: Path,
    scenes: tuple[Path, ...] = (),
    scene_params: SceneParams | None = None,
    *,
    layer: str | None = None,
    overwrite: bool = False,
    width: LineWidth = LineWidth.THIN,
    probability: LevelRaster | None = None,
) -> MapSize:
    """Write a map of a layer of lines, over scenes if there are any; the file appears whole or not at all.

    Args:
        roads: the file of the layer.
        output: the map; its suffix chooses a page (.html), a QGIS project (.qgz) or a picture (.png).
        scenes: what lies below the lines, the first on top.
        scene_params: how the scenes are read; None for the defaults.
        layer: name of the layer in the file; None for the only layer of lines, or the one called ``roads``.
        overwrite: True when an existing file may be replaced.
        width: how wide the lines are; on a page, at first.
        probability: p, along which lines are drawn by hand on a page.

    Raises:
        GeoroadsError: probability is given to what is no page; no map is written with this suffix; as
            ``write_map``, ``write_project`` and ``write_picture``.
    """
    write = WRITERS.get(output.suffix.lower())
    if write is None:
        raise GeoroadsError(
            f"{printable(output)}: a map is not written as {output.suffix or 'a file without suffix'!r}",
            "let its name end in .html (a page), .qgz (a QGIS project) or .png (a picture)",
        )
    if probability is not None and write is not write_map:
        raise GeoroadsError(
            f"{printable(output)}: lines are repaired on a page only",
            "leave --probability out, or write .html",
        )
    request = MapRequest(
        roads, output, scenes, scene_params,
        layer=layer, overwrite=overwrite, width=width, probability=probability,
    )  # fmt: skip
    return write(request)
