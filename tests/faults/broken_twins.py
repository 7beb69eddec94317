"""ONNX twins that no runtime may be given, drawn small; each with what must be said of it."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from georoads.model.card import ModelCard
from georoads.model.config import ModelConfig

TILE = 64
GREY = helper.make_node("ReduceMean", ["image"], ["grey"], axes=[1], keepdims=1)
GIVEN = "image", TensorProto.FLOAT, ("n", 3, TILE, TILE)
TAKEN = "logits", TensorProto.FLOAT, ("n", 1, TILE, TILE)


@dataclass(frozen=True)
class BrokenTwin:
    """An ONNX file and what is wrong with it.

    Attributes:
        content: of the file.
        says: part of the message.
        beside: makes the file's companion, by its path.
    """

    content: bytes
    says: str
    beside: Callable[[Path], Any] | None = None


def network(
    *nodes: onnx.NodeProto,
    weights: Sequence[onnx.TensorProto] = (),
    inputs: Sequence[tuple[str, int, Sequence[Any]]] = (GIVEN,),
    outputs: Sequence[tuple[str, int, Sequence[Any]]] = (TAKEN,),
    domain: str = "",
) -> bytes:
    """An ONNX file of some nodes; the channels' mean is there as "grey"."""
    graph = helper.make_graph(
        [GREY, *nodes] if inputs else [*nodes], "drawn",
        [helper.make_tensor_value_info(*value) for value in inputs],
        [helper.make_tensor_value_info(*value) for value in outputs],
        list(weights),
    )  # fmt: skip
    domains = [helper.make_opsetid("", 13), *([helper.make_opsetid(domain, 1)] if domain else [])]
    content: bytes = helper.make_model(graph, opset_imports=domains, ir_version=8).SerializeToString()
    return content


def constant(name: str, value: Any, dtype: Any = np.float32) -> onnx.TensorProto:
    return numpy_helper.from_array(np.array(value, dtype=dtype), name)


def passed(source: str = "grey") -> onnx.NodeProto:
    """The node that gives something out as the logits."""
    return helper.make_node("Identity", [source], ["logits"])


def adding(weight: onnx.TensorProto) -> bytes:
    """A network that adds a weight to the grey picture."""
    return network(helper.make_node("Add", ["grey", weight.name], ["logits"]), weights=[weight])


def elsewhere(location: str, size: int = 4) -> onnx.TensorProto:
    """A weight whose values lie in another file."""
    weight = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[size // 4])
    weight.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", str(size))):
        entry = weight.external_data.add()
        entry.key, entry.value = key, value
    return weight


def inner(*outputs: str, inputs: Sequence[tuple[str, int]] = ()) -> onnx.GraphProto:
    """The body of a loop, or a branch: it hands its inputs on, or the grey picture."""
    sources = [name for name, _ in inputs[1:]] or ["grey"]
    nodes = [helper.make_node("Identity", [s], [o]) for s, o in zip(sources, outputs, strict=True)]
    kinds = [kind for _, kind in inputs[1:]] or [TensorProto.FLOAT]
    return helper.make_graph(
        nodes, "inner",
        [helper.make_tensor_value_info(name, kind, None) for name, kind in inputs],
        [helper.make_tensor_value_info(o, kind, None) for o, kind in zip(outputs, kinds, strict=True)],
    )  # fmt: skip


def _in_constant_node() -> bytes:
    node = helper.make_node("Constant", [], ["w"], value=elsewhere("w.bin"))
    return network(node, helper.make_node("Add", ["grey", "w"], ["logits"]))


def _loop() -> bytes:
    body = inner(
        "c1", "v1", inputs=[("i", TensorProto.INT64), ("c0", TensorProto.BOOL), ("v0", TensorProto.FLOAT)]
    )
    weights = [constant("often", 2**62, np.int64), constant("go", True, np.bool_)]
    return network(helper.make_node("Loop", ["often", "go", "grey"], ["logits"], body=body), weights=weights)


def _branch() -> bytes:
    node = helper.make_node("If", ["go"], ["logits"], then_branch=inner("a"), else_branch=inner("b"))
    return network(node, weights=[constant("go", True, np.bool_)])


def _own_function() -> bytes:
    model = onnx.load_from_string(network(helper.make_node("Own", ["grey"], ["logits"], domain="own")))
    body = [helper.make_node("Identity", ["x"], ["y"])]
    model.functions.append(
        helper.make_function("own", "Own", ["x"], ["y"], body, [helper.make_opsetid("", 13)])
    )
    content: bytes = model.SerializeToString()
    return content


def _sparse() -> bytes:
    values, places = constant("w", [1.0]), constant("w_places", [0], np.int64)
    model = onnx.load_from_string(network(helper.make_node("Add", ["grey", "w"], ["logits"])))
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [1]))
    content: bytes = model.SerializeToString()
    return content


