"""What has come from servers, kept as it came, so that a run that was stopped goes on where it was."""

from __future__ import annotations

import os
import time
import zlib
from pathlib import Path
from typing import Any

from georoads.files.atomic import disk_errors_named
from georoads.files.ledger import open_ledger
from georoads.files.work import LEDGER
from georoads.text import printable

_FILE = "pieces.bin"
_EVERY_S = 2.0
"""Seconds after which what came is flushed to the disk, and then named in the ledger."""
_EVERY = 256
"""So many pieces are the most that wait for that."""


class Pieces:
    """Answers of servers by key, in one file; the ledger of the work names them with checksums.

    An empty piece stands for nothing: the server has nothing there.
    """

    def __init__(self, folder: Path, header: dict[str, Any]) -> None:
        """
        Args:
            folder: of the work.
            header: all that the pieces depend on; plain JSON values.

        Raises:
            GeoroadsError: the folder holds other pieces.
        """
        self._ledger = open_ledger(folder / LEDGER, header)
        self._path = folder / _FILE
        self._places: dict[str, tuple[int, int, int]] = {}
        for record in self._ledger.records:
            for key, start, length, checksum in record.get("pieces", []):
                self._places[key] = (start, length, checksum)
        self._end = max((start + length for start, length, _ in self._places.values()), default=0)
        how = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)
        self._file = os.fdopen(os.open(self._path, how, 0o600), "r+b")
        self._file.truncate(self._end)  # a gap becomes zeros, which no checksum fits
        self._waiting: list[tuple[str, int, int, int]] = []
        self._noted = time.monotonic()

    def __enter__(self) -> Pieces:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.note()
        finally:
            self._file.close()
            self._ledger.close()

    def __contains__(self, key: str) -> bool:
        return key in self._places

    def get(self, key: str) -> bytes | None:
        """A piece; None where it has not come yet, or is damaged."""
        place = self._places.get(key)
        if place is None:
            return None
        start, length, checksum = place
        self._file.seek(start)
        content = self._file.read(length)
        if len(content) == length and zlib.crc32(content) == checksum:
            return content
        del self._places[key]
        return None

    def put(self, key: str, content: bytes) -> None:
        """Keep a piece."""
        with disk_errors_named(
            f"{printable(self._path)} cannot be written", "free some space, then --resume"
        ):
            self._file.seek(self._end)
            self._file.write(content)
            place = self._end, len(content), zlib.crc32(content)
            self._end += len(content)
            self._places[key] = place
            self._waiting.append((key, *place))
            if len(self._waiting) >= _EVERY or time.monotonic() - self._noted > _EVERY_S:
                self.note()

    def note(self) -> None:
        """Flush what came to the disk, and name it in the ledger."""
        if self._waiting:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._ledger.append({"pieces": [list(piece) for piece in self._waiting]})
            self._waiting = []
        self._noted = time.monotonic()

    def discard(self) -> None:
        """Give the disk back what is no longer needed; the ledger still says that there is work."""
        self.note()
        self._file.truncate(0)
