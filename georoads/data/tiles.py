"""Training pairs from one's own scene and road lines.

The working grid is divided by a straight cut into train and val sides without a common pixel. The train side
is covered with chips that overlap, so that a training crop can lie across their seams; chips without a road
are thinned out there, since most ground is empty and teaches little. The val side is covered once and whole:
what is judged must be the ground as it is.
"""

from __future__ import annotations

import csv
import dataclasses
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from georoads import __version__
from georoads.data.burn import RoadAreas, road_areas
from georoads.errors import DatasetError
from georoads.files.folder import replace_folder_when_complete
from georoads.grid import Grid, Window
from georoads.output.read import RoadLines
from georoads.picture_files import write_png
from georoads.progress import Watch, unwatched
from georoads.scene.read import SceneReader
from georoads.scene.scene import Scene
from georoads.text import source_name

MARKER = "tiles.json"
"""Says that georoads made a folder, and how: only such a folder is ever replaced."""
SIDES = ("east", "west", "north", "south")
MIN_SIDE_PX = 64
MIN_VALID = 0.05
"""Chips of which less shows ground are left out."""


@dataclass(frozen=True)
class TilesParams:
    """How a scene is cut into training pairs.

    Attributes:
        size_px: side of a chip in pixels of the working grid; less where the scene is smaller, and for val.
        overlap_px: what neighbouring train chips share at least.
        keep_empty: share of the train chips without a road that is kept, 0..1.
        val_share: share of the roads' length that the val side has.
        val_side: where the val side lies: east, west, north or south.
        width_m: of roads whose attributes do not say how wide they are.
        seed: chooses the empty chips.
    """

    size_px: int = 1024
    overlap_px: int = 128
    keep_empty: float = 0.25
    val_share: float = 0.2
    val_side: str = "east"
    width_m: float | None = None
    seed: int = 42

    def __post_init__(self) -> None:
        width = self.width_m
        for holds, said in (
            (MIN_SIDE_PX <= self.size_px <= 8192, f"size must be {MIN_SIDE_PX}..8192 px, not {self.size_px}"),
            (0 <= self.overlap_px < self.size_px, f"overlap must be below the size, not {self.overlap_px}"),
            (0 <= self.keep_empty <= 1, f"keep-empty must be 0 to 1, not {self.keep_empty}"),
            (0 < self.val_share < 1, f"val-share must lie between 0 and 1, not {self.val_share}"),
            (self.val_side in SIDES, f"val-side must be one of {', '.join(SIDES)}, not {self.val_side!r}"),
            (width is None or 0 < width <= 200, f"width must be 0..200 m, not {width}"),
        ):
            if not holds:
                raise ValueError(said)


@dataclass(frozen=True)
class TilesReport:
    """What was cut.

    Attributes:
        folder: of the data set.
        gsd_m: metres per pixel of the chips.
        train, val: numbers of chips.
        empty_left_out, invalid_left_out: chips that were not kept.
        train_road_share, val_road_share: of the valid pixels.
        train_window, val_window: row, col, height, width on the working grid; they share no pixel.
        val_lonlat: west, south, east, north of the val side, degrees.
    """

    folder: str
    gsd_m: float
    train: int
    val: int
    empty_left_out: int
    invalid_left_out: int
    train_road_share: float
    val_road_share: float
    train_window: tuple[int, int, int, int]
    val_window: tuple[int, int, int, int]
    val_lonlat: tuple[float, float, float, float]


@dataclass(frozen=True)
class _Chip:
    """A chip to be kept: its place, pixels (3, H, W), roads and validity (H, W)."""

    window: Window
    rgb: NDArray[np.uint8]
    road: NDArray[np.bool_]
    valid: NDArray[np.bool_]


