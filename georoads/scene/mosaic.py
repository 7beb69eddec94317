"""Several scenes on one working grid: overlapping or side by side, in one CRS or many, seen as one.

The network sees across their seams and a road is traced once, so nothing has to be stitched afterwards. Where
scenes overlap, a pixel is that of the first scene, in the order given, in which it is valid.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Lock, Semaphore

import numpy as np

from georoads.crs import CrsError
from georoads.errors import SceneError
from georoads.grid import Grid, Window
from georoads.scene.handles import SPARE_HANDLES
from georoads.scene.index import scene_files
from georoads.scene.open import open_scene
from georoads.scene.read import RgbPixels, SceneReader
from georoads.scene.scene import Scene, SceneParams
from georoads.scene.sources import check_regular, remote_name
from georoads.scene.working_grid import coarse_notes, enclosing_window, outline_on, window_of, working_grid
from georoads.text import source_name


@dataclass(frozen=True)
class Mosaic:
    """Two scenes or more that are read as one.

    Attributes:
        members: the scenes; the first decides the CRS, and wins where they overlap.
    """

    members: tuple[Scene, ...]

    @property
    def grid(self) -> Grid:
        """The pixel grid of the first scene."""
        return self.members[0].grid

    @property
    def messages(self) -> tuple[str, ...]:
        """What the summary must say of each scene."""
        return tuple(f"{source_name(m.path)}: {said}" for m in self.members for said in m.messages)

    @property
    def fingerprint(self) -> str:
        """Differs where a scene or the order of the scenes does."""
        return hashlib.sha256(" ".join(m.fingerprint for m in self.members).encode()).hexdigest()

    @property
    def held_m2(self) -> float:
        """Square metres of ground under the blocks that the files hold."""
        return sum(m.held_m2 for m in self.members)

    def refuse_if_changed(self) -> None:
        """Look whether the files are still those that were opened.

        Raises:
            SceneError: one is not.
        """
        for member in self.members:
            member.refuse_if_changed()


AnyScene = Scene | Mosaic


def open_scenes(paths: Sequence[Path], params: SceneParams) -> AnyScene:
    """One scene, or several as a mosaic; an index stands for the scenes that it names.

    Raises:
        SceneError: as ``open_scene`` and ``scene_files``; a scene is named twice.
    """
    return open_files(scene_files(paths), params)


def open_files(files: Sequence[Path], params: SceneParams) -> AnyScene:
    """As ``open_scenes``, of files that ``scene_files`` has named: none is an index.

    Raises:
        SceneError: as ``open_scene``; a scene is named twice.
    """
    if len(files) == 1:
        return open_scene(files[0], params)
    for path in files:
        if remote_name(path) is None:
            check_regular(path)  # names what is missing, and rings of links
    seen: set[Path] = set()
    for path, file in zip(files, (file.resolve() for file in files), strict=True):
        if file in seen:
            raise SceneError(f"{path} is given twice", "name each scene once")
        seen.add(file)
    return Mosaic(tuple(open_scene(path, params) for path in files))


def members_of(scene: AnyScene) -> tuple[Scene, ...]:
    """The scenes that are seen as one."""
    return (scene,) if isinstance(scene, Scene) else scene.members


def common_grid(scene: AnyScene, model_gsd_m: float, params: SceneParams) -> Grid:
    """The working grid of a scene; for a mosaic that of its first scene, made as large as all of them.

    Args:
        scene: one, or several.
        model_gsd_m: metres per pixel that the model was trained at.
        params: how the scenes are to be read.

    Raises:
        SceneError: as ``working_grid``, for each of them; together they span too much.
    """
    if isinstance(scene, Scene):
        return working_grid(scene, model_gsd_m, params)
    anywhere = dataclasses.replace(params, bounds=None)
    first, *_ = [working_grid(m, model_gsd_m, anywhere) for m in scene.members]  # refuses what is too coarse
    windows = [_footprint(member, first) for member in scene.members]
    top, left = min(w.row for w in windows), min(w.col for w in windows)
    bottom, right = max(w.row + w.height for w in windows), max(w.col + w.width for w in windows)
    whole = first.crop(Window(top, left, bottom - top, right - left))
    if whole.width * whole.height > params.max_megapixels * 1e6:
        raise SceneError(
            f"the scenes span {whole.width} x {whole.height} pixels of {whole.gsd_m:g} m",
            "give scenes that lie near each other, or --set scene.max_megapixels=…",
        )
    if params.bounds is None:
        return whole
    return whole.crop(window_of(params.bounds, scene.members[0], whole))


def with_grid_notes(scene: AnyScene, model_gsd_m: float) -> AnyScene:
    """The scene, or scenes, whose messages also say where pixels are coarse for the model.

    Args:
        scene: one, or several.
        model_gsd_m: metres per pixel that the model was trained at.
    """
    if isinstance(scene, Mosaic):
        return Mosaic(tuple(_with_notes(member, model_gsd_m) for member in scene.members))
    return _with_notes(scene, model_gsd_m)


def with_notes(scene: AnyScene, notes: tuple[str, ...]) -> AnyScene:
    """The scene, or scenes, whose messages begin with notes."""
    if not notes:
        return scene
    first, *others = members_of(scene)
    first = dataclasses.replace(first, messages=(*notes, *first.messages))
    return Mosaic((first, *others)) if others else first


def _with_notes(scene: Scene, model_gsd_m: float) -> Scene:
    notes = coarse_notes(scene, model_gsd_m)
    return dataclasses.replace(scene, messages=(*scene.messages, *notes)) if notes else scene


def _footprint(scene: Scene, grid: Grid) -> Window:
    """The window of a grid, which it may leave, that holds a scene; pixels that agree are not widened."""
    try:
        px = outline_on(scene.grid, grid)
    except CrsError as e:
        raise SceneError(f"{scene.path} cannot lie beside the first scene: {e.message}", e.hint) from e
    if not np.isfinite(px).all():
        raise SceneError(
            f"{scene.path} lies where the CRS of the first scene does not reach", "extract it by itself"
        )
    return enclosing_window(px)


class MosaicReader:
    """Open scenes that are read as one, by several threads if need be.

    Each is opened when the first window touches it.
    """

    def __init__(self, mosaic: Mosaic, grid: Grid, *, threads: int = 1) -> None:
        """
        Args:
            mosaic: the scenes.
            grid: the working grid.
            threads: that read at the same time, at most.
        """
        self.grid = grid
        self._parts = [(m, _footprint(m, grid).intersect(grid.window)) for m in mosaic.members]
        self._threads = threads
        self._spare = Semaphore(SPARE_HANDLES)
        self._open: dict[int, SceneReader] = {}
        self._users: Counter[int] = Counter()  # threads that read each of them just now
        self._opening = Lock()  # held while either is touched

    def __enter__(self) -> MosaicReader:
        return self

    def __exit__(self, *error: object) -> None:
        for number in [*self._open]:
            self._close(number)

    def holds(self, window: Window) -> bool:
        """False where a window meets no scene."""
        return any(part.intersect(window).size for _, part in self._parts)

    def read(self, window: Window) -> RgbPixels:
        """RGB (3, H, W) uint8, 0 where invalid, and validity (H, W) of a window inside the grid."""
        rgb = np.zeros((3, window.height, window.width), dtype=np.uint8)
        valid = np.zeros((window.height, window.width), dtype=bool)
        for number, (_, part) in enumerate(self._parts):
            common = part.intersect(window)
            here = common.relative_to(window).slices
            if not common.size or valid[here].all():
                continue
            with self._reader(number) as reader:
                values, seen = reader.read(common.relative_to(part))
            new = seen & ~valid[here]
            np.copyto(rgb[(slice(None), *here)], values, where=new)
            valid[here] |= new
        return rgb, valid

    def forget(self, row: int, col: int) -> None:
        """Say that of the grid nothing above a row and west of a column will be asked for again."""
        with self._opening:
            for number in [*self._open]:
                part = self._parts[number][1]
                is_passed = part.row + part.height <= row and part.col + part.width <= col
                # Damaged tiles that are done again need not come in order.
                if is_passed and not self._users[number]:
                    self._close(number)
                else:
                    self._open[number].forget(row - part.row, col - part.col)

    @contextmanager
    def _reader(self, number: int) -> Iterator[SceneReader]:
        """The reader of a scene, which stays open as long as the block."""
        with self._opening:
            if number not in self._open:
                scene, part = self._parts[number]
                reader = SceneReader(scene, self.grid.crop(part), threads=self._threads, spare=self._spare)
                self._open[number] = reader.__enter__()
            reader = self._open[number]
            self._users[number] += 1
        try:
            yield reader
        finally:
            with self._opening:
                self._users[number] -= 1

    def _close(self, number: int) -> None:
        self._open.pop(number).__exit__(None, None, None)


def open_reader(scene: AnyScene, grid: Grid, *, threads: int = 1) -> SceneReader | MosaicReader:
    """The reader of a scene, or of several, on a working grid.

    Args:
        scene: one, or several.
        grid: the working grid.
        threads: that read at the same time, at most.
    """
    if isinstance(scene, Scene):
        return SceneReader(scene, grid, threads=threads)
    return MosaicReader(scene, grid, threads=threads)
