"""Batches on their way through a GPU, by a fake one that does nothing before it is waited for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any
from unittest import mock

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from georoads.errors import GeoroadsError
from georoads.inference.cuda import GpuQueue, TorchGpu
from georoads.inference.runtime import GPU_BATCH_PX, GROUP_TILES, QueuedRuntime, gpu_batch
from georoads.inference.torch_runtime import CudaTorchRuntime, TorchRuntime
from georoads.model.card import ModelCard
from georoads.model.config import ModelConfig


class FakeStream:
    """Work that is done in order, as far as somebody waits for it."""

    def __init__(self) -> None:
        self.work: list[Callable[[], None]] = []
        self.done = 0

    def run_to(self, position: int) -> None:
        while self.done < position:
            self.done += 1
            self.work[self.done - 1]()

    def wait_event(self, event: FakeEvent) -> None:
        self.work.append(event.synchronize)


class FakeEvent:
    def __init__(self, stream: FakeStream) -> None:
        self.stream, self.position = stream, len(stream.work)

    def synchronize(self) -> None:
        self.stream.run_to(self.position)


class FakeTensor:
    """Values that are there once the work has been done that makes them."""

    def __init__(self, *shape: int) -> None:
        self.shape = shape
        self.kept_for: list[FakeStream] = []
        self._values: NDArray[np.uint8] | None = None

    def numpy(self) -> NDArray[np.uint8]:
        assert self._values is not None, "read before it was there"
        return self._values

    def set(self, values: NDArray[np.uint8]) -> None:
        self._values = values.copy()


class FullError(Exception):
    pass


class FakeCuda:
    OutOfMemoryError: type[BaseException] = FullError

    def __init__(self) -> None:
        self.emptied = 0

    def is_available(self) -> bool:
        return True

    def device_count(self) -> int:
        return 1

    def get_device_name(self, index: int) -> str:
        return f"fake {index}"

    def mem_get_info(self, index: int) -> tuple[int, int]:
        return 2**30, 2**31

    def empty_cache(self) -> None:
        self.emptied += 1


class FakeGpu:
    """See ``cuda.Gpu``. Its network gives a band, and takes so many tiles at once."""

    index = 0

    def __init__(self, most: int = 100) -> None:
        self.cuda = FakeCuda()
        self.streams: list[FakeStream] = []
        self.made: list[FakeTensor] = []
        self.most = most
        self.computed: list[int] = []
        self._now = FakeStream()

    def pinned(self, shape: tuple[int, ...]) -> NDArray[np.uint8]:
        return np.zeros(shape, np.uint8)

    def new_stream(self) -> FakeStream:
        self.streams.append(FakeStream())
        return self.streams[-1]

    @contextmanager
    def on(self, stream: FakeStream) -> Iterator[None]:
        before, self._now = self._now, stream
        yield
        self._now = before

    def mark(self, stream: FakeStream) -> FakeEvent:
        return FakeEvent(stream)

    def _later(self, tensor: FakeTensor, values: Callable[[], NDArray[np.uint8]]) -> FakeTensor:
        self.made.append(tensor)
        self._now.work.append(lambda: tensor.set(values()))
        return tensor

    def upload(self, pixels: NDArray[np.uint8]) -> FakeTensor:
        return self._later(FakeTensor(*pixels.shape), lambda: pixels)

    def network(self, given: FakeTensor) -> FakeTensor:
        if given.shape[0] > self.most:
            raise self.cuda.OutOfMemoryError
        self.computed.append(given.shape[0])
        return self._later(FakeTensor(given.shape[0], *given.shape[2:]), lambda: given.numpy()[:, 1])

    def download(self, levels: FakeTensor) -> FakeTensor:
        return self._later(FakeTensor(*levels.shape), levels.numpy)

    def keep(self, tensor: FakeTensor, stream: FakeStream) -> None:
        tensor.kept_for.append(stream)

    def synchronize(self) -> None:
        for stream in self.streams:
            stream.run_to(len(stream.work))


@pytest.fixture
def batches() -> list[NDArray[np.uint8]]:
    rng = np.random.default_rng(2)
    return [rng.integers(0, 255, (n, 3, 8, 8)).astype(np.uint8) for n in (4, 4, 3)]


def test_batches_go_through_while_others_are_on_their_way(batches: list[NDArray[np.uint8]]) -> None:
    gpu = FakeGpu()
    queue = GpuQueue(gpu.network, gpu)
    waits = [queue.start(pixels) for pixels in batches]
    to, through, back = gpu.streams
    assert not to.done and not through.done and not back.done  # nothing was waited for
    assert (waits[0]() == batches[0][:, 1]).all()
    assert back.done < len(back.work)  # nor for more than the first
    for wait, pixels in zip(waits[1:], batches[1:], strict=True):
        assert (wait() == pixels[:, 1]).all()
    for given, levels in zip(gpu.made[::3], gpu.made[1::3], strict=True):
        assert (given.kept_for, levels.kept_for) == ([through], [back])


def test_47_a_full_gpu_finishes_what_it_has_and_takes_the_rest_in_parts(
    batches: list[NDArray[np.uint8]],
) -> None:
    gpu = FakeGpu(most=3)
    queue = GpuQueue(gpu.network, gpu)
    first = queue.start(batches[2])
    second = queue.start(batches[0])
    assert all(stream.done == len(stream.work) for stream in gpu.streams)
    assert gpu.cuda.emptied
    assert (second() == batches[0][:, 1]).all()
    assert (first() == batches[2][:, 1]).all()
    assert gpu.computed == [3, 2, 2]
    full = FakeGpu(most=0)
    with pytest.raises(GeoroadsError, match=r"one tile of 8 px does not fit the GPU: 1\.0 of 2\.0 GiB"):
        GpuQueue(full.network, full).start(batches[0])


def test_torch_is_asked_for_pinned_memory_and_copies_that_nobody_waits_for() -> None:
    fake = mock.MagicMock()
    gpu, pixels = TorchGpu(fake, 1), np.zeros((2, 3, 8, 8), np.uint8)
    gpu.pinned((4, 3))
    fake.empty.assert_called_with((4, 3), dtype=fake.uint8, pin_memory=True)
    gpu.upload(pixels)
    fake.from_numpy.assert_called_once_with(pixels)
    fake.from_numpy().to.assert_called_with("cuda:1", non_blocking=True)
    levels = mock.Mock(shape=(2, 8, 8))
    gpu.download(levels)
    fake.empty().copy_.assert_called_with(levels, non_blocking=True)
    stream = gpu.new_stream()
    fake.cuda.Stream.assert_called_with("cuda:1")
    assert gpu.mark(stream) is stream.record_event(fake.cuda.Event(blocking=True))
    gpu.keep(levels, stream)
    levels.record_stream.assert_called_with(stream)


class CpuGpu(FakeGpu):
    """A GPU that is the CPU, and does all at once."""

    def new_stream(self) -> Any:
        return mock.Mock()

    def on(self, stream: Any) -> Any:
        return nullcontext()

    def mark(self, stream: Any) -> Any:
        return mock.Mock()

    def upload(self, pixels: NDArray[np.uint8]) -> Any:
        return torch.from_numpy(pixels.copy())

    def download(self, levels: Any) -> Any:
        return levels.clone()

    def keep(self, tensor: Any, stream: Any) -> None:
        pass

    def synchronize(self) -> None:
        pass


def test_the_runtime_on_a_gpu_gives_the_levels_of_the_other(batches: list[NDArray[np.uint8]]) -> None:
    card = ModelCard("drawn", ModelConfig(), (0.4,) * 3, (0.2,) * 3, 0.5, 32, 8, 0.5)
    network = torch.nn.Conv2d(3, 1, 3, padding=1)
    queued = CudaTorchRuntime(network, card, "cpu", "fp32", 4, CpuGpu())
    assert isinstance(queued, QueuedRuntime)
    assert not isinstance(TorchRuntime(network, card), QueuedRuntime)
    plain = TorchRuntime(network, card).levels(batches[0])
    assert (queued.start(batches[0])() == plain).all()
    assert len(np.unique(plain)) > 5
    assert queued.new_buffer((4, 3, 8, 8)).shape == (4, 3, 8, 8)


@pytest.mark.parametrize(("tile_px", "tiles"), [(448, 16), (512, 16), (640, 8), (1024, 4), (4000, 1)])
def test_the_batch_of_a_gpu_hangs_on_the_card_alone(tile_px: int, tiles: int) -> None:
    assert gpu_batch(tile_px) == tiles
    assert tiles * tile_px**2 <= GPU_BATCH_PX or tiles == 1
    # The last batch of a group is about as large as the others.
    assert GROUP_TILES % tiles in (0, *range(tiles - 3, tiles))