def write_tiles(
    scene: Scene,
    grid: Grid,
    roads: RoadLines,
    folder: Path,
    params: TilesParams | None = None,
    *,
    overwrite: bool = False,
    watch: Watch = unwatched,
) -> TilesReport:
    """Cut a data set of pairs: ``images/``, ``masks/``, ``valid/``, ``index.csv``, ``tiles.json``.

    Pictures are PNG as the network would see the scene (bands, stretch and pixel size decided as in
    ``extract``), black where the scene has no data; ``valid/`` holds a mask for each with such pixels.

    Args:
        scene: the pictures.
        grid: the working grid.
        roads: the truth; ``widths_m`` is used where it says something.
        folder: appears whole or not at all.
        params: how the scene is cut; None: as ``TilesParams`` has it.
        overwrite: replace a folder that this function made.
        watch: shows the progress.

    Raises:
        GeoroadsError: no road lies on the scene, one side has no usable chip, a width is missing, or the
            folder cannot be written.
    """
    params = params or TilesParams()
    areas = road_areas(roads, grid, params.width_m)
    sides = dict(zip(("train", "val"), divide_grid(areas, grid, params), strict=True))
    plans = {
        "train": overlapping_windows(sides["train"], params),
        "val": covering_windows(sides["val"], params),
    }
    with (
        replace_folder_when_complete(folder, overwrite=overwrite, marker=MARKER) as part,
        SceneReader(scene, grid) as reader,
        watch("tiles", sum(map(len, plans.values())), "chips") as progress,
    ):
        writer = _PairWriter(part, re.sub(r"[^A-Za-z0-9_-]+", "_", scene.path.stem)[:60], grid.gsd_m)
        counts = _ChipCounts()
        for subset, windows in plans.items():
            for window in windows:
                chip = _cut_chip(reader, areas, window)
                why = _why_left_out(chip, params, subset)
                if not why:
                    writer.write(chip, subset)
                counts.add(chip, subset, why)
                progress(counts.done)
        report = _make_report(folder, grid, sides, counts, params)
        writer.finish(scene, roads, params, report)
    return report


def divide_grid(areas: RoadAreas, grid: Grid, params: TilesParams) -> tuple[Window, Window]:
    """The train and the val side of a grid.

    The cut lies where val_share of the roads' length is passed, but leaves MIN_SIDE_PX to each side.

    Args:
        areas: the roads, in pixels of the grid.
        grid: to be cut.
        params: of which val_side and val_share count.

    Raises:
        DatasetError: when the grid is too small for that.
    """
    axis = 0 if params.val_side in ("east", "west") else 1
    high = params.val_side in ("east", "south")
    # Pieces of road, from the outer edge of the val side inwards, until their length is the share.
    middle, length = areas.pieces_along(axis)
    order = np.argsort(-middle if high else middle, kind="stable")
    passed = np.cumsum(length[order])
    at = float(middle[order[np.searchsorted(passed, params.val_share * passed[-1])]])
    extent = (grid.width, grid.height)[axis]
    if extent < 2 * MIN_SIDE_PX:
        raise DatasetError(
            f"the working grid has {grid.width} x {grid.height} px: too small to be cut in two",
            f"each side needs {MIN_SIDE_PX} px: choose another --val-side, or a larger scene",
        )
    cut = min(max(round(at), MIN_SIDE_PX), extent - MIN_SIDE_PX)
    if axis == 0:
        low_side, high_side = Window(0, 0, grid.height, cut), Window(0, cut, grid.height, extent - cut)
    else:
        low_side, high_side = Window(0, 0, cut, grid.width), Window(cut, 0, extent - cut, grid.width)
    return (low_side, high_side) if high else (high_side, low_side)


