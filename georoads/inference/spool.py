"""Finished tiles on disk, checksummed, so that a killed prediction goes on where it was."""

from __future__ import annotations

import zlib
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georoads.jobs.ledger import Ledger, open_ledger


class Spool:
    """Fixed slots of tile x tile uint8 in one raw file, and the ledger of the batches in it."""

    def __init__(self, folder: Path, tiles: int, tile_px: int, header: dict[str, Any]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._ledger: Ledger = open_ledger(folder / "ledger.jsonl", header)
        raw = folder / "tiles.raw"
        size = tiles * tile_px * tile_px
        with raw.open("r+b" if raw.exists() else "w+b") as f:
            f.truncate(size)
        self._levels = np.memmap(raw, dtype=np.uint8, mode="r+", shape=(tiles, tile_px, tile_px))
        self.done: set[int] = set()
        self.tiles: dict[int, NDArray[np.uint8]] = {}
        for record in self._ledger.records:
            self._take(record)

    def _take(self, record: dict[str, Any]) -> None:
        """Count a batch as done when all its tiles have the checksum that the ledger states."""
        stated = {int(tile): crc for tile, crc in record["tiles"].items()}
        if all(zlib.crc32(self._levels[tile].tobytes()) == crc for tile, crc in stated.items()):
            self.done.add(record["batch"])
            self.tiles |= {tile: self._levels[tile] for tile in stated}

    def put(self, batch: int, levels: dict[int, NDArray[np.uint8]]) -> None:
        """Keep a finished batch: its valid tiles by index."""
        for tile, level in levels.items():
            self._levels[tile] = level
            self.tiles[tile] = self._levels[tile]
        self._levels.flush()
        crcs = {str(tile): zlib.crc32(level.tobytes()) for tile, level in levels.items()}
        self._ledger.append({"batch": batch, "tiles": crcs})
        self.done.add(batch)

    def __enter__(self) -> Spool:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ledger.__exit__(kind, error, trace)
        self.tiles.clear()
        del self._levels
