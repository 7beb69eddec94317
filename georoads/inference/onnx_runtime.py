"""ONNX Runtime, on a CPU, or on a GPU with its own package: reads the ONNX twin, needs no torch."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from georoads.errors import GeoroadsError
from georoads.inference.runtime import refusing, try_out
from georoads.levels import FULL, NODATA
from georoads.model.pixels import road_logits, scale_and_shift
from georoads.model.twin import Twin


class _Onnx:
    """An ONNX file in a session of ONNX Runtime; fp32."""

    name = "onnx"
    precision = "fp32"
    takes_bytes = True

    def __init__(self, twin: Twin, batch: int, device: str = "cpu", threads: int = 0) -> None:
        """
        Args:
            twin: the network.
            batch: tiles that it takes at once, at most.
            device: cpu, cuda or cuda:N.
            threads: of the CPU; 0: one for each core.

        Raises:
            GeoroadsError: the GPU cannot be used, or the network.
        """
        self.batch = batch
        self.device = device
        with refusing("ONNX Runtime", twin, _failures()):
            self._session = _open_session(twin.content, device, threads)
            try_out(self._run, twin)
            if self.takes_bytes:
                self._session = _open_session(wrap(twin), device, threads)

    def _run(self, batch: NDArray[Any]) -> NDArray[Any]:
        (image, *_) = self._session.get_inputs()
        out: NDArray[Any] = self._session.run(None, {image.name: batch})[0]
        return out


class OnnxRuntime(_Onnx):
    """Bytes in, bytes out; see ``Runtime``."""

    def levels(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """round(254 p), (N, H, W) uint8, of tiles (N, bands, H, W) uint8; 255 where p is no number."""
        return self._run(pixels)


class OnnxNetwork(_Onnx):
    """Floats in, logits out; see ``Network``."""

    takes_bytes = False

    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits of road (N, H, W) float32 of a normalised batch (N, bands, H, W) float32."""
        return road_logits(self._run(batch))


def _open_session(content: bytes, device: str, threads: int) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4  # what is wrong is raised, too
    options.intra_op_num_threads = threads
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(content, options, providers=_providers(device))
    if device != "cpu" and "CUDAExecutionProvider" not in session.get_providers():
        raise GeoroadsError(
            "ONNX Runtime could not start on the GPU (its CUDA libraries do not load)",
            "--set predict.runtime=torch, or --device cpu; georoads doctor says more",
        )
    return session


_BEFORE = """
<ir_version: {ir}, opset_import: ["": {opset}]>
before (uint8[tiles, {bands}, {tile}, {tile}] pixels) => (float[tiles, {bands}, {tile}, {tile}] image)
<float[{bands}, 1, 1] scale = {{{scale}}}, float[{bands}, 1, 1] shift = {{{shift}}}>
{{
    floats = Cast <to = 1> (pixels)
    scaled = Mul (floats, scale)
    image = Sub (scaled, shift)
}}
"""
_BEHIND = """
<ir_version: {ir}, opset_import: ["": {opset}]>
behind (float[tiles, {classes}, {tile}, {tile}] logits) => (uint8[tiles, {tile}, {tile}] levels)
<int64 road_channel = {{{road}}}, int64 ground_channel = {{0}}, float full = {{{full}}}, float half = {{0.5}},
 float largest = {{3.4e38}}, float no_number = {{{nodata}}}>
{{
    channel = Gather <axis = 1> (logits, road_channel)
    {difference}
    p = Sigmoid (road)
    exact = Mul (p, full)
    raised = Add (exact, half)
    level = Floor (raised)
    size = Abs (road)
    is_number = Less (size, largest)
    known = Where (is_number, level, no_number)
    levels = Cast <to = 2> (known)
}}
"""
_DIFFERENCE = "ground = Gather <axis = 1> (logits, ground_channel) road = Sub (channel, ground)"


def wrap(twin: Twin) -> bytes:
    """A twin with normalisation before it and levels behind it, in memory: see ``pixels`` and ``runtime``.

    Args:
        twin: a network that was tried out.

    Returns:
        An ONNX file: tiles (N, bands, H, W) uint8 in, levels (N, H, W) uint8 out.
    """
    import onnx
    from onnx.compose import add_prefix, merge_models

    network, card = onnx.load_from_string(twin.content), twin.card
    weights = {one.name for one in network.graph.initializer}
    (image,) = (one.name for one in network.graph.input if one.name not in weights)
    (standard,) = (one.version for one in network.opset_import if one.domain in ("", "ai.onnx"))
    scale, shift = scale_and_shift(card.mean, card.std)
    values = {
        "ir": network.ir_version, "opset": standard, "bands": card.model.in_channels, "tile": card.tile_px,
        "scale": ", ".join(map(repr, scale.tolist())), "shift": ", ".join(map(repr, shift.tolist())),
        "classes": card.model.classes, "road": card.model.classes - 1, "full": f"{FULL:.1f}",
        "nodata": f"{NODATA:.1f}",
        "difference": _DIFFERENCE if card.model.classes == 2 else "road = Identity (channel)",
    }  # fmt: skip
    before, behind = (
        add_prefix(onnx.parser.parse_model(text.format(**values)), "georoads_") for text in (_BEFORE, _BEHIND)
    )
    first = merge_models(before, network, [("georoads_image", image)])
    whole = merge_models(first, behind, [(network.graph.output[0].name, "georoads_logits")])
    return bytes(whole.SerializeToString())


def _failures() -> tuple[type[Exception], ...]:
    """What ONNX Runtime raises when it cannot read a file, or run what it holds; they have no base."""
    from onnxruntime.capi import onnxruntime_pybind11_state as state

    named = (
        state.Fail, state.InvalidArgument, state.InvalidGraph, state.InvalidProtobuf, state.NotImplemented,
        state.RuntimeException, state.EPFail,
    )  # fmt: skip
    return (*named, RuntimeError)


def _providers(device: str) -> list[str | tuple[str, dict[str, str]]]:
    """ONNX Runtime's providers for a device (cpu, cuda, cuda:N).

    Raises:
        GeoroadsError: when the installed package cannot use the GPU.
    """
    import onnxruntime

    if device == "cpu":
        return ["CPUExecutionProvider"]
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        raise GeoroadsError(
            "the installed ONNX Runtime has no GPU provider",
            "pip install onnxruntime-gpu in its place, or --set predict.runtime=torch",
        )
    return [("CUDAExecutionProvider", {"device_id": device.partition(":")[2] or "0"}), "CPUExecutionProvider"]
