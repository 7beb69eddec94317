"""The endless stream of training chips. What sample number n is, is a function of n and the seed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, default_collate

from georoads.data.augment import augment
from georoads.data.chip import Chip, ChipParams, cut_chip
from georoads.data.dataset import Sample
from georoads.data.decoded import read_picture
from georoads.errors import GeoroadsError
from georoads.model.pixels import normalize
from georoads.training.recipe import DataSource

Ticket = tuple[int, float]
"""A sample's number and the progress of the training (0..1) at which it is drawn."""


@dataclass(frozen=True)
class ChipStream(Dataset[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]):
    """Chips by ticket.

    Attributes:
        sources: the data sets of the mix with their training samples.
        chip: how chips are cut.
        augmentation: none, flips or full.
        mean, std: of the network's input.
        seed: of everything random.
        cache: folder of decoded pictures, or None.
    """

    sources: tuple[tuple[DataSource, tuple[Sample, ...]], ...]
    chip: ChipParams
    augmentation: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    seed: int
    cache: Path | None = None

    def __getitem__(self, ticket: Ticket) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Input (3, H, W) float32, road (H, W) float32, valid (H, W) float32."""
        number, progress = ticket
        chip = augment(self.cut(number, progress), self.augmentation, _seed(self.seed, number, 1))
        image = normalize(chip.image.transpose(2, 0, 1), self.mean, self.std)
        image *= chip.valid  # invalid pixels show the mean
        return (
            torch.from_numpy(image),
            torch.from_numpy(chip.road.astype(np.float32)),
            torch.from_numpy(chip.valid.astype(np.float32)),
        )

    def cut(self, number: int, progress: float) -> Chip:
        """The chip of a number before augmentation."""
        rng = np.random.default_rng([self.seed, number])
        shares = np.array([source.share_at(progress) for source, _ in self.sources])
        source, samples = self.sources[int(rng.choice(len(shares), p=shares / shares.sum()))]
        sample = samples[self._turn(number, rng, len(samples))]
        picture = read_picture(sample, source.white_is_nodata, self.cache)
        return cut_chip(picture, sample.gsd_m, self.chip, rng)

    def _turn(self, number: int, rng: np.random.Generator, count: int) -> int:
        """Which sample of a source comes; of a single source each comes once before any comes again."""
        if len(self.sources) > 1:
            return int(rng.integers(count))
        turn, place = divmod(number, count)
        return int(np.random.default_rng([self.seed, 2, turn]).permutation(count)[place])


@dataclass(frozen=True)
class Tickets:
    """Batches of tickets, endless; asks for the progress when a batch is drawn.

    Attributes:
        first: number of the first sample.
        batch: samples of a batch.
        stride: from the first sample of a batch to that of the next; more than the batch where other
            processes take what lies between.
        progress: of the training (0..1) at a sample's number.
    """

    first: int
    batch: int
    stride: int
    progress: Callable[[int], float]

    def __iter__(self) -> Iterator[list[Ticket]]:
        number = self.first
        while True:
            progress = self.progress(number)
            yield [(number + i, progress) for i in range(self.batch)]
            number += self.stride


def load_chips(stream: ChipStream, tickets: Tickets, workers: int) -> Iterator[Sequence[torch.Tensor]]:
    """Batches (N, 3, H, W), (N, H, W), (N, H, W), cut by worker processes.

    Raises:
        DatasetError: for a picture that cannot be used.
    """
    loader = DataLoader(
        _Careful(stream),
        batch_sampler=tickets,  # an endless sampler: it has no length
        num_workers=workers,
        prefetch_factor=3 if workers else None,
        worker_init_fn=_one_thread,
        collate_fn=_collate,
        timeout=120 if workers else 0,
    )
    for batch in loader:
        if isinstance(batch, GeoroadsError):
            raise batch
        yield batch


@contextmanager
def explain_dead_workers() -> Iterator[None]:
    """Say what a worker's death means. Torch raises it from a signal handler: wherever the program just is.

    Raises:
        GeoroadsError: a worker process died within.
    """
    try:
        yield
    except RuntimeError as e:
        if "DataLoader worker" not in str(e):
            raise
        raise GeoroadsError(
            f"a process that cuts chips died: {e}",
            "mostly for want of memory: --set train.workers=1, or a smaller train.batch",
        ) from e


@dataclass(frozen=True)
class _Careful(Dataset[Any]):
    """The stream; an expected error is handed on as a value, since a worker would bury it in a traceback."""

    stream: ChipStream

    def __getitem__(self, ticket: Ticket) -> Any:
        try:
            return self.stream[ticket]
        except GeoroadsError as e:
            return e


def _collate(samples: list[Any]) -> Any:
    errors = [s for s in samples if isinstance(s, GeoroadsError)]
    return errors[0] if errors else default_collate(samples)


def _one_thread(worker: int) -> None:
    import cv2

    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"


def _seed(seed: int, number: int, purpose: int) -> int:
    return int(np.random.SeedSequence([seed, number, purpose]).generate_state(1)[0])
