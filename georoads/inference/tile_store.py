"""Finished tiles on disk, checksummed, so that a killed prediction goes on where it was."""

from __future__ import annotations

import os
import time
import zlib
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from georoads.files.ledger import Ledger, open_ledger

COMMIT_S = 2.0
"""Seconds of work that a crash may cost, besides those of a flush: so long tiles wait for the next."""


@dataclass(frozen=True)
class Batch:
    """Tiles that go through the network together.

    Attributes:
        tiles: their indices.
        empty: tiles without a valid pixel, which were passed over on the way to them.
    """

    tiles: tuple[int, ...]
    empty: tuple[int, ...] = ()


class TileStore:
    """Fixed slots of tile x tile uint8 in one raw file, and the ledger of the batches in it.

    The ledger names a batch only when its tiles are on the disk; both are flushed every COMMIT_S seconds,
    while further tiles are kept, and on leaving, also by an error. Tiles are read from the file, never
    mapped: memory does not grow.

    Attributes:
        done: (tiles,) bool, which tiles are finished, with or without valid pixels.
        empty: (tiles,) bool, those of them without.
        damaged: batches whose tiles are not what the ledger states; to be done again, just so.
    """

    def __init__(self, folder: Path, held: NDArray[np.bool_], tile_px: int, header: dict[str, Any]) -> None:
        """
        Args:
            folder: where file and ledger lie; made if it is not there.
            held: (tiles,) bool, which tiles are to be done; the others are finished, and empty.
            tile_px: side of a tile.
            header: all that the tiles depend on; plain JSON values.

        Raises:
            GeoroadsError: the folder holds the tiles of other work.
        """
        folder.mkdir(parents=True, exist_ok=True)
        self._tile_px = tile_px
        # "spool" is what the ledger calls this store: old unfinished work must be known again.
        self._ledger: Ledger = open_ledger(folder / "ledger.jsonl", header | {"spool": 3})
        raw = folder / "tiles.raw"
        self._file: IO[bytes] = raw.open("r+b" if raw.exists() else "w+b", buffering=0)
        self._file.truncate(len(held) * tile_px * tile_px)
        self.done = ~held
        self.empty = ~held
        self._uncommitted: list[dict[str, Any]] = []
        self._committed_s = -COMMIT_S
        self._flusher = ThreadPoolExecutor(1, "georoads-flush")
        self._flushing: tuple[Future[None], list[dict[str, Any]]] | None = None
        self.damaged = self._check(record for line in self._ledger.records for record in line["batches"])

    def _check(self, records: Iterable[dict[str, Any]]) -> list[Batch]:
        """Count as done what has the checksum that the ledger states last; returns the other batches."""
        batches: dict[Batch, list[int]] = {}
        for record in records:
            batch = Batch(tuple(tile for tile, _ in record["tiles"]), tuple(record["empty"]))
            batches[batch] = [crc for _, crc in record["tiles"]]
        damaged = []
        for batch, crcs in batches.items():
            if [zlib.crc32(self.tile(t).data) for t in batch.tiles] == crcs:
                self._count(batch)
            else:
                damaged.append(batch)
        return damaged

    def _count(self, batch: Batch) -> None:
        self.done[[*batch.tiles, *batch.empty]] = True
        self.empty[[*batch.empty]] = True

    def tile(self, index: int) -> NDArray[np.uint8]:
        """(tile, tile) uint8 levels of a finished tile that is not empty."""
        out = np.empty((self._tile_px, self._tile_px), dtype=np.uint8)
        self._file.seek(index * self._tile_px**2)
        _move_all(self._file.readinto, out)  # type: ignore[attr-defined]
        return out

    @property
    def missing(self) -> list[int]:
        """Tiles that no batch of the ledger holds, ascending."""
        named = self.done.copy()
        named[[tile for batch in self.damaged for tile in (*batch.tiles, *batch.empty)]] = True
        return np.flatnonzero(~named).tolist()

    def put(self, batch: Batch, levels: Sequence[NDArray[np.uint8]]) -> None:
        """Keep a finished batch.

        Args:
            batch: which tiles.
            levels: (tile, tile) uint8 of each of ``batch.tiles``.

        Raises:
            OSError: it cannot be kept, or what was kept before could not be flushed.
        """
        for tile, level in zip(batch.tiles, levels, strict=True):
            self._file.seek(tile * self._tile_px**2)
            _move_all(self._file.write, level)
        crcs = [[tile, zlib.crc32(level.data)] for tile, level in zip(batch.tiles, levels, strict=True)]
        self._uncommitted.append({"tiles": crcs, "empty": batch.empty})
        self._count(batch)
        if time.monotonic() - self._committed_s >= COMMIT_S:
            self._begin_commit()

    def commit(self) -> None:
        """Flush the tiles to the disk, then note them in the ledger; returns when that is done."""
        self._begin_commit()
        self._end_commit()

    def _begin_commit(self) -> None:
        self._end_commit()
        batches, self._uncommitted = self._uncommitted, []
        if batches:
            self._flushing = self._flusher.submit(self._flush, batches), batches
        self._committed_s = time.monotonic()

    def _end_commit(self) -> None:
        """Wait for the flush that is under way; where it fails, its batches are to be noted by the next."""
        if self._flushing is None:
            return
        (flush, batches), self._flushing = self._flushing, None
        try:
            flush.result()
        except OSError:
            self._uncommitted = batches + self._uncommitted
            raise

    def _flush(self, batches: list[dict[str, Any]]) -> None:
        """Note batches in the ledger; all of their tiles have been written, and are now flushed."""
        os.fsync(self._file.fileno())
        self._ledger.append({"batches": batches})

    def __enter__(self) -> TileStore:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.commit()
        finally:
            self._flusher.shutdown()
            self._file.close()
            self._ledger.close()


def _move_all(move: Callable[[Any], int | None], array: NDArray[np.uint8]) -> None:
    """Read or write a whole array by calls that may each move only a part of it."""
    left = array.data.cast("B")
    while left:
        moved = move(left)
        if not moved:
            raise OSError(f"{len(left)} bytes of the stored tiles are missing")
        left = left[moved:]
