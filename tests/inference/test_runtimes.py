"""All runtimes compute the same network."""

from __future__ import annotations

import sys
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import click
import numpy as np
import pytest
from numpy.typing import NDArray

from georoads import extras
from georoads.cli import options
from georoads.errors import GeoroadsError
from georoads.inference import select
from georoads.inference.openvino_runtime import OpenVinoRuntime, cpu_precision
from georoads.inference.runtime import tile_levels
from georoads.inference.select import PredictParams, fastest_runtime, open_runtime
from georoads.model.cache import kept
from georoads.model.checkpoint import find_checkpoint


@pytest.fixture(scope="module")
def tiles() -> list[NDArray[np.uint8]]:
    """Two tiles of drawn ground: a road on grass, and noise."""
    card = find_checkpoint("default").card
    rng = np.random.default_rng(5)
    ground = rng.normal(90, 12, (3, card.tile_px, card.tile_px))
    ground[:, 200:216] += 70
    noise = rng.integers(0, 256, (3, card.tile_px, card.tile_px))
    return [t.clip(0, 255).astype(np.uint8) for t in (ground, noise)]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "module"), [("openvino", "openvino"), ("onnx", "onnxruntime")])
def test_levels_are_those_of_torch(name: str, module: str, tiles: list[NDArray[np.uint8]]) -> None:
    pytest.importorskip(module)
    checkpoint = find_checkpoint("default")
    torch_levels, levels = (
        tile_levels(open_runtime(checkpoint, PredictParams("cpu", r, "fp32", batch=2)), tiles).astype(int)
        for r in ("torch", name)
    )
    apart = np.abs(levels - torch_levels)
    assert apart.max() <= 1
    assert (apart > 0).mean() <= 0.001
    threshold = checkpoint.card.threshold * 254
    assert ((levels >= threshold) != (torch_levels >= threshold)).mean() <= 1e-5


@pytest.mark.slow
def test_whole_numbers_say_nearly_the_same(tiles: list[NDArray[np.uint8]]) -> None:
    pytest.importorskip("openvino")
    checkpoint = find_checkpoint("default")
    full, whole = (
        tile_levels(open_runtime(checkpoint, PredictParams("cpu", "openvino", p, batch=2)), tiles).astype(int)
        for p in ("fp32", "int8")
    )
    threshold = checkpoint.card.threshold * 254
    assert np.abs(whole - full).mean() <= 4
    assert ((whole >= threshold) != (full >= threshold)).mean() <= 0.01
    assert (whole != full).any(), "it is another network"


def test_auto_takes_the_precision_that_the_processor_is_fast_in(monkeypatch: pytest.MonkeyPatch) -> None:
    openvino = pytest.importorskip("openvino")
    able = ["FP32", "INT8"]
    monkeypatch.setattr(openvino.Core, "get_property", lambda *_: able)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    assert cpu_precision(has_int8=True) == "int8"
    assert cpu_precision(has_int8=False) == "fp32"
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    assert cpu_precision(has_int8=True) == "fp32"
    able.append("BF16")
    assert cpu_precision(has_int8=True) == "bf16"


def test_whole_numbers_are_openvinos_and_of_models_that_have_them(tmp_path: Path) -> None:
    checkpoint = find_checkpoint("default")
    with pytest.raises(GeoroadsError, match="int8 is computed by OpenVINO alone"):
        open_runtime(checkpoint, PredictParams("cpu", "onnx", "int8"))
    for path in (checkpoint.path, checkpoint.weights):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    bare = find_checkpoint(str(tmp_path / checkpoint.path.name))
    pytest.importorskip("openvino")
    with pytest.raises(GeoroadsError, match="no twin of whole numbers"):
        open_runtime(bare, PredictParams("cpu", "openvino", "int8"))
    (tmp_path / f"{checkpoint.card.name}.int8.onnx").write_bytes(b"another")
    with pytest.raises(GeoroadsError, match="sha256 differs"):
        find_checkpoint(str(bare.path))


def test_stated_threads_are_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("openvino")
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    given: list[PredictParams] = []
    command = options.runtime_flags(lambda predict_params: given.append(predict_params))
    click.command(command).main(["--device", "cpu"], standalone_mode=False)
    params = replace(given[0], runtime="openvino", precision="fp32", batch=1)
    runtime = open_runtime(find_checkpoint("default"), params)
    assert isinstance(runtime, OpenVinoRuntime)
    assert runtime._compiled.get_property("INFERENCE_NUM_THREADS") == 1
    assert not runtime._compiled.get_property("ENABLE_CPU_PINNING")


def test_auto_takes_the_fastest_that_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    installed = {"openvino", "onnxruntime"}
    monkeypatch.setattr(select, "find_spec", lambda name: object() if name in installed else None)
    monkeypatch.setattr(select, "has_gpu", lambda: False)
    assert fastest_runtime("auto") == "openvino"
    installed.remove("openvino")
    assert fastest_runtime("cpu") == "onnx"
    installed.clear()
    assert fastest_runtime("auto") == "torch"
    installed.add("openvino")
    monkeypatch.setattr(select, "has_gpu", lambda: True)
    assert fastest_runtime("auto") == "torch"
    assert fastest_runtime("cpu") == "openvino"


def test_what_is_not_there_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    checkpoint = find_checkpoint("default")
    if find_spec("onnxruntime") is not None:
        with pytest.raises(GeoroadsError, match="no GPU provider"):
            open_runtime(checkpoint, PredictParams("cuda", "onnx"))
        with pytest.raises(GeoroadsError, match="fp32"):
            open_runtime(checkpoint, PredictParams("cpu", "onnx", "bf16"))
    monkeypatch.setattr(extras, "find_spec", lambda name: None)
    for name in ("onnx", "openvino", "torch"):
        with pytest.raises(GeoroadsError, match="not installed"):
            open_runtime(checkpoint, PredictParams("cpu", name))


@pytest.mark.slow
def test_a_compiled_model_is_kept_and_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tiles: list[NDArray[np.uint8]]
) -> None:
    openvino = pytest.importorskip("openvino")
    monkeypatch.setenv("GEOROADS_CACHE", str(tmp_path))
    checkpoint, params = find_checkpoint("default"), PredictParams("cpu", "openvino", "fp32", batch=2)
    compilations = []
    compile_model = openvino.Core.compile_model

    def counted(core: object, *arguments: object) -> object:
        compilations.append(arguments)
        return compile_model(core, *arguments)

    monkeypatch.setattr(openvino.Core, "compile_model", counted)
    first = tile_levels(open_runtime(checkpoint, params), tiles)
    assert (tile_levels(open_runtime(checkpoint, params), tiles) == first).all()
    assert len(compilations) == 1
    (blob,) = (tmp_path / "compiled").iterdir()
    blob.write_bytes(blob.read_bytes()[:-1])  # cut off
    assert (tile_levels(open_runtime(checkpoint, params), tiles) == first).all()
    assert len(compilations) == 2
    assert kept(blob.name) is not None
    if sys.platform != "win32":
        blob.chmod(0o666)  # anybody may have written it
        open_runtime(checkpoint, params)
        assert len(compilations) == 3
    open_runtime(checkpoint, replace(params, batch=1))
    assert len(compilations) == (4 if sys.platform != "win32" else 3)
