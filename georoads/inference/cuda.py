"""All that is only for CUDA GPUs: their number, their names, their queues, and what to do when one is full.

Everything touches torch and torch.cuda through a ``Cuda`` or ``Gpu`` value, so that tests can put a fake in
its place.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from georoads.errors import GeoroadsError


class Cuda(Protocol):
    """The part of the module torch.cuda that is used here."""

    OutOfMemoryError: type[BaseException]

    def is_available(self) -> bool: ...
    def device_count(self) -> int: ...
    def get_device_name(self, index: int) -> str: ...
    def mem_get_info(self, index: int) -> tuple[int, int]: ...
    def empty_cache(self) -> None: ...


class Gpu(Protocol):
    """What a queue of batches needs of a GPU: memory, copies, streams and events, as torch has them."""

    @property
    def cuda(self) -> Cuda:
        """torch.cuda, or what stands for it."""
        ...

    @property
    def index(self) -> int:
        """Number of the GPU."""
        ...

    def pinned(self, shape: tuple[int, ...]) -> NDArray[np.uint8]:
        """Memory of this machine that the GPU reads by itself."""
        ...

    def new_stream(self) -> Any:
        """A row of work that the GPU does in order, beside that of other streams."""
        ...

    def on(self, stream: Any) -> AbstractContextManager[Any]:
        """In the block, work is put into a stream."""
        ...

    def mark(self, stream: Any) -> Any:
        """An event: the end of what a stream has been given so far; its ``synchronize`` waits for it."""
        ...

    def upload(self, pixels: NDArray[np.uint8]) -> Any:
        """A tensor on the GPU, copied from pinned memory while the caller goes on."""
        ...

    def download(self, levels: Any) -> Any:
        """A tensor in pinned memory, copied from the GPU while the caller goes on."""
        ...

    def keep(self, tensor: Any, stream: Any) -> None:
        """Leave a tensor's memory alone, when it is dropped, until a stream's work so far is done."""
        ...

    def synchronize(self) -> None:
        """Wait until the GPU has done all that it was given."""
        ...


def check_device_name(device: str) -> None:
    """Refuse what names no device, whether there is one or not.

    Raises:
        GeoroadsError: the name is none.
    """
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d{1,3})?", device):
        raise GeoroadsError(
            f"there is no device {device!r}", "--device cuda for a GPU (cuda:1: the second), mps, cpu or auto"
        )


def torch_cuda() -> Any:
    """The module torch.cuda, imported now."""
    import torch

    return torch.cuda


def gpu_count(cuda: Cuda) -> int:
    """Number of GPUs that can be used."""
    return cuda.device_count() if cuda.is_available() else 0


def describe_gpu(cuda: Cuda, index: int) -> str:
    """Name and free memory, for the summary."""
    free, total = cuda.mem_get_info(index)
    return f"{cuda.get_device_name(index)} ({free / 2**30:.1f} of {total / 2**30:.1f} GiB free)"


def with_smaller_batches(
    run: Callable[[NDArray[Any]], NDArray[Any]], batch: NDArray[Any], cuda: Cuda, index: int = 0
) -> NDArray[Any]:
    """Run a batch; when the GPU's memory runs out, halve it down to single tiles.

    The tile itself never shrinks: that would change the result.

    Args:
        run: the network, from (N, bands, H, W) to (N, H, W).
        batch: (N, bands, H, W).
        cuda: torch.cuda, or what stands for it in a test.
        index: number of the GPU.

    Returns:
        What ``run`` gives for the whole batch.

    Raises:
        GeoroadsError: a single tile does not fit; says how much memory is free.
    """
    try:
        return run(batch)
    except cuda.OutOfMemoryError as e:
        cuda.empty_cache()
        if len(batch) == 1:
            free, total = cuda.mem_get_info(index)
            raise GeoroadsError(
                f"one tile of {batch.shape[-1]} px does not fit the GPU: {free / 2**30:.1f} of "
                f"{total / 2**30:.1f} GiB are free",
                "stop other programs that use the GPU, or use --device cpu",
            ) from e
    half = (len(batch) + 1) // 2
    parts = [with_smaller_batches(run, part, cuda, index) for part in (batch[:half], batch[half:])]
    return np.concatenate(parts)


class TorchGpu:
    """A GPU, through torch; see ``Gpu``."""

    def __init__(self, torch: Any, index: int) -> None:
        """
        Args:
            torch: the module, or what stands for it in a test.
            index: number of the GPU.
        """
        self.cuda = torch.cuda
        self.index = index
        self._torch = torch
        self._device = f"cuda:{index}"

    def pinned(self, shape: tuple[int, ...]) -> NDArray[np.uint8]:
        """Memory of this machine that the GPU reads by itself."""
        memory: NDArray[np.uint8] = self._pinned(shape).numpy()
        return memory

    def _pinned(self, shape: tuple[int, ...]) -> Any:
        with self.cuda.device(self.index):  # else a context is opened on the first GPU, too
            return self._torch.empty(shape, dtype=self._torch.uint8, pin_memory=True)

    def new_stream(self) -> Any:
        """A row of work that the GPU does in order, beside that of other streams."""
        return self.cuda.Stream(self._device)

    def on(self, stream: Any) -> AbstractContextManager[Any]:
        """In the block, work is put into a stream."""
        block: AbstractContextManager[Any] = self.cuda.stream(stream)
        return block

    def mark(self, stream: Any) -> Any:
        """An event: the end of a stream's work so far. Who waits for it leaves its core to others."""
        return stream.record_event(self.cuda.Event(blocking=True))

    def upload(self, pixels: NDArray[np.uint8]) -> Any:
        """A tensor on the GPU, copied from pinned memory while the caller goes on."""
        return self._torch.from_numpy(pixels).to(self._device, non_blocking=True)

    def download(self, levels: Any) -> Any:
        """A tensor in pinned memory, copied from the GPU while the caller goes on."""
        return self._pinned(tuple(levels.shape)).copy_(levels, non_blocking=True)

    def keep(self, tensor: Any, stream: Any) -> None:
        """Leave a tensor's memory alone until a stream's work so far is done."""
        tensor.record_stream(stream)

    def synchronize(self) -> None:
        """Wait until the GPU has done all that it was given."""
        self.cuda.synchronize(self._device)


