"""Tiles in runs and batches: how a prediction is divided, read for the network, and told what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import cycle, groupby

import numpy as np
from numpy.typing import NDArray

from georoads.grid import Grid, Window
from georoads.inference.handoff import Belt, StoppedError
from georoads.inference.picture import cut_reflected
from georoads.inference.runtime import to_levels
from georoads.inference.tile_store import Batch, Spool
from georoads.inference.tiles import TilePlan
from georoads.levels import NODATA
from georoads.model.card import ModelCard
from georoads.model.pixels import fill_invalid, normalize
from georoads.scene.mosaic import AnyScene, MosaicReader
from georoads.scene.read import SceneReader

RUN = 40
"""Tiles of a run: whole batches of five (a CPU, with the shipped model) and of eight (a GPU). It is
what is lost with a worker: ten seconds of one core."""

Reader = SceneReader | MosaicReader


@dataclass(frozen=True)
class Job:
    """What all stages of a prediction know."""

    scene: AnyScene
    grid: Grid
    card: ModelCard

    @cached_property
    def plan(self) -> TilePlan:
        """Where the tiles lie."""
        return TilePlan(self.grid.height, self.grid.width, self.card.tile_px, self.card.overlap_px)


@dataclass(frozen=True)
class Run:
    """Tiles that are predicted in one go; batches do not reach beyond it.

    Attributes:
        tiles: their indices, in the order in which they are read.
    """

    tiles: tuple[int, ...]

    def __str__(self) -> str:
        return f"tiles {min(self.tiles)} to {max(self.tiles)}"


@dataclass(frozen=True)
class Answer:
    """A batch that the network has seen.

    Attributes:
        levels: gives (tile, tile) uint8 of each of the batch's tiles: round(254 p), and 255 where a pixel is
            invalid. Called by who keeps them, so that the network need not wait for the arithmetic.
    """

    batch: Batch
    levels: Callable[[], list[NDArray[np.uint8]]]


@dataclass(frozen=True)
class Read:
    """A batch ready for the network: (batch, bands, tile, tile) float32, and (tile, tile) bool per tile."""

    batch: Batch
    pixels: NDArray[np.float32]
    valid: list[NDArray[np.bool_]]


def runs_to_do(spool: Spool) -> list[Run]:
    """What is still to be done: damaged batches as they were, then the missing tiles by run.

    Runs are fixed ranges of tile indices, so which tiles share a batch depends neither on interruptions nor
    on who predicts which run: the rounding of the arithmetic may depend on a batch's size.
    """
    again = [Run((*batch.empty, *batch.tiles)) for batch in spool.damaged]
    return again + [Run(tuple(tiles)) for _, tiles in groupby(spool.missing, key=lambda t: t // RUN)]


def read_batches(job: Job, reader: Reader, runs: Iterable[Run], size: int, belt: Belt[Read]) -> float:
    """Put the batches of runs on a belt, until nobody takes them; returns the seconds of work.

    Args:
        size: tiles of a batch, at most.
    """
    started = time.monotonic()
    tile = job.card.tile_px
    # One is filled, one is in the network, the others lie on the belt.
    buffers = cycle([np.zeros((size, 3, tile, tile), np.float32) for _ in range(belt.depth + 2)])
    try:
        for run in runs:
            for piece in _batches(job, reader, run, buffers):
                belt.give(piece)
    except StoppedError:  # the others have gone, and say why
        pass
    return time.monotonic() - started - belt.gave_s


def _batches(job: Job, reader: Reader, run: Run, buffers: Iterator[NDArray[np.float32]]) -> Iterator[Read]:
    """The tiles with valid pixels in full batches, but for the last."""
    card = job.card
    tiles: list[int] = []
    empty: list[int] = []
    valids: list[NDArray[np.bool_]] = []
    pixels = np.empty(0, dtype=np.float32)
    for index in run.tiles:
        rgb, valid = read_tile(reader, job.plan.window(index))
        reader.forget(*job.plan.needed_from(index))
        if not valid.any():
            empty.append(index)
            continue
        if not tiles:
            pixels = next(buffers)
        normalize(fill_invalid(rgb, valid), card.mean, card.std, out=pixels[len(tiles)])
        tiles.append(index)
        valids.append(valid)
        if len(tiles) == len(pixels):
            yield Read(Batch(tuple(tiles), tuple(empty)), pixels, valids)
            tiles, empty, valids = [], [], []
    if tiles or empty:
        yield Read(Batch(tuple(tiles), tuple(empty)), pixels[: len(tiles)], valids)


def read_tile(reader: Reader, window: Window) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """A tile of the working grid; beyond the grid it is filled by reflection."""
    inside = window.intersect(reader.grid.window)
    rgb, valid = reader.read(inside)
    if inside == window:
        return rgb, valid
    return cut_reflected(rgb, valid, window.relative_to(inside))


def masked_levels(
    logits: NDArray[np.float32] | None, valid: list[NDArray[np.bool_]]
) -> list[NDArray[np.uint8]]:
    """Levels (tile, tile) of each tile, 255 where a pixel is invalid, of logits (batch, tile, tile)."""
    levels = []
    for tile, seen in zip(logits if logits is not None else (), valid, strict=True):
        level = to_levels(tile)
        level[~seen] = NODATA
        levels.append(level)
    return levels
