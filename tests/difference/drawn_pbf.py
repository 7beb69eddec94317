"""A small extract of OpenStreetMap as .osm.pbf: blobs of protocol buffers, as osmformat.proto has them.

Nodes, ways and a relation lie in a blob each, in this order.
"""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path


def write_pbf(path: Path, ways: Sequence[tuple[Mapping[str, str], Sequence[tuple[float, float]]]]) -> Path:
    """Write ways, each with its tags and its places in longitude and latitude, as ``pbf_of`` has them."""
    path.write_bytes(pbf_of(ways))
    return path


def pbf_of(
    ways: Sequence[tuple[Mapping[str, str], Sequence[tuple[float, float]]]],
    optional_features: Sequence[bytes] = (),
) -> bytes:
    """An extract with these ways; their nodes are numbered in order."""
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
    table = _bytes_field(1, b"".join(_bytes_field(1, text.encode()) for text in strings))
    header = b"".join(_bytes_field(4, name) for name in (b"OsmSchema-V0.6", b"DenseNodes"))
    header += b"".join(_bytes_field(5, name) for name in optional_features)
    relation = _bytes_field(4, _varint_field(1, 1))
    groups = (_bytes_field(2, group) for group in (nodes, encoded, relation))
    data = b"".join(_blob(b"OSMData", table + group) for group in groups)
    return _blob(b"OSMHeader", header) + data


def ends_of_blobs(path: Path) -> list[int]:
    """The bytes at which the blobs end: header, nodes, ways, relation."""
    content, ends, at = path.read_bytes(), [], 0
    while at < len(content):
        length = int.from_bytes(content[at : at + 4], "big")
        header = content[at + 4 : at + 4 + length]
        at += 4 + length + _first_varint(header[header.rindex(b"\x18") + 1 :])
        ends.append(at)
    return ends


def _first_varint(content: bytes) -> int:
    return sum((byte & 127) << 7 * i for i, byte in enumerate(content))


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
