"""Loading training chips without end. What chip number n shows is a function of n and the seed."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset, default_collate

from georoads.appearance import Seen, appearance_of, seen_in
from georoads.data.augment import augment
from georoads.data.chip import Chip, ChipParams, cut_chip
from georoads.data.dataset import Sample
from georoads.data.picture_cache import read_picture
from georoads.errors import GeoroadsError
from georoads.levels import FULL
from georoads.model.pixels import fill_invalid, normalize
from georoads.training.hard_places import HardPlaces
from georoads.training.recipe import DataSource
from georoads.training.stopping import leave_stops_to_the_parent
from georoads.training.strips import between_roads
from georoads.training.teacher import TaughtPictures

_LOOKED_AT = 300
"""Chips that say what all look like; they take some ten seconds."""


class ChipRequest(NamedTuple):
    """Asks for a chip.

    Attributes:
        number: of the chip, from 0.
        progress: of the training (0..1) at which it is cut, since the shares of a mix change along it.
    """

    number: int
    progress: float


@dataclass(frozen=True)
class ChipSource:
    """A data set of the mix.

    Attributes:
        source: its line in the recipe.
        samples: the pictures to learn from.
        hard: places in them where a model was wrong, or None.
    """

    source: DataSource
    samples: tuple[Sample, ...]
    hard: HardPlaces | None = None


@dataclass(frozen=True)
class ChipDataset(Dataset[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]):
    """Chips by request.

    Attributes:
        sources: the data sets of the mix.
        chip: how chips are cut.
        augmentation: none, flips or full.
        mean, std: of the network's input.
        seed: of everything random.
        cache: folder of decoded pictures, or None.
        hard_share: of a data set's chips, that show one of its hard places.
        strip_weight: of a pixel between two roads; of the others it is 1.
        teacher: pictures whose p stands beside the masks, or None.
        teacher_share: of the truth, that is the teacher's; the rest is the mask's.
    """

    sources: tuple[ChipSource, ...]
    chip: ChipParams
    augmentation: str
    mean: tuple[float, ...]
    std: tuple[float, ...]
    seed: int
    cache: Path | None = None
    hard_share: float = 0.0
    strip_weight: float = 1.0
    teacher: TaughtPictures | None = None
    teacher_share: float = 0.5

    def __getitem__(self, request: ChipRequest) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Input (3, H, W) float32, road (H, W) float32, weight (H, W) float32, 0 if invalid.

        Road is 0 or 1 as the mask has it; where a teacher has seen the picture, the weighted mean of mask
        and p, but for strips between roads, in which teachers see roads.
        """
        seed = _derive_seed(self.seed, request.number, purpose=1)
        chip = augment(self._cut(request), self.augmentation, seed)
        # Invalid pixels look as they do where scenes are predicted.
        shown = fill_invalid(np.ascontiguousarray(chip.image.transpose(2, 0, 1)), chip.valid)
        image = normalize(shown, self.mean, self.std)
        weight = chip.valid.astype(np.float32)
        road = chip.road.astype(np.float32)
        if chip.taught is not None:
            p = np.minimum(chip.taught, FULL).astype(np.float32) / FULL
            road += self.teacher_share * (p - road)
        if self.strip_weight != 1.0:
            strip = between_roads(chip.road, self.chip.gsd_m)
            weight[strip] *= self.strip_weight
            road[strip] = 0.0
        return torch.from_numpy(image), torch.from_numpy(road), torch.from_numpy(weight)

    @cached_property
    def seen(self) -> Seen:
        """What the pictures look like, by some of the chips, halfway through the training."""
        chips = [self._cut(ChipRequest(number, 0.5)) for number in range(_LOOKED_AT)]
        looks = [appearance_of(chip.image.transpose(2, 0, 1), chip.valid) for chip in chips]
        return seen_in([look for look in looks if look is not None])

    def _cut(self, request: ChipRequest) -> Chip:
        """The chip before augmentation."""
        # The same draws in the same order: first the data set by its share, then the picture, then the place.
        rng = np.random.default_rng([self.seed, request.number])
        shares = np.array([each.source.share_at(request.progress) for each in self.sources])
        chosen = self.sources[int(rng.choice(len(shares), p=shares / shares.sum()))]
        place = None
        if chosen.hard is not None and rng.random() < self.hard_share:
            number, place = chosen.hard.draw(rng)
        else:
            number = self._choose_sample(request.number, rng, len(chosen.samples))
        sample = chosen.samples[number]
        picture = read_picture(sample, chosen.source.white_is_nodata, self.cache)
        # At a hard place the mask alone is right: the teacher may be the model that was wrong there.
        if self.teacher is not None and place is None:
            taught = self.teacher.levels(chosen.source.path, sample.name, picture.road.shape)
            picture = replace(picture, taught=taught)
        return cut_chip(picture, sample.gsd_m, self.chip, rng, place)

    def _choose_sample(self, number: int, rng: np.random.Generator, count: int) -> int:
        """Which sample of a source comes; of a single source each comes once before any comes again."""
        if len(self.sources) > 1:
            return int(rng.integers(count))
        turn, place = divmod(number, count)
        return int(np.random.default_rng([self.seed, 2, turn]).permutation(count)[place])


