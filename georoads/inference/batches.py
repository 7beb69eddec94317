"""How a prediction is divided, into groups of tiles and batches, and how a batch is read for the network."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import cycle, groupby, islice

import numpy as np
from numpy.typing import NDArray

from georoads.appearance import Appearance, appearance_of
from georoads.grid import Grid, Window
from georoads.inference.handoff import HandoffQueue, StoppedError
from georoads.inference.picture import cut_reflected
from georoads.inference.runtime import GROUP_TILES
from georoads.inference.tile_store import Batch, TileStore
from georoads.inference.tiles import TilePlan
from georoads.levels import NODATA
from georoads.model.card import ModelCard
from georoads.model.pixels import fill_invalid
from georoads.network.types import ParallelMap
from georoads.scene.mosaic import AnyScene, MosaicReader, open_reader
from georoads.scene.read import SceneReader

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
        looks: what its tiles look like.
    """

    batch: Batch
    levels: Callable[[], list[NDArray[np.uint8]]]
    looks: tuple[Appearance, ...] = ()


@dataclass(frozen=True)
class InputBatch:
    """A batch that is read and ready for the network.

    Attributes:
        batch: which tiles.
        pixels: (tiles, bands, tile, tile) uint8; what is invalid looks like the nearest valid pixel.
        valid: (tile, tile) bool of each tile; None: all of its pixels are valid.
        looks: what its tiles look like.
    """

    batch: Batch
    pixels: NDArray[np.uint8]
    valid: list[NDArray[np.bool_] | None]
    looks: tuple[Appearance, ...] = ()

    def predicted(self, levels: NDArray[np.uint8] | None) -> PredictedBatch:
        """The batch with what the network says of it: (tiles, tile, tile), None where it has no tiles."""
        return PredictedBatch(self.batch, partial(_masked_levels, levels, self.valid), self.looks)


def groups_to_do(store: TileStore) -> list[TileGroup]:
    """What is still to be done: damaged batches as they were, then the missing tiles by group.

    Groups are fixed ranges of tile indices, so which tiles share a batch depends neither on interruptions
    nor on who predicts which group: the rounding of the arithmetic may depend on a batch's size.
    """
    damaged = [TileGroup((*batch.empty, *batch.tiles)) for batch in store.damaged]
    missing = groupby(store.missing, key=lambda tile: tile // GROUP_TILES)
    return damaged + [TileGroup(tuple(tiles)) for _, tiles in missing]


@dataclass(frozen=True)
class _ReadTile:
    """A tile that is read and filled.

    Attributes:
        index: which one.
        rgb: (bands, tile, tile) uint8; what is invalid looks like the nearest valid pixel.
        valid: (tile, tile) bool; None: all of its pixels are valid.
        is_empty: none of them is.
        look: what it looks like, where there is anything to see.
        seconds: of reading and filling.
    """

    index: int
    rgb: NDArray[np.uint8]
    valid: NDArray[np.bool_] | None
    is_empty: bool
    look: Appearance | None
    seconds: float


def read_batches(
    job: Job,
    reader: Reader,
    groups: Iterable[TileGroup],
    queue: HandoffQueue[InputBatch],
    buffers: Sequence[NDArray[np.uint8]],
    parallel_map: ParallelMap = map,
) -> float:
    """Read the batches of all groups and put them into a queue, until nobody takes them.

    Args:
        job: scene, grid and model.
        reader: of the scene, on the grid.
        groups: in the order in which they are read.
        queue: where the batches go.
        buffers: (tiles, bands, tile, tile) uint8, which are filled in turn: one is filled while the others
            wait in the queue, or are in the network.
        parallel_map: reads tiles, some ahead; the results come in order. Bytes do not depend on it.

    Returns:
        Seconds of work of all threads together, without those of waiting.
    """
    groups = list(groups)
    read = parallel_map(partial(_read_filled, job, reader), (i for group in groups for i in group.tiles))
    tiles, seconds, next_buffer = iter(read), 0.0, cycle(buffers)
    try:
        for group in groups:
            own = islice(tiles, len(group.tiles))
            for batch, batch_s in _batches_of(_seen(own, job, reader), next_buffer):
                queue.put(batch)
                seconds += batch_s
    except StoppedError:  # the other stages have gone, and say why
        pass
    finally:
        if isinstance(tiles, Generator):
            tiles.close()  # ends its threads
    return seconds


def _read_filled(job: Job, reader: Reader, index: int) -> _ReadTile:
    started = time.monotonic()
    rgb, valid = read_tile(reader, job.plan.window(index))
    is_whole = bool(valid.all())
    is_empty = not is_whole and not valid.any()
    look = None if is_empty else appearance_of(rgb, valid)
    if not is_whole and not is_empty:
        rgb = fill_invalid(rgb, valid)
    return _ReadTile(index, rgb, None if is_whole else valid, is_empty, look, time.monotonic() - started)


def _seen(tiles: Iterable[_ReadTile], job: Job, reader: Reader) -> Iterator[_ReadTile]:
    """The tiles; what no later one needs is let go of, now that all up to it are read."""
    for tile in tiles:
        reader.forget(*job.plan.needed_from(tile.index))
        yield tile


def _batches_of(
    tiles: Iterable[_ReadTile], buffers: Iterator[NDArray[np.uint8]]
) -> Iterator[tuple[InputBatch, float]]:
    """A group's tiles with valid pixels in full batches, but for the last, and the seconds of their work."""
    indices: list[int] = []
    empty: list[int] = []
    valids: list[NDArray[np.bool_] | None] = []
    looks: list[Appearance] = []
    pixels = np.empty(0, dtype=np.uint8)
    seconds = 0.0
    for tile in tiles:
        started = time.monotonic()
        if tile.is_empty:
            empty.append(tile.index)
        else:
            if not indices:
                pixels = next(buffers)
            pixels[len(indices)] = tile.rgb
            indices.append(tile.index)
            valids.append(tile.valid)
        if tile.look is not None:
            looks.append(tile.look)
        seconds += tile.seconds + time.monotonic() - started
        if indices and len(indices) == len(pixels):
            batch = Batch(tuple(indices), tuple(empty))
            yield InputBatch(batch, pixels, valids, tuple(looks)), seconds
            indices, empty, valids, looks, seconds = [], [], [], [], 0.0
    if indices or empty:
        batch = Batch(tuple(indices), tuple(empty))
        yield InputBatch(batch, pixels[: len(indices)], valids, tuple(looks)), seconds


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
    levels: NDArray[np.uint8] | None, valid: list[NDArray[np.bool_] | None]
) -> list[NDArray[np.uint8]]:
    """Levels (tile, tile) of each tile, 255 where a pixel is invalid, of those of all pixels."""
    tiles = levels if levels is not None else ()
    return [
        level if seen is None else np.where(seen, level, np.uint8(NODATA))
        for level, seen in zip(tiles, valid, strict=True)
    ]
