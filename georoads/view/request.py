"""What a map is asked for with, whatever it is written as."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from georoads.files.atomic import check_output
from georoads.scene.index import scene_files
from georoads.scene.open import open_scene
from georoads.scene.scene import Scene, SceneParams
from georoads.view.probability import LevelRaster


class LineWidth(StrEnum):
    """How wide the lines of a map are: two pixels, or as the road on the ground."""

    THIN = "thin"
    ROAD = "road"


@dataclass(frozen=True)
class MapRequest:
    """A map of a layer of lines, over scenes if there are any.

    Attributes:
        roads: the file of the layer.
        output: the map to write.
        scenes: what lies below the lines, the first on top; an index stands for the scenes that it names.
        scene_params: how the scenes are read; None for the defaults.
        layer: name of the layer in the file; None for the only layer of lines, or the one called ``roads``.
        overwrite: True when an existing file may be replaced.
        width: how wide the lines are; on a page, at first.
        probability: p, along which lines are drawn by hand on a page; None: they are drawn straight.
    """

    roads: Path
    output: Path
    scenes: tuple[Path, ...] = ()
    scene_params: SceneParams | None = None
    layer: str | None = None
    overwrite: bool = False
    width: LineWidth = LineWidth.THIN
    probability: LevelRaster | None = None

    def open_scenes(self) -> list[Scene]:
        """The scenes, opened, once it is seen that the output can be written.

        Raises:
            GeoroadsError: as ``check_output``.
            SceneError: as ``scene_files`` and ``open_scene``.
        """
        files = scene_files(self.scenes)
        check_output(self.output, overwrite=self.overwrite, inputs=(self.roads, *files))
        return [open_scene(file, self.scene_params) for file in files]
