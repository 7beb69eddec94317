"""Random model files: whole ones with bytes, nodes, weights or shapes changed, and what must hold.

A model gives a raster of numbers, or is refused in two lines. Run by test_model_faults.py, and at length by
benchmarks/fuzz.py.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from broken_twins import (
    GIVEN,
    NOT_FINITE,
    NOT_THE_CARDS,
    NOT_TO_BE_RUN,
    TAKEN,
    TILE,
    WHOLE,
    adding,
    constant,
    network,
    write_model,
)
from command_line import typed
from fuzzed import mutated
from hypothesis import strategies as st
from onnx import TensorProto, helper

from georoads.cli.unexpected import DEBUG_HINT

OPERATORS = [
    "Abs", "Neg", "Sqrt", "Log", "Exp", "Reciprocal", "Sigmoid", "Relu", "Floor", "Tanh", "Softmax", "Not",
    "Shape", "Size", "NonZero", "Flatten", "Transpose", "GlobalAveragePool", "Identity", "Cos", "Sign",
    "IsNaN", "Nothing",
]  # fmt: skip
PAIRS = ["Add", "Sub", "Mul", "Div", "Pow", "MatMul", "Max", "Expand", "Reshape", "Tile", "Gather", "Concat"]
values = st.floats(width=32) | st.sampled_from([0.0, 1.0, -1.0, 3e38, 1e-40])
shapes = st.lists(st.sampled_from([1, 2, 3, TILE]), max_size=4)
"""Of weights; a small one may still be read as the sizes of something large."""


@dataclass(frozen=True)
class DrawnModel:
    """The content of an ONNX file, and the runtime that is given it."""

    content: bytes
    runtime: str


@st.composite
def _networks(draw: st.DrawFn) -> bytes:
    """A chain of nodes behind the grey picture, of which some have a weight."""
    nodes, weights, last = [], [], "grey"
    for number in range(draw(st.integers(1, 4))):
        out = f"n{number}"
        if draw(st.booleans()):
            nodes.append(helper.make_node(draw(st.sampled_from(OPERATORS)), [last], [out]))
        else:
            shape = draw(shapes)
            dtype = draw(st.sampled_from([np.float32, np.float32, np.int64]))
            weight = np.full(shape, draw(values if dtype is np.float32 else st.integers(-3, 99)), dtype)
            weights.append(constant(f"w{number}", weight, dtype))
            operator = draw(st.sampled_from(PAIRS))
            attributes: dict[str, Any] = {"axis": draw(st.integers(-4, 4))} if operator == "Concat" else {}
            nodes.append(helper.make_node(operator, [last, f"w{number}"], [out], **attributes))
        last = out
    nodes.append(helper.make_node("Identity", [last], ["logits"]))
    size = st.sampled_from([1, 3, TILE, TILE // 2, "n", "h"])
    kind = draw(st.sampled_from([TensorProto.FLOAT] * 9 + [TensorProto.INT64]))
    taken = (
        TAKEN if draw(st.integers(0, 9)) else ("logits", kind, draw(st.lists(size, min_size=4, max_size=4)))
    )
    given = GIVEN if draw(st.integers(0, 9)) else ("image", kind, ("n", 3, draw(size), draw(size)))
    return network(*nodes, weights=weights, inputs=[given], outputs=[taken])


_SEEDS = [
    WHOLE, adding(constant("w", [-0.5])), *NOT_FINITE.values(), *(t.content for t in NOT_TO_BE_RUN.values()),
    *(t.content for t in NOT_THE_CARDS.values() if len(t.content) < 5000),
]  # fmt: skip


def drawn_models(runtimes: tuple[str, ...]) -> st.SearchStrategy[DrawnModel]:
    """Files with bytes changed, and networks of random nodes, each for one of the runtimes."""
    return st.builds(DrawnModel, mutated(*_SEEDS) | _networks(), st.sampled_from(runtimes))


def draw_scene(folder: Path) -> Path:
    """One tile of noise."""
    path = folder / "scene.tif"
    picture = np.random.default_rng(0).integers(1, 255, (3, TILE, TILE), dtype=np.uint8)
    transform = rasterio.Affine(0.5, 0, 5e5, 0, -0.5, 5e6)
    profile = {"driver": "GTiff", "width": TILE, "height": TILE, "count": 3, "dtype": "uint8"}
    with rasterio.open(path, "w", crs="EPSG:32632", transform=transform, **profile) as out:
        out.write(picture)
    return path


def check_model(drawn: DrawnModel, scene: Path, folder: Path) -> str:
    """Predict the scene with the model, in an empty folder that is cleared afterwards.

    Returns:
        "read" where it gives a raster, else "refused".

    Raises:
        AssertionError: it ended in another way, or left something.
    """
    model, output = write_model(folder, drawn.content), folder / "p.tif"
    arguments = ("predict", scene, "-o", output, "--model", model, "-q")
    try:
        ended = typed(*arguments, "--set", f"predict.runtime={drawn.runtime}")
        if ended.code == 0:
            with rasterio.open(output) as raster:
                assert (raster.read(1) != 255).all()
            return "read"
        assert ended.code == 1, ended
        error, hint = ended.err.splitlines()
        assert error.startswith("error: ") and hint.startswith("hint: "), ended.err
        assert DEBUG_HINT not in hint, ended.err  # nobody has foreseen it
        assert not output.exists()
        return "refused"
    finally:
        for left in folder.iterdir():
            shutil.rmtree(left) if left.is_dir() else left.unlink()
