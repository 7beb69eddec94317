"""What the suffix of the output makes of a map: a page, a QGIS project or a picture."""

from __future__ import annotations

from pathlib import Path

from georoads.errors import GeoroadsError
from georoads.scene.scene import SceneParams
from georoads.text import printable
from georoads.view.layer import MapSize
from georoads.view.page import write_map
from georoads.view.preview import write_picture
from georoads.view.project import write_project

WRITTEN = {".html": write_map, ".htm": write_map, ".qgz": write_project, ".png": write_picture}
"""Who writes which suffix."""


def write_view(
    roads: Path,
    output: Path,
    scenes: tuple[Path, ...] = (),
    scene_params: SceneParams | None = None,
    *,
    layer: str | None = None,
    overwrite: bool = False,
) -> MapSize:
    """Write a layer over its scenes, if there are any, as what the output's suffix says.

    Raises:
        GeoroadsError: the suffix is none of ``WRITTEN``; as who writes it.
    """
    write = WRITTEN.get(output.suffix.lower())
    if write is None:
        raise GeoroadsError(
            f"{printable(output)}: a map is not written as {output.suffix or 'a file without suffix'!r}",
            "let its name end in .html (a page), .qgz (a QGIS project) or .png (a picture)",
        )
    return write(roads, output, scenes, scene_params, layer=layer, overwrite=overwrite)