def overlapping_windows(side: Window, params: TilesParams) -> list[Window]:
    """Rectangles of at most size_px a side that share overlap_px and cover the side."""

    def spans(extent: int) -> list[tuple[int, int]]:
        n = 1 + max(0, -(-(extent - params.size_px) // (params.size_px - params.overlap_px)))
        length = -(-(extent + (n - 1) * params.overlap_px) // n)  # as equal as they come
        return [(round(at), length) for at in np.linspace(0, extent - length, n).tolist()]

    return _windows(side, spans)


def covering_windows(side: Window, params: TilesParams) -> list[Window]:
    """Rectangles of at most size_px a side that cover the side once."""

    def spans(extent: int) -> list[tuple[int, int]]:
        n = -(-extent // params.size_px)
        edges = (round(at) for at in np.linspace(0, extent, n + 1).tolist())
        return [(start, end - start) for start, end in pairwise(edges)]

    return _windows(side, spans)


def _windows(side: Window, spans: Callable[[int], list[tuple[int, int]]]) -> list[Window]:
    """The windows whose rows and columns are the spans, start and length, of the side's two extents."""
    return [
        Window(side.row + row, side.col + col, height, width)
        for row, height in spans(side.height)
        for col, width in spans(side.width)
    ]


def _cut_chip(reader: SceneReader, areas: RoadAreas, window: Window) -> _Chip:
    rgb, valid = reader.read(window)
    return _Chip(window, rgb, areas.burn(window) & valid, valid)


def _why_left_out(chip: _Chip, params: TilesParams, subset: str) -> str:
    """Why a chip is not kept, or nothing. What is drawn for a chip depends on its place alone."""
    if chip.valid.mean() < MIN_VALID:
        return "invalid"
    if subset == "train" and not chip.road.any():
        draw = np.random.default_rng([params.seed, chip.window.row, chip.window.col]).random()
        return "" if draw < params.keep_empty else "empty"
    return ""


class _ChipCounts:
    """Chips and pixels so far, by subset; chips left out by why."""

    def __init__(self) -> None:
        self.done = 0
        self.chips = {"train": 0, "val": 0, "empty": 0, "invalid": 0}
        self.road, self.valid = {"train": 0, "val": 0}, {"train": 0, "val": 0}

    def add(self, chip: _Chip, subset: str, left_out: str) -> None:
        """Count a chip of a subset; ``left_out`` says why it was not kept, or nothing."""
        self.done += 1
        self.chips[left_out or subset] += 1
        if not left_out:
            self.road[subset] += int(chip.road.sum())
            self.valid[subset] += int(chip.valid.sum())

    def road_share(self, subset: str) -> float:
        return self.road[subset] / self.valid[subset]


def _make_report(
    folder: Path, grid: Grid, sides: dict[str, Window], counts: _ChipCounts, params: TilesParams
) -> TilesReport:
    for subset in sides:
        if not counts.road[subset]:
            raise DatasetError(
                f"the {subset} side ({params.val_share:.0%} val in the {params.val_side}) has no road on "
                f"valid ground in its {counts.chips[subset]} chips",
                "choose another --val-side or --val-share, and check --nodata",
            )
    return TilesReport(
        folder=str(folder),
        gsd_m=grid.gsd_m,
        train=counts.chips["train"],
        val=counts.chips["val"],
        empty_left_out=counts.chips["empty"],
        invalid_left_out=counts.chips["invalid"],
        train_road_share=counts.road_share("train"),
        val_road_share=counts.road_share("val"),
        train_window=_as_numbers(sides["train"]),
        val_window=_as_numbers(sides["val"]),
        val_lonlat=_lonlat_bounds(grid, sides["val"]),
    )


def _as_numbers(window: Window) -> tuple[int, int, int, int]:
    return window.row, window.col, window.height, window.width


def _lonlat_bounds(grid: Grid, window: Window) -> tuple[float, float, float, float]:
    left, top = float(window.col), float(window.row)
    right, bottom = left + window.width, top + window.height
    lonlat = grid.to_lonlat(np.array([[left, top], [right, top], [left, bottom], [right, bottom]]))
    (west, south), (east, north) = lonlat.min(axis=0).tolist(), lonlat.max(axis=0).tolist()
    return west, south, east, north


class _PairWriter:
    """Writes chips as they come, and the index at the end."""

    def __init__(self, root: Path, prefix: str, gsd_m: float) -> None:
        self._root, self._prefix, self._gsd_m = root, prefix, gsd_m
        self._rows: list[tuple[str, str, str]] = []
        for name in ("images", "masks", "valid"):
            (root / name).mkdir()

    def write(self, chip: _Chip, subset: str) -> None:
        name = f"{self._prefix}_r{chip.window.row:06d}_c{chip.window.col:06d}"
        write_png(self._root / "images" / f"{name}.png", chip.rgb.transpose(1, 2, 0))
        write_png(self._root / "masks" / f"{name}.png", chip.road.astype(np.uint8) * 255)
        if not chip.valid.all():
            write_png(self._root / "valid" / f"{name}.png", chip.valid.astype(np.uint8) * 255)
        self._rows.append((name, subset, f"{self._gsd_m:.6g}"))

    def finish(self, scene: Scene, roads: RoadLines, params: TilesParams, report: TilesReport) -> None:
        """Write the index, and what was cut from what, and how."""
        with (self._root / "index.csv").open("w", newline="", encoding="utf-8") as f:
            csv.writer(f).writerows([("name", "split", "gsd_m"), *sorted(self._rows)])
        content = {
            "georoads": __version__,
            "scene": source_name(scene.path),
            "roads": roads.name,
            "params": dataclasses.asdict(params),
            "report": dataclasses.asdict(report),
        }
        (self._root / MARKER).write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