def _weight_file(path: Path) -> None:
    path.with_name("w.bin").write_bytes(np.ones(1, np.float32).tobytes())


def _fifo(path: Path) -> None:
    os.mkfifo(path.with_name("w.bin"))


WHOLE = network(passed())
SMALLER = helper.make_node("MaxPool", ["grey"], ["logits"], kernel_shape=[2, 2], strides=[2, 2])
OTHERS = "takes weights from other files"

NOT_TO_BE_RUN = {
    "weights beside it": BrokenTwin(adding(elsewhere("w.bin")), OTHERS, _weight_file),
    "weights that are a pipe": BrokenTwin(adding(elsewhere("w.bin")), OTHERS, _fifo),
    "weights anywhere": BrokenTwin(adding(elsewhere("/etc/passwd")), OTHERS),
    "weights above": BrokenTwin(adding(elsewhere("../../../../../../../etc/passwd")), OTHERS),
    "weights without end": BrokenTwin(adding(elsewhere("/dev/zero", 2**40)), OTHERS),
    "weights of a constant": BrokenTwin(_in_constant_node(), OTHERS, _weight_file),
    "a loop without end": BrokenTwin(_loop(), "has the operator Loop; expected: no loops"),
    "a branch": BrokenTwin(_branch(), "has the operator If; expected: no loops and no branches"),
    "a function of its own": BrokenTwin(_own_function(), "holds functions of its own"),
    "an operator of another program": BrokenTwin(
        network(helper.make_node("Evil", ["grey"], ["logits"], domain="evil.com"), domain="evil.com"),
        "has the operator Evil of evil.com",
    ),
    "sparse weights": BrokenTwin(_sparse(), "holds sparse tensors"),
}
"""Files that a runtime would obey."""

