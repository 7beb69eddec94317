"""The ledger of finished work: append-only JSON lines with one writer, so that a killed job can go on."""

from __future__ import annotations

import json
import os
import zlib
from pathlib import Path
from typing import IO, Any

from georoads.errors import GeoroadsError

Record = dict[str, Any]
_CHECKSUM = "crc"
"""The key under which a line keeps the checksum of its record."""


class Ledger:
    """A file whose first line says what the work is, and each further line what part of it is done.

    Each record has a checksum: the first line that was cut off by a crash, or is damaged, and all behind it
    are not counted. Records are on disk before ``append`` returns.

    Attributes:
        records: the finished parts.
    """

    def __init__(self, file: IO[str], records: list[Record]) -> None:
        self.records = records
        self._file = file

    def append(self, record: Record) -> None:
        """Note a finished part."""
        self._file.write(_line(record | {_CHECKSUM: _checksum(record)}))
        self._file.flush()
        os.fsync(self._file.fileno())
        self.records.append(record)

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def __enter__(self) -> Ledger:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_ledger(path: Path, header: Record) -> Ledger:
    """Open or start the ledger of a piece of work.

    Args:
        path: of the ledger; its folder exists.
        header: everything that the result depends on; plain JSON values.

    Raises:
        GeoroadsError: the ledger is of other work; the first difference is named.
    """
    lines = _whole_lines(path)
    if lines:
        found = lines[0]
        differing = sorted(k for k in found.keys() | header.keys() if found.get(k) != header.get(k))
        if differing:
            key = differing[0]
            raise GeoroadsError(
                f"the unfinished work in {path.parent} has another {key}: "
                f"{found.get(key)!r} then, {header.get(key)!r} now",
                "--restart throws the old work away",
            )
    _rewrite(path, lines or [header])  # a line that was cut off would swallow the next one
    file = path.open("a", encoding="utf-8", newline="\n")
    return Ledger(file, [{k: v for k, v in line.items() if k != _CHECKSUM} for line in lines[1:]])


def _whole_lines(path: Path) -> list[Record]:
    """The header and the records behind it, up to the first line that is not as it was written."""
    if not path.is_file():
        return []
    records: list[Record] = []
    for line in path.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]:
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            break
        if not isinstance(record, dict):
            break
        if records and record.get(_CHECKSUM) != _checksum(record):
            break
        records.append(record)
    return records


def _checksum(record: Record) -> int:
    return zlib.crc32(_line({k: v for k, v in record.items() if k != _CHECKSUM}).encode())


def _line(record: Record) -> str:
    return json.dumps(record, separators=(",", ":")) + "\n"


def _rewrite(path: Path, lines: list[Record]) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text("".join(map(_line, lines)), encoding="utf-8", newline="\n")
    part.replace(path)
