"""What a runtime is: bytes in, bytes out. No torch here.

A runtime normalises pixels and turns logits into levels where the network runs, so that one byte per value
travels; the model's files stay as they are (float in, logits out), and are wrapped in memory when loaded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from georoads.errors import CheckpointError
from georoads.levels import FULL, NODATA
from georoads.model.card import ModelCard
from georoads.model.pixels import normalize
from georoads.model.twin import WAY_OUT, Twin
from georoads.text import printable

GROUP_TILES = 32
"""Tiles of a group: whole batches on a CPU (four tiles, with the shipped model) and on a GPU (sixteen). It is
what is lost when a worker dies: ten seconds of one core."""
GPU_BATCH_PX = 2**22
"""Pixels that go through the network together on a GPU, about: enough to hide what starting its many small
steps costs, and at bf16 little enough for GPUs with 4 GB."""


class OnDevice(Protocol):
    """Where and how a network runs.

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


class Runtime(OnDevice, Protocol):
    """A network that is ready on a device, and takes and gives bytes."""

    def levels(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """round(254 p), (N, H, W) uint8, of tiles (N, bands, H, W) uint8; 255 where p is no number."""
        ...


@runtime_checkable
class QueuedRuntime(Runtime, Protocol):
    """A runtime that takes the next batches while it computes, as a GPU does.

    Attributes:
        in_flight: batches that it has begun and not given back, at most.
    """

    in_flight: int

    def new_buffer(self, shape: tuple[int, ...]) -> NDArray[np.uint8]:
        """Memory for a batch (N, bands, H, W) uint8, from which the device copies by itself."""
        ...

    def start(self, pixels: NDArray[np.uint8]) -> Callable[[], NDArray[np.uint8]]:
        """Begin with a batch, which is left alone until what is returned has given its ``levels``."""
        ...


class Network(OnDevice, Protocol):
    """A network that is ready on a device as its files state it: for what has to average logits."""

    def logits(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits of road (N, H, W) float32 of a normalised batch (N, bands, H, W) float32."""
        ...


class AtOnce:
    """A ``QueuedRuntime``, as far as its caller sees, of a runtime that computes while its caller waits."""

    in_flight = 1

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def new_buffer(self, shape: tuple[int, ...]) -> NDArray[np.uint8]:
        """Memory for a batch (N, bands, H, W) uint8."""
        return np.zeros(shape, dtype=np.uint8)

    def start(self, pixels: NDArray[np.uint8]) -> Callable[[], NDArray[np.uint8]]:
        """The levels of a batch, computed now."""
        levels = self._runtime.levels(pixels)
        return lambda: levels


class HostRuntime:
    """A runtime of a network that takes and gives floats: the arithmetic around it is done by numpy."""

    def __init__(self, network: Network, card: ModelCard) -> None:
        """
        Args:
            network: gives logits.
            card: of the model, which says how pixels are normalised.
        """
        self.name, self.device = network.name, network.device
        self.precision, self.batch = network.precision, network.batch
        self._network = network
        self._card = card

    def levels(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """round(254 p), (N, H, W) uint8, of tiles (N, bands, H, W) uint8; 255 where p is no number."""
        return to_levels(self._network.logits(normalize(pixels, self._card.mean, self._card.std)))


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


def kind_of(runtime: OnDevice) -> RuntimeKind:
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


def try_out(run: Callable[[NDArray[Any]], Any], twin: Twin, *, takes_bytes: bool = False) -> None:
    """Show a network one empty tile, before the work begins.

    Args:
        run: from a batch (N, bands, H, W) to what comes out.
        twin: what is run.
        takes_bytes: whether bytes are taken and levels come out, or floats and logits.

    Raises:
        CheckpointError: what comes out has another shape or type, or is not finite.
    """
    model, tile = twin.card.model, twin.card.tile_px
    given: NDArray[Any] = np.zeros((1, model.in_channels, tile, tile), dtype=np.float32)  # the mean
    if takes_bytes:
        mean = np.asarray(twin.card.mean, dtype=np.float32)[:, None, None]
        given = np.clip(np.rint(given + 255 * mean), 0, 255).astype(np.uint8)
    out = np.asarray(run(given))
    check_shape(out.dtype, out.shape, twin, takes_bytes=takes_bytes)
    check_levels(out if takes_bytes else to_levels(out), f"the network of {printable(twin.path)}")


def check_shape(
    dtype: np.dtype[Any], shape: tuple[int, ...], twin: Twin, *, takes_bytes: bool = False
) -> None:
    """Refuse a network whose output for one tile is not what it should be.

    Args:
        dtype, shape: of the output.
        twin: the network.
        takes_bytes: whether levels come out, or logits.

    Raises:
        CheckpointError: says what comes out.
    """
    model, tile = twin.card.model, twin.card.tile_px
    expected = (1, tile, tile) if takes_bytes else (1, model.classes, tile, tile)
    wanted = np.dtype(np.uint8 if takes_bytes else np.float32)
    if shape != expected or dtype != wanted:
        raise CheckpointError(
            f"the network of {printable(twin.path)} gives {dtype} {shape}, not {wanted} {expected}",
            _way_out(lacks_memory=0 in shape),  # OpenVINO gives nothing where it gets none
        )


def check_levels(levels: NDArray[np.uint8], network: str) -> None:
    """Refuse what is no answer: it would become nodata without a word.

    Args:
        levels: of any shape, as a runtime gives them.
        network: which one, for the message.

    Raises:
        CheckpointError: a logit was infinite or no number.
    """
    if (levels == NODATA).any():
        raise CheckpointError(
            f"{network} gives values that are infinite or no numbers",
            "the model is damaged, or needs --set predict.precision=fp32; --model default is known to work",
        )


def tile_levels(runtime: Runtime, tiles: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    """Levels (K, H, W) of at most ``runtime.batch`` tiles (bands, H, W) uint8.

    A batch that is not full is filled up with black, so that every batch has the same size: the rounding of
    the arithmetic may depend on it.
    """
    full = np.zeros((runtime.batch, *tiles[0].shape), dtype=np.uint8)
    full[: len(tiles)] = tiles
    levels = runtime.levels(full)[: len(tiles)]
    check_levels(levels, "the network")
    return levels


def to_levels(logits: NDArray[np.float32]) -> NDArray[np.uint8]:
    """round(254 p) of p = 1 / (1 + exp(-logit)), uint8, same shape; 255 where the logit is not finite."""
    p = np.clip(logits, -30.0, 30.0)
    np.negative(p, out=p)
    np.exp(p, out=p)
    p += 1.0
    np.divide(1.0, p, out=p)
    p *= np.float32(FULL)
    p[~np.isfinite(logits)] = NODATA
    return np.rint(p, out=p).astype(np.uint8)


def cpu_batch(tile_px: int) -> int:
    """Tiles that go through the network together on a CPU: about a megapixel.

    Fewer leave cores idle, and more do not fit the processor's caches.
    """
    return max(1, 2**20 // tile_px**2)


def gpu_batch(tile_px: int, group_tiles: int = GROUP_TILES) -> int:
    """Tiles that go through the network together on a GPU: about four megapixels.

    By the card alone, not by the memory that is free, since the levels' rounding may depend on the batch.

    Args:
        tile_px: side of a tile.
        group_tiles: that are predicted in one go: no batch reaches beyond them, so they are divided evenly.
    """
    most = max(1, GPU_BATCH_PX // tile_px**2)
    return -(-group_tiles // -(-group_tiles // most))
