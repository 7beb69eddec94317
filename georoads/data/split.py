"""Which samples a model learns from, and which it is judged on."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from georoads.data.dataset import RoadDataset, Sample, read_split_file
from georoads.errors import DatasetError


@dataclass(frozen=True)
class Split:
    """Samples by subset.

    Attributes:
        train, val, test: disjoint; test may be empty.
        method: how it was made, for the card.
    """

    train: tuple[Sample, ...]
    val: tuple[Sample, ...]
    test: tuple[Sample, ...]
    method: str

    @property
    def sha256(self) -> str:
        """Of the sorted names of the subsets, so that equal splits have equal hashes."""
        text = "\n".join(
            f"{subset}:{','.join(sorted(s.name for s in getattr(self, subset)))}"
            for subset in ("train", "val", "test")
        )
        return hashlib.sha256(text.encode()).hexdigest()

    def subset(self, name: str) -> tuple[Sample, ...]:
        """The samples of "train", "val" or "test".

        Raises:
            DatasetError: for another name, or when the subset is empty.
        """
        if name not in ("train", "val", "test"):
            raise DatasetError(f"there is no subset {name!r}", "train, val or test")
        samples: tuple[Sample, ...] = getattr(self, name)
        if not samples:
            raise DatasetError(f"the subset {name} is empty", "choose another subset or split")
        return samples


def split_dataset(data: RoadDataset, how: str = "auto", seed: int = 42, val_share: float = 0.1) -> Split:
    """Divide a data set.

    Args:
        how: ``random`` (shuffled with the seed, val_share of it val), the path of a split file, or
            ``auto``: the data set's own split.json, else the split column of its index where that
            names val, else random.
    """
    if how == "auto":
        own = data.path / "split.json"
        if own.is_file():
            return _from_file(data, own)
        if any(s.split == "val" for s in data.samples):
            by = {k: tuple(s for s in data.samples if s.split == k) for k in ("train", "val", "test")}
            return Split(by["train"], by["val"], by["test"], "index.csv")
        how = "random"
    if how == "random":
        return _random(data, seed, val_share)
    path = Path(how)
    if not path.is_file():
        raise DatasetError(f"no split {how!r}", "random, auto, or the path of a split file (JSON)")
    return _from_file(data, path)


def _from_file(data: RoadDataset, path: Path) -> Split:
    names = read_split_file(path)
    train, val, test = (data.select(names.get(k, ())) for k in ("train", "val", "test"))
    return Split(train, val, test, f"file {path.name}")


def _random(data: RoadDataset, seed: int, val_share: float) -> Split:
    order = np.random.default_rng(seed).permutation(len(data.samples))
    n_val = max(1, round(val_share * len(order))) if len(order) > 1 else 0
    chosen = set(order[:n_val].tolist())
    train = tuple(s for i, s in enumerate(data.samples) if i not in chosen)
    val = tuple(s for i, s in enumerate(data.samples) if i in chosen)
    return Split(train, val, (), f"random, seed {seed}, {val_share:.0%} val")
