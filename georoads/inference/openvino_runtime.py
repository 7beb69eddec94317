"""The OpenVINO runtime: reads the checkpoint's ONNX twin, needs no torch."""

from __future__ import annotations

import hashlib
import math
import platform
from typing import Any

import numpy as np
from numpy.typing import NDArray

from georoads.inference.runtime import check_shape, refusing, try_out
from georoads.levels import FULL, NODATA
from georoads.model.cache import keep, kept
from georoads.model.card import ModelCard
from georoads.model.pixels import road_logits, scale_and_shift
from georoads.model.twin import Twin
from georoads.resources import check_memory
from georoads.text import printable

_CHECKS = 2
"""Counts up when a twin has to pass more before it is kept compiled: older ones are compiled again."""


def cpu_precision(*, has_int8: bool) -> str:
    """The fastest precision on this CPU that costs no quality (measured in benchmarks/README.md).

    That is bf16 where it is multiplied in hardware, else int8; on other processors than Intel's and AMD's
    OpenVINO has no fast int8.

    Args:
        has_int8: the model has a twin of whole numbers.
    """
    import openvino

    if "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        return "bf16"
    return "int8" if has_int8 and platform.machine().lower() in ("x86_64", "amd64") else "fp32"


class _OpenVino:
    """An ONNX file compiled for the CPU by OpenVINO."""

    name = "openvino"
    device = "cpu"
    takes_bytes = True

    def __init__(self, twin: Twin, batch: int, precision: str, threads: int = 0) -> None:
        """
        Args:
            twin: the network; where it computes with whole numbers, the one that was made to.
            batch: tiles that it takes at once, at most.
            precision: fp32, bf16 or int8.
            threads: of the CPU; 0: all.

        Raises:
            CheckpointError: OpenVINO cannot run the network, or the machine has not the memory for it.
        """
        import openvino

        self.batch = batch
        core = openvino.Core()
        self.precision = precision
        hint = "bf16" if precision == "bf16" else "f32"  # of what is not done with whole numbers
        options = {"INFERENCE_PRECISION_HINT": hint, "PERFORMANCE_HINT": "LATENCY"}
        if threads:
            # The other cores may be another process's. Pinned to cores, both would take the first ones.
            options |= {"INFERENCE_NUM_THREADS": str(threads), "ENABLE_CPU_PINNING": "NO"}
        self._compiled = _compiled(core, twin, batch, options, takes_bytes=self.takes_bytes)


class OpenVinoRuntime(_OpenVino):
    """Bytes in, bytes out; see ``Runtime``."""

    def levels(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """round(254 p), (N, H, W) uint8, of tiles (N, bands, H, W) uint8; 255 where p is no number."""
        return np.asarray(self._compiled(pixels)[0], dtype=np.uint8)


class OpenVinoNetwork(_OpenVino):
    """Floats in, logits out; see ``Network``."""

    takes_bytes = False

    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits of road (N, H, W) float32 of a normalised batch (N, bands, H, W) float32."""
        return road_logits(np.asarray(self._compiled(batch)[0], dtype=np.float32))


def _compiled(core: Any, twin: Twin, batch: int, options: dict[str, str], *, takes_bytes: bool) -> Any:
    """The model compiled for batches up to a size: from the user's cache, or anew and tried out."""
    import openvino

    name = _cache_name(core, twin, batch, options, takes_bytes=takes_bytes)
    if (blob := kept(name)) is not None:
        try:
            return core.import_model(blob, "CPU", options)
        except RuntimeError:  # of another build of OpenVINO, whatever its version says
            pass
    with refusing("OpenVINO", twin, (RuntimeError,)):
        model = core.read_model(twin.content)
        _, *rest = model.input(0).get_partial_shape()
        model.reshape([openvino.Dimension(1, batch), *(d.get_length() for d in rest)])
        _check_steps(model, twin)
        if takes_bytes:
            _check_output(model, twin)
            model = _wrap(model, twin.card)
        compiled = core.compile_model(model, "CPU", options)
        try_out(lambda tile: compiled(tile)[0], twin, takes_bytes=takes_bytes)
    keep(name, compiled.export_model().getvalue())
    return compiled


def _check_output(model: Any, twin: Twin) -> None:
    """Refuse a network that does not give logits: what is put behind it would not notice.

    Raises:
        CheckpointError: says what it gives.
    """
    output = model.output(0)
    sizes = [size.get_max_length() for size in output.get_partial_shape()]  # -1: not bounded
    check_shape(output.get_element_type().to_dtype(), (1, *sizes[1:]), twin)


def _wrap(model: Any, card: ModelCard) -> Any:
    """The model with normalisation before it and levels behind it: see ``pixels`` and ``runtime``.

    OpenVINO computes what follows the last convolution in fp32, whatever the precision of the rest.
    """
    import openvino
    from openvino import opset10 as steps

    before = openvino.preprocess.PrePostProcessor(model)
    scale, shift = scale_and_shift(card.mean, card.std)
    before.input().tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NCHW"))
    before.input().model().set_layout(openvino.Layout("NCHW"))
    converted = before.input().preprocess().convert_element_type(openvino.Type.f32)
    converted.scale([float(1 / s) for s in scale]).mean([float(m) for m in shift])
    model = before.build()
    logits = model.output(0).get_node().input_value(0)
    road = steps.gather(logits, np.int64(card.model.classes - 1), np.int64(1))
    if card.model.classes == 2:
        road = steps.subtract(road, steps.gather(logits, np.int64(0), np.int64(1)))
    levels = steps.round(steps.multiply(steps.sigmoid(road), np.float32(FULL)), "HALF_TO_EVEN")
    # No comparison with what is no number is true.
    is_number = steps.less_equal(steps.absolute(road), np.finfo(np.float32).max)
    levels = steps.convert(steps.select(is_number, levels, np.float32(NODATA)), "u8")
    return openvino.Model([levels], model.get_parameters(), "levels")


def _check_steps(model: Any, twin: Twin) -> None:
    """Refuse a network of which one step alone does not fit into memory: OpenVINO would crash.

    Raises:
        GeoroadsError: with the numbers.
    """
    for step in model.get_ops():
        for output in step.outputs():
            sizes = [axis.get_max_length() for axis in output.get_partial_shape()]  # -1: not bounded
            needed_mb = math.inf if min(sizes, default=1) < 0 else 4e-6 * math.prod(sizes)
            check_memory(f"the step {step.get_type_name()} of {printable(twin.path)}", needed_mb)


def _cache_name(core: Any, twin: Twin, batch: int, options: dict[str, str], *, takes_bytes: bool) -> str:
    """File name in the cache; it differs where anything differs that the compiled model depends on."""
    import openvino

    cpu = [str(core.get_property("CPU", p)) for p in ("FULL_DEVICE_NAME", "OPTIMIZATION_CAPABILITIES")]
    around = [twin.card.mean, twin.card.std, twin.card.model.classes] if takes_bytes else []
    what = [openvino.__version__, f"1 to {batch}", sorted(options.items()), *cpu, _CHECKS, around]
    return hashlib.sha256(twin.content + repr(what).encode()).hexdigest() + ".openvino"