NOT_THE_CARDS = {
    "empty": BrokenTwin(b"", "is no ONNX file"),
    "a page": BrokenTwin(b"<html>" * 10, "is cut off or damaged, or no ONNX file"),
    "another format": BrokenTwin(b'<?xml version="1.0"?><net name="x" version="11"></net>', "no ONNX file"),
    "garbage": BrokenTwin(b"\x08\x08garbage" * 100, "is cut off or damaged"),
    "cut off": BrokenTwin(WHOLE[:-20], "is cut off or damaged"),
    "more fields than any": BrokenTwin(b"\x08\x01" * 300_001, "more than 300,000 fields"),
    "no input": BrokenTwin(
        network(passed("c"), weights=[constant("c", np.zeros((1, 1, TILE, TILE)))], inputs=()),
        "has 0 inputs; expected: one",
    ),
    "two inputs": BrokenTwin(
        network(helper.make_node("Add", ["grey", "x"], ["logits"]), inputs=(GIVEN, ("x", *GIVEN[1:]))),
        "has 2 inputs; expected: one",
    ),
    "two outputs": BrokenTwin(
        network(passed(), helper.make_node("Identity", ["grey"], ["y"]), outputs=(TAKEN, ("y", *TAKEN[1:]))),
        "has 2 outputs; expected: one",
    ),
    "another tile": BrokenTwin(
        network(passed(), inputs=[("image", TensorProto.FLOAT, ("n", 3, 32, 32))]),
        "its input is N x 3 x 32 x 32; by its card: N x 3 x 64 x 64",
    ),
    "any tile": BrokenTwin(
        network(passed(), inputs=[("image", TensorProto.FLOAT, ("n", 3, "h", "w"))]),
        "its input is N x 3 x N x N",
    ),
    "one tile at a time": BrokenTwin(
        network(passed(), inputs=[("image", TensorProto.FLOAT, (1, 3, TILE, TILE))]),
        "its input is 1 x 3 x 64 x 64",
    ),
    "bytes in": BrokenTwin(
        network(passed(), inputs=[("image", TensorProto.UINT8, GIVEN[2])]), "its input holds no 32-bit floats"
    ),
    "three channels out": BrokenTwin(
        network(passed("image"), outputs=[("logits", TensorProto.FLOAT, ("n", 3, TILE, TILE))]),
        "its output is N x 3 x 64 x 64; by its card: N x 1 x 64 x 64",
    ),
    "a smaller picture out": BrokenTwin(
        network(SMALLER, outputs=[("logits", TensorProto.FLOAT, ("n", 1, TILE // 2, TILE // 2))]),
        "its output is N x 1 x 32 x 32",
    ),
    "whole numbers out": BrokenTwin(
        network(
            helper.make_node("Cast", ["grey"], ["logits"], to=TensorProto.INT32),
            outputs=[("logits", TensorProto.INT32, TAKEN[2])],
        ),
        "its output holds no 32-bit floats",
    ),
}
"""Files that are no ONNX, or the network of another card."""

ONLY_RUNTIMES_KNOW = {
    "an operator that is not there": BrokenTwin(
        network(helper.make_node("Nothing", ["grey"], ["logits"])), "cannot use the ONNX file"
    ),
    "a weight of another shape": BrokenTwin(
        adding(constant("w", np.ones((5, 5)))), "cannot use the ONNX file"
    ),
    "a smaller picture that is not stated": BrokenTwin(
        network(SMALLER, outputs=[("logits", TensorProto.FLOAT, ("n", 1, "h", "w"))]),
        "gives float32 (1, 1, 32, 32), not float32 (1, 1, 64, 64)",
    ),
    "more memory than there is": BrokenTwin(
        network(
            helper.make_node("Expand", ["grey", "to"], ["huge"]),
            helper.make_node("ReduceMax", ["huge"], ["logits"], axes=[1], keepdims=1),
            weights=[constant("to", [1, 2**28, TILE, TILE], np.int64)],
        ),
        "memory",
    ),
}
"""Files whose fault shows when a runtime reads them, or runs them on an empty tile."""

NOT_FINITE = {
    "no numbers": network(
        helper.make_node("Sqrt", ["w"], ["s"]), helper.make_node("Add", ["grey", "s"], ["logits"]),
        weights=[constant("w", [-1.0])],
    ),
    "infinite": network(helper.make_node("Div", ["grey", "w"], ["logits"]), weights=[constant("w", [0.0])]),
    "a weight that is no number": adding(constant("w", [np.nan])),
    "one that is infinite": adding(constant("w", [np.inf])),
}  # fmt: skip
"""Networks whose output is infinite or no number."""


def write_model(folder: Path, content: bytes, name: str = "broken") -> Path:
    """Card, weights (which nobody reads) and ONNX twin, whose sha256 the card knows; returns the card."""
    weights, twin = folder / f"{name}.safetensors", folder / f"{name}.onnx"
    weights.write_bytes(b"no weights")
    twin.write_bytes(content)
    files = {f.name: hashlib.sha256(f.read_bytes()).hexdigest() for f in (weights, twin)}
    card = ModelCard(
        name, ModelConfig(), mean=(0.5,) * 3, std=(0.25,) * 3, gsd_m=0.5, tile_px=TILE, overlap_px=16,
        threshold=0.5, files=files,
    )  # fmt: skip
    path = folder / f"{name}.json"
    path.write_text(card.to_json())
    return path
