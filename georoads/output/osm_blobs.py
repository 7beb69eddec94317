"""Whether an extract of OpenStreetMap (.osm.pbf) is whole, as far as its blobs can tell.

The format (https://wiki.openstreetmap.org/wiki/PBF_Format) is a row of blobs, each with its length. It has no
mark of its end: a file that was cut within a blob shows it, one that was cut between two blobs does not. But
writers put nodes first, then ways, then relations: where a relation stands at the end, all ways came before.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from georoads.errors import LayerError
from georoads.text import printable

MAX_HEADER, MAX_BLOB = 64 * 1024, 32 * 1024**2
"""Bytes of a blob's header, and of what it holds, by the format."""
_LENGTH = 4
_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5
"""Kinds of fields of protocol buffers."""
_LONGEST_VARINT = 10
_TYPE, _SIZE = 1, 3
"""Fields of a blob's header."""
_RAW, _DEFLATED = 1, 3
"""Fields of a blob."""
_OPTIONAL_FEATURE = 5
"""Fields of the header's block."""
_GROUP = 2
"""Fields of a block: its groups. Each holds elements of one kind, by the field that they are in."""
_ELEMENTS = {1: "nodes", 2: "nodes", 3: "ways", 4: "relations", 5: "changesets"}


def doubt_of(path: Path) -> str:
    """Why roads may be missing at the end of an extract, in words; "" where there is no reason to think so.

    Raises:
        LayerError: it ends within a blob, its blobs are damaged, or hold what GDAL would pass over silently.
    """
    shown = printable(path)
    try:
        with path.open("rb") as file:
            header, last = _header_and_last_block(file)
        features = [*_fields(header, _OPTIONAL_FEATURE)]
        found = {_ELEMENTS.get(_first_field(group), "") for group in _fields(last or b"", _GROUP)}
    except (ValueError, zlib.error) as e:
        raise LayerError(f"{shown} is cut off or damaged: {e}", "fetch it anew") from e
    except _UnknownPackingError as e:
        raise LayerError(
            f"{shown} is packed in a way that is not read (lz4, zstd or another one)",
            f"pack it anew, as in: osmium cat {shown} -o OUT.osm.pbf",
        ) from e
    if b"LocationsOnWays" in features:
        raise LayerError(
            f"{shown} keeps places in its ways (LocationsOnWays), which are not read",
            "take the extract that it was made of; if all nodes were kept: osmium cat FILE -o OUT.osm.pbf",
        )
    if last is None:
        return "it holds nothing: it is the extract of an empty place, or cut off"
    elements = found & {"nodes", "ways"}
    if not elements or "relations" in found:
        return ""
    return (
        f"it ends with {' and '.join(sorted(elements))}, where whole extracts end with relations: if nobody "
        "left those out it is cut off, and roads are missing; compare its size or checksum with the server's"
    )


class _UnknownPackingError(Exception):
    """A blob is neither raw nor deflated: the format allows more, GDAL passes over it."""


def _header_and_last_block(file: BinaryIO) -> tuple[bytes, bytes | None]:
    """What the first blob holds, and the last one with data; None where there is none with data."""
    end = file.seek(0, 2)
    at, found = 0, dict[bytes, tuple[int, int]]()
    while at < end:
        file.seek(at)
        length = int.from_bytes(file.read(_LENGTH), "big")
        header = file.read(min(length, MAX_HEADER))
        size = next(_numbers(header, _SIZE), -1)
        begin = at + _LENGTH + length
        if length > MAX_HEADER or not 0 <= size <= MAX_BLOB or begin + size > end:
            raise ValueError(f"the blob at byte {at} of {end} is not whole")
        found[next(_fields(header, _TYPE), b"")] = begin, size
        at = begin + size
    if b"OSMHeader" not in found:
        raise ValueError("it has no header")
    return _unpacked(file, *found[b"OSMHeader"]), (
        _unpacked(file, *found[b"OSMData"]) if b"OSMData" in found else None
    )


def _unpacked(file: BinaryIO, begin: int, size: int) -> bytes:
    """What a blob holds."""
    file.seek(begin)
    blob = file.read(size)
    for deflated in _fields(blob, _DEFLATED):
        return zlib.decompressobj().decompress(deflated, MAX_BLOB)
    for raw in _fields(blob, _RAW):
        return raw
    raise _UnknownPackingError


def _first_field(message: bytes) -> int:
    return next((number for number, _, _ in _walk(message)), 0)


def _fields(message: bytes, wanted: int) -> Iterator[bytes]:
    """The values of a field that holds bytes."""
    for number, kind, value in _walk(message):
        if number == wanted and kind == _BYTES:
            yield message[value]


def _numbers(message: bytes, wanted: int) -> Iterator[int]:
    """The values of a field that holds a number."""
    for number, kind, value in _walk(message):
        if number == wanted and kind == _VARINT:
            yield _varint(message, value.start)[0]


def _walk(message: bytes) -> Iterator[tuple[int, int, slice]]:
    """Number, kind and place of each field of a message.

    Raises:
        ValueError: it is none.
    """
    at = 0
    while at < len(message):
        key, begin = _varint(message, at)
        kind = key & 7
        if kind == _VARINT:
            _, at = _varint(message, begin)
        elif kind == _BYTES:
            size, begin = _varint(message, begin)
            at = begin + size
        elif kind in (_EIGHT_BYTES, _FOUR_BYTES):
            at = begin + (8 if kind == _EIGHT_BYTES else 4)
        else:
            raise ValueError(f"a field of kind {kind}")
        if at > len(message):
            raise ValueError("a field is not whole")
        yield key >> 3, kind, slice(begin, at)


def _varint(message: bytes, at: int) -> tuple[int, int]:
    """A number of seven bits a byte, the lowest first; and where it ends."""
    value = 0
    for shift, byte in enumerate(message[at : at + _LONGEST_VARINT]):
        value |= (byte & 127) << 7 * shift
        if byte < 128:
            return value, at + shift + 1
    raise ValueError("a number is not whole")