@dataclass(frozen=True)
class ChipSampler:
    """The endless batch sampler: batches of requests, with the progress at the time when each is drawn.

    Attributes:
        first: number of the first chip.
        batch: chips of a batch.
        stride: from the first chip of a batch to that of the next; more than the batch where other
            processes take what lies between.
        progress: of the training (0..1) at a chip's number.
    """

    first: int
    batch: int
    stride: int
    progress: Callable[[int], float]

    def __iter__(self) -> Iterator[list[ChipRequest]]:
        number = self.first
        while True:
            progress = self.progress(number)
            yield [ChipRequest(number + i, progress) for i in range(self.batch)]
            number += self.stride


def load_chips(
    dataset: ChipDataset, sampler: ChipSampler, workers: int
) -> Generator[Sequence[torch.Tensor], None, None]:
    """Batches (N, 3, H, W), (N, H, W), (N, H, W), as ChipDataset gives their parts.

    Args:
        dataset: cuts and augments the chips.
        sampler: says which chips come.
        workers: processes that cut chips; 0: this one does.

    Raises:
        DatasetError: for a picture that cannot be used.
    """
    loader = DataLoader(
        _WithErrorsAsValues(dataset),
        batch_sampler=sampler,  # endless: it has no length
        num_workers=workers,
        prefetch_factor=3 if workers else None,
        worker_init_fn=_begin_worker,
        collate_fn=_collate_or_pass_error,
        timeout=120 if workers else 0,
    )
    for batch in loader:
        if isinstance(batch, GeoroadsError):
            raise batch
        yield batch


@contextmanager
def explain_dead_workers() -> Iterator[None]:
    """Say what a worker's death means.

    Torch raises the error from a signal handler, so wherever the program just is: this wraps all of it.

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
class _WithErrorsAsValues(Dataset[Any]):
    """The chips; an expected error is handed on as a value, since a worker would bury it in a traceback."""

    chips: ChipDataset

    def __getitem__(self, request: ChipRequest) -> Any:
        try:
            return self.chips[request]
        except GeoroadsError as e:
            return e


def _collate_or_pass_error(samples: list[Any]) -> Any:
    errors = [s for s in samples if isinstance(s, GeoroadsError)]
    return errors[0] if errors else default_collate(samples)


def _begin_worker(worker: int) -> None:
    import cv2

    leave_stops_to_the_parent()
    cv2.setNumThreads(0)
    torch.set_num_threads(1)


def _derive_seed(seed: int, number: int, purpose: int) -> int:
    return int(np.random.SeedSequence([seed, number, purpose]).generate_state(1)[0])
