"""A small extract of OpenStreetMap as .osm.pbf: blobs of protocol buffers, as osmformat.proto has them."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path


def write_pbf(path: Path, ways: Sequence[tuple[Mapping[str, str], Sequence[tuple[float, float]]]]) -> Path:
    """Write ways, each with its tags and its places in longitude and latitude.

    Args:
        path: the file.
        ways: their nodes are numbered in order.
    """
    strings = [""]
    nodes, encoded, number = b"", b"", 0
    for way_id, (tags, places) in enumerate(ways, 1):
        first = number + 1
        for lon, lat in places:
            number += 1
            place = _varint_field(8, _zigzag(round(lat * 1e7))) + _varint_field(9, _zigzag(round(lon * 1e7)))
            nodes += _bytes_field(1, _varint_field(1, _zigzag(number)) + place)
        keys, values = ([*map(_number_in(strings), texts)] for texts in (tags.keys(), tags.values()))
        steps = [first] + [1] * (len(places) - 1)
        encoded += _bytes_field(
            3,
            _varint_field(1, way_id)
            + _bytes_field(2, b"".join(map(_varint, keys)))
            + _bytes_field(3, b"".join(map(_varint, values)))
            + _bytes_field(8, b"".join(_varint(_zigzag(step)) for step in steps)),
        )
    table = b"".join(_bytes_field(1, text.encode()) for text in strings)
    block = _bytes_field(1, table) + _bytes_field(2, nodes) + _bytes_field(2, encoded)
    header = b"".join(_bytes_field(4, name) for name in (b"OsmSchema-V0.6", b"DenseNodes"))
    path.write_bytes(_blob(b"OSMHeader", header) + _blob(b"OSMData", block))
    return path


def _number_in(strings: list[str]):  # type: ignore[no-untyped-def]
    def number(text: str) -> int:
        if text not in strings:
            strings.append(text)
        return strings.index(text)

    return number


def _blob(kind: bytes, content: bytes) -> bytes:
    packed = _varint_field(2, len(content)) + _bytes_field(3, zlib.compress(content))
    header = _bytes_field(1, kind) + _varint_field(3, len(packed))
    return len(header).to_bytes(4, "big") + header + packed


def _varint(value: int) -> bytes:
    parts: list[int] = []
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    return bytes([*parts, value])


def _zigzag(value: int) -> int:
    return (value << 1) ^ (value >> 63)


def _varint_field(number: int, value: int) -> bytes:
    return _varint(number << 3) + _varint(value)


def _bytes_field(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | 2) + _varint(len(content)) + content