class GpuQueue:
    """Batches on their way through a GPU: one is copied to it, one computed and one copied back at a time.

    Each of the three has a stream of its own; events say when one may go on with what another has done.
    """

    def __init__(self, network: Callable[[Any], Any], gpu: Gpu) -> None:
        """
        Args:
            network: from a tensor of tiles (N, bands, H, W) uint8 to levels (N, H, W) uint8, on the GPU.
            gpu: which one.
        """
        self._network = network
        self._gpu = gpu
        self._to, self._through, self._back = (gpu.new_stream() for _ in range(3))
        gpu.synchronize()  # the weights are there, which came by another stream

    def start(self, pixels: NDArray[np.uint8]) -> Callable[[], NDArray[np.uint8]]:
        """Begin with a batch; what is returned waits for its levels.

        Where the GPU's memory is full, batches before it are finished, and this one is done in smaller parts.

        Args:
            pixels: (N, bands, H, W) uint8, best in memory from ``Gpu.pinned``; left alone until then.

        Raises:
            GeoroadsError: a single tile does not fit.
        """
        try:
            return self._start(pixels)
        except self._gpu.cuda.OutOfMemoryError:
            pass  # what was begun is freed when this block has ended
        self._gpu.synchronize()
        self._gpu.cuda.empty_cache()
        levels = with_smaller_batches(self._at_once, pixels, self._gpu.cuda, self._gpu.index)
        return lambda: levels

    def _at_once(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return self._start(pixels)()

    def _start(self, pixels: NDArray[np.uint8]) -> Callable[[], NDArray[np.uint8]]:
        gpu = self._gpu
        with gpu.on(self._to):
            given = gpu.upload(pixels)
        self._through.wait_event(gpu.mark(self._to))
        with gpu.on(self._through):
            levels = self._network(given)
        gpu.keep(given, self._through)
        self._back.wait_event(gpu.mark(self._through))
        with gpu.on(self._back):
            returned = gpu.download(levels)
        gpu.keep(levels, self._back)
        finished = gpu.mark(self._back)

        def wait() -> NDArray[np.uint8]:
            finished.synchronize()
            return np.asarray(returned.numpy())

        return wait
