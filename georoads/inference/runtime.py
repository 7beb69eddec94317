"""What a runtime is, and how pixels become the network's input and its output levels. No torch here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from georoads.errors import CheckpointError
from georoads.levels import FULL
from georoads.model.twin import WAY_OUT, Twin
from georoads.text import printable

GPU_BATCH = 8
"""Tiles that go through the network together on a GPU, at most."""


class Runtime(Protocol):
    """A network that is ready on a device.

    Attributes:
        name: torch, openvino, onnx.
        device: cpu, cuda, cuda:N or mps.
        precision: of the arithmetic: fp32, bf16 or fp16.
        batch: tiles that it takes at once, at most.
    """

    name: str
    device: str
    precision: str
    batch: int

    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits of road (N, H, W) float32 of a normalised batch (N, bands, H, W) float32."""
        ...


@dataclass(frozen=True)
class RuntimeKind:
    """What levels depend on besides tiles and weights: the attributes of a Runtime.

    They depend on the type of the CPU and the number of its threads too, in their rounding.
    """

    name: str
    device: str
    precision: str
    batch: int

    def __str__(self) -> str:
        return f"{self.name} on {self.device}, {self.precision}, {self.batch} tiles at once"


def kind_of(runtime: Runtime) -> RuntimeKind:
    """The attributes of a runtime, as a value."""
    return RuntimeKind(runtime.name, runtime.device, runtime.precision, runtime.batch)


@contextmanager
def refusing(name: str, twin: Twin, failures: tuple[type[Exception], ...]) -> Iterator[None]:
    """Refuse a twin with which a runtime fails in the block.

    Args:
        name: of the runtime, for users.
        twin: what it is given.
        failures: what it then raises.

    Raises:
        CheckpointError: with the last line of what the runtime says.
    """
    try:
        yield
    except failures as e:
        said = (str(e).strip().splitlines() or [type(e).__name__])[-1]
        lacks_memory = any(word in said.lower() for word in ("alloc", "memory"))
        raise CheckpointError(
            f"{name} cannot use the ONNX file {printable(twin.path)}: {said[:300]}",
            _way_out(lacks_memory=lacks_memory),
        ) from e


def _way_out(*, lacks_memory: bool) -> str:
    if lacks_memory:
        return "give it more memory (ulimit -v), close other programs, or --set predict.batch=1"
    return WAY_OUT


def try_out(run: Callable[[NDArray[np.float32]], Any], twin: Twin) -> None:
    """Show a network one empty tile, before the work begins.

    Args:
        run: the runtime, from a normalised batch (N, bands, H, W) to the output of the network.
        twin: what it runs.

    Raises:
        CheckpointError: the output has another shape or type than logits have, or is not finite.
    """
    model, tile = twin.card.model, twin.card.tile_px
    out = np.asarray(run(np.zeros((1, model.in_channels, tile, tile), dtype=np.float32)))
    expected = (1, model.classes, tile, tile)
    if out.shape != expected or out.dtype != np.float32:
        raise CheckpointError(
            f"the network of {printable(twin.path)} gives {out.dtype} {out.shape}, not float32 {expected}",
            _way_out(lacks_memory=not out.size),  # OpenVINO gives nothing where it gets none
        )
    check_finite(out, f"the network of {printable(twin.path)}")


def check_finite(logits: NDArray[np.float32], network: str) -> None:
    """Refuse what is no answer: it would become road, or no road, without a word.

    Args:
        logits: of any shape.
        network: which one, for the message.

    Raises:
        CheckpointError: a logit is infinite or no number.
    """
    if not np.isfinite(logits).all():
        raise CheckpointError(
            f"{network} gives values that are infinite or no numbers",
            "the model is damaged, or needs --set predict.precision=fp32; --model default is known to work",
        )


def tile_levels(runtime: Runtime, tiles: Sequence[NDArray[np.float32]]) -> NDArray[np.uint8]:
    """Levels (K, H, W) of at most ``runtime.batch`` normalised tiles (bands, H, W).

    A batch that is not full is filled up with zeros, so that every batch has the same size: the rounding of
    the arithmetic may depend on it.
    """
    full = np.zeros((runtime.batch, *tiles[0].shape), dtype=np.float32)
    full[: len(tiles)] = tiles
    logits = runtime.logits(full)
    check_finite(logits, "the network")
    return to_levels(logits)[: len(tiles)]


def to_levels(logits: NDArray[np.float32]) -> NDArray[np.uint8]:
    """round(254 p) of p = 1 / (1 + exp(-logit)), uint8, same shape."""
    p = np.clip(logits, -30.0, 30.0)
    np.negative(p, out=p)
    np.exp(p, out=p)
    p += 1.0
    np.divide(1.0, p, out=p)
    p *= np.float32(FULL)
    return np.rint(p, out=p).astype(np.uint8)


def cpu_batch(tile_px: int) -> int:
    """Tiles that go through the network together on a CPU: about a megapixel.

    Fewer leave cores idle, and more do not fit the processor's caches.
    """
    return max(1, 2**20 // tile_px**2)
