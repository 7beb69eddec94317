"""ONNX twins as runtimes are given them: looked through before, without any runtime or the package onnx.

An ONNX file may name other files as its weights, which no checksum of a card covers; it may hold loops that
never end, or operators that only another program knows. Here such files are refused. They are protobuf
messages, as onnx/onnx.proto of github.com/onnx/onnx describes them: fields, each of a number and a value that
may be a message again. Only the fields that are named below are looked at.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from georoads.errors import CheckpointError
from georoads.model.card import ModelCard
from georoads.text import printable

MOST_FIELDS = 300_000
"""Files of more fields are refused: to read so many takes a second. The shipped twin has 10,000."""
MOST_BYTES = 2**31
"""Protobuf reads no larger message."""
WAY_OUT = "copy the model's files together again; or --set predict.runtime=torch, which reads the weights"

# Numbers of the fields of a model, a graph, a node, an attribute of a node, a tensor, and of what describes
# an input or output: its name, and on the way through its type the kind of its elements and its sizes.
_GRAPH, _TRAINING, _FUNCTIONS = 7, 20, 25
_NODE, _INITIALIZER, _INPUT, _OUTPUT, _SPARSE_INITIALIZER = 1, 5, 11, 12, 15
_OPERATOR, _ATTRIBUTE, _DOMAIN = 4, 5, 7
_TENSOR, _SUBGRAPH, _TENSORS, _SUBGRAPHS, _SPARSE, _SPARSES = 5, 6, 10, 11, 22, 23
_TENSOR_NAME, _EXTERNAL_DATA, _DATA_LOCATION = 8, 13, 14
_NAME, _TYPE, _OF_TENSOR, _ELEMENT, _SHAPE, _DIMENSION, _SIZE = 1, 2, 1, 1, 2, 1, 1

_BYTES = {1: 8, 5: 4}
"""Bytes of a value, by kind of field."""
_FLOAT = 1
"""How ONNX numbers the type of 32-bit floats."""
_STANDARD = ("", "ai.onnx")
"""Names of the domain whose operators every runtime knows."""

Value = int | memoryview
Sizes = Sequence[Value | None]
"""Of a tensor, along its axes; None where any size will do."""


@dataclass(frozen=True)
class Twin:
    """An ONNX file that was looked through.

    Attributes:
        path: of the file, for messages.
        content: its bytes: what a runtime reads is what was looked through.
        card: of the model.
    """

    path: Path
    content: bytes
    card: ModelCard


def read_twin(path: Path, card: ModelCard) -> Twin:
    """Read an ONNX file and look through it.

    Args:
        path: of the file.
        card: of the model; the file's input and output must be those that it states.

    Raises:
        CheckpointError: the file cannot be read, is no whole ONNX file, takes its weights from other files,
            holds loops, branches or unknown operators, or is the network of another card.
    """
    try:
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f"it is larger than {MOST_BYTES / 2**30:.0f} GiB")
        content = path.read_bytes()
        _check(memoryview(content), card)
    except (OSError, ValueError) as e:
        raise CheckpointError(f"the ONNX file {printable(path)} cannot be used: {e}", WAY_OUT) from e
    return Twin(path, content, card)


def _check(content: memoryview, card: ModelCard) -> None:
    """Look through a file.

    Raises:
        ValueError: says what was found, and what was expected.
    """
    read = _Reader()
    model = read.fields(content)
    if len(model[_GRAPH]) != 1:
        raise ValueError("it is no ONNX file: it holds no network")
    if model[_TRAINING] or model[_FUNCTIONS]:
        raise ValueError("it holds functions of its own; expected: operators of ONNX alone")
    graph = read.fields(model[_GRAPH][0])
    tensors = [*graph[_INITIALIZER]]
    for node in graph[_NODE]:
        tensors += _tensors_of(read, node)
    # The weights lie in the file, not in another one that it names.
    for tensor in map(read.fields, tensors):
        if tensor[_EXTERNAL_DATA] or any(tensor[_DATA_LOCATION]):
            raise ValueError("it takes weights from other files; expected: one file that holds them all")
    if graph[_SPARSE_INITIALIZER]:
        raise ValueError("it holds sparse tensors; expected: dense ones")
    # Old files list the weights among the inputs.
    weights = {_text(read.fields(tensor)[_TENSOR_NAME]) for tensor in graph[_INITIALIZER]}
    inputs = [one for one in graph[_INPUT] if _text(read.fields(one)[_NAME]) not in weights]
    tile, bands, classes = card.tile_px, card.model.in_channels, card.model.classes
    _check_tensor(read, "input", inputs, (None, bands, tile, tile))
    _check_tensor(read, "output", graph[_OUTPUT], (None, classes, tile, tile))


def _tensors_of(read: _Reader, node: Value) -> list[Value]:
    """The tensors among the attributes of a node, which must be an operator of ONNX without inner graphs."""
    fields = read.fields(node)
    operator, domain = _text(fields[_OPERATOR]), _text(fields[_DOMAIN])
    if domain not in _STANDARD:
        raise ValueError(f"it has the operator {operator} of {domain}; expected: operators of ONNX alone")
    tensors = []
    for attribute in map(read.fields, fields[_ATTRIBUTE]):
        if attribute[_SUBGRAPH] or attribute[_SUBGRAPHS]:
            raise ValueError(f"it has the operator {operator}; expected: no loops and no branches")
        if attribute[_SPARSE] or attribute[_SPARSES]:
            raise ValueError("it holds sparse tensors; expected: dense ones")
        tensors += attribute[_TENSOR] + attribute[_TENSORS]
    return tensors


def _check_tensor(read: _Reader, what: str, found: list[Value], expected: Sizes) -> None:
    """Refuse what is not one tensor of floats, of the expected sizes and free along the first axis.

    Args:
        read: reads messages.
        what: input, whose sizes must all be stated, or output.
        found: the messages that describe each input, or output.
        expected: None, and the sizes along the other axes.
    """
    if len(found) != 1:
        raise ValueError(f"it has {len(found)} {what}s; expected: one")
    tensor = read.at(found[0], _TYPE, _OF_TENSOR)
    if [kind for one in tensor for kind in read.at(one, _ELEMENT)] != [_FLOAT]:
        raise ValueError(f"its {what} holds no 32-bit floats")
    dimensions = [axis for one in tensor for axis in read.at(one, _SHAPE, _DIMENSION)]
    sizes = [next(iter(read.at(axis, _SIZE)), None) for axis in dimensions]
    stated = [
        want if size is None and what == "output" else size
        for size, want in zip(sizes, expected, strict=False)
    ]
    if len(sizes) != len(expected) or stated != list(expected):
        raise ValueError(f"its {what} is {_shown(sizes)}; by its card: {_shown(expected)}")


class _Reader:
    """Reads protobuf messages, MOST_FIELDS fields in all at most."""

    def __init__(self) -> None:
        self._left = MOST_FIELDS

    def fields(self, message: Value) -> defaultdict[int, list[Value]]:
        """The values of a message by the number of their field: whole numbers, or bytes.

        Raises:
            ValueError: it is no message, or there are too many fields.
        """
        found: defaultdict[int, list[Value]] = defaultdict(list)
        if isinstance(message, int):
            raise _damaged()
        at = 0
        while at < len(message):
            self._left -= 1
            if self._left < 0:
                raise ValueError(f"it has more than {MOST_FIELDS:,} fields")
            key, at = _varint(message, at)
            number, kind = divmod(key, 8)
            # Kinds: 0 is a whole number, 2 states its size, 1 and 5 have eight and four bytes; no others.
            value, at = _varint(message, at) if kind in (0, 2) else (_BYTES.get(kind, len(message)), at)
            if kind == 0:
                found[number].append(value)
            elif value > len(message) - at:
                raise _damaged()
            else:
                found[number].append(message[at : at + value])
                at += value
        return found

    def at(self, message: Value, *path: int) -> list[Value]:
        """The values of all fields to which numbers lead, from message to message."""
        found = [message]
        for number in path:
            found = [value for one in found for value in self.fields(one)[number]]
        return found


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """A whole number, seven bits a byte, and the place behind it."""
    value = 0
    for shift, byte in enumerate(message[at : at + 10]):
        value |= (byte & 127) << 7 * shift
        if byte < 128:
            return value, at + shift + 1
    raise _damaged()


def _damaged() -> ValueError:
    return ValueError("it is cut off or damaged, or no ONNX file")


def _shown(sizes: Sizes) -> str:
    return " x ".join("N" if not isinstance(size, int) else str(size) for size in sizes) or "of no shape"


def _text(values: list[Value]) -> str:
    joined = b"".join(bytes(value[:80]) for value in values if not isinstance(value, int))
    return printable(joined.decode("utf-8", "replace"))
