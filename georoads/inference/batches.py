"""How a prediction is divided, into groups of tiles and batches, and how a batch is read for the network."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import cycle, groupby

import numpy as np
from numpy.typing import NDArray

from georoads.grid import Grid, Window
from georoads.inference.handoff import HandoffQueue, StoppedError
from georoads.inference.picture import cut_reflected
from georoads.inference.tile_store import Batch, TileStore
from georoads.inference.tiles import TilePlan
from georoads.levels import NODATA
from georoads.model.card import ModelCard
from georoads.model.pixels import fill_invalid
from georoads.scene.mosaic import AnyScene, MosaicReader, open_reader
from georoads.scene.read import SceneReader

GROUP_TILES = 40
"""Tiles of a group: whole batches of five (a CPU, with the shipped model) and of eight (a GPU). A group is
what is lost when a worker dies: ten seconds of one core."""

Reader = SceneReader | MosaicReader


@dataclass(frozen=True)
class Job:
    """What all stages of a prediction know.

    Attributes:
        scene: the scene, or several as one.
        grid: the working grid.
        card: of the model.
    """

    scene: AnyScene
    grid: Grid
    card: ModelCard

    @cached_property
    def plan(self) -> TilePlan:
        """Where the tiles lie."""
        return TilePlan(self.grid.height, self.grid.width, self.card.tile_px, self.card.overlap_px)

    def held_tiles(self) -> NDArray[np.bool_]:
        """(tiles,) bool: which tiles are to be read. The files hold no block where the others lie."""
        with open_reader(self.scene, self.grid) as reader:
            return self.plan.tiles_where(reader.holds)


@dataclass(frozen=True)
class TileGroup:
    """Tiles that are predicted in one go; batches do not reach beyond it.

    Attributes:
        tiles: their indices, in the order in which they are read.
    """

    tiles: tuple[int, ...]

    def __str__(self) -> str:
        return f"tiles {min(self.tiles)} to {max(self.tiles)}"


@dataclass(frozen=True)
class PredictedBatch:
    """A batch that the network has seen.

    Attributes:
        batch: which tiles.
        levels: returns (tile, tile) uint8 of each of the batch's tiles: round(254 p), and 255 where a pixel
            is invalid. Called by the thread that keeps them: the network need not wait for the arithmetic.
    """

    batch: Batch
    levels: Callable[[], list[NDArray[np.uint8]]]


@dataclass(frozen=True)
class InputBatch:
    """A batch that is read and ready for the network.

    Attributes:
        batch: which tiles.
        pixels: (tiles, bands, tile, tile) uint8; what is invalid looks like the nearest valid pixel.
        valid: (tile, tile) bool of each tile.
    """

    batch: Batch
    pixels: NDArray[np.uint8]
    valid: list[NDArray[np.bool_]]

    def predicted(self, levels: NDArray[np.uint8] | None) -> PredictedBatch:
        """The batch with what the network says of it: (tiles, tile, tile), None where it has no tiles."""
        return PredictedBatch(self.batch, partial(_masked_levels, levels, self.valid))


def groups_to_do(store: TileStore) -> list[TileGroup]:
    """What is still to be done: damaged batches as they were, then the missing tiles by group.

    Groups are fixed ranges of tile indices, so which tiles share a batch depends neither on interruptions
    nor on who predicts which group: the rounding of the arithmetic may depend on a batch's size.
    """
    damaged = [TileGroup((*batch.empty, *batch.tiles)) for batch in store.damaged]
    missing = groupby(store.missing, key=lambda tile: tile // GROUP_TILES)
    return damaged + [TileGroup(tuple(tiles)) for _, tiles in missing]


def read_batches(
    job: Job, reader: Reader, groups: Iterable[TileGroup], size: int, queue: HandoffQueue[InputBatch]
) -> float:
    """Read the batches of all groups and put them into a queue, until nobody takes them.

    Args:
        job: scene, grid and model.
        reader: of the scene, on the grid.
        groups: in the order in which they are read.
        size: tiles of a batch, at most.
        queue: where the batches go.

    Returns:
        Seconds of work, without those of waiting.
    """
    started = time.monotonic()
    tile = job.card.tile_px
    # One is filled, one is in the network, the others wait in the queue.
    buffers = cycle([np.zeros((size, 3, tile, tile), np.uint8) for _ in range(queue.depth + 2)])
    try:
        for group in groups:
            for batch in _batches_of(group, job, reader, buffers):
                queue.put(batch)
    except StoppedError:  # the other stages have gone, and say why
        pass
    return time.monotonic() - started - queue.put_wait_s


def _batches_of(
    group: TileGroup, job: Job, reader: Reader, buffers: Iterator[NDArray[np.uint8]]
) -> Iterator[InputBatch]:
    """The tiles with valid pixels in full batches, but for the last."""
    tiles: list[int] = []
    empty: list[int] = []
    valids: list[NDArray[np.bool_]] = []
    pixels = np.empty(0, dtype=np.uint8)
    for index in group.tiles:
        rgb, valid = read_tile(reader, job.plan.window(index))
        reader.forget(*job.plan.needed_from(index))
        if not valid.any():
            empty.append(index)
            continue
        if not tiles:
            pixels = next(buffers)
        pixels[len(tiles)] = fill_invalid(rgb, valid)
        tiles.append(index)
        valids.append(valid)
        if len(tiles) == len(pixels):
            yield InputBatch(Batch(tuple(tiles), tuple(empty)), pixels, valids)
            tiles, empty, valids = [], [], []
    if tiles or empty:
        yield InputBatch(Batch(tuple(tiles), tuple(empty)), pixels[: len(tiles)], valids)


def read_tile(reader: Reader, window: Window) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    """Pixels (bands, tile, tile) and validity (tile, tile) of a tile of the working grid.

    What lies beyond the grid is filled by reflection.
    """
    inside = window.intersect(reader.grid.window)
    rgb, valid = reader.read(inside)
    if inside == window:
        return rgb, valid
    return cut_reflected(rgb, valid, window.relative_to(inside))


def _masked_levels(
    levels: NDArray[np.uint8] | None, valid: list[NDArray[np.bool_]]
) -> list[NDArray[np.uint8]]:
    """Levels (tile, tile) of each tile, 255 where a pixel is invalid, of those of all pixels."""
    tiles = levels if levels is not None else ()
    return [np.where(seen, level, np.uint8(NODATA)) for level, seen in zip(tiles, valid, strict=True)]
