"""Which samples a model learns from, and which it is judged on."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

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
        """Hash of the sorted names of the subsets: equal splits have equal hashes."""
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
            raise DatasetError(f"there is no subset {name!r}", "choose train, val or test")
        samples: tuple[Sample, ...] = getattr(self, name)
        if not samples:
            raise DatasetError(f"the subset {name} is empty", "choose another subset or split")
        return samples


def split_dataset(data: RoadDataset, how: str = "auto", seed: int = 42, val_share: float = 0.1) -> Split:
    """Divide a data set.

    Args:
        data: the labelled pictures.
        how: ``random`` (shuffled with the seed, val_share of it val);
            ``published`` (DeepGlobe's open split, on which results of the whole set can be compared: its
            1,530 tiles are test, val is a seeded val_share of its other 4,696, the same tiles in every part
            of the set);
            ``spatial`` (pictures that touch on the ground stay on one side, see ``borders``; val and test
            have val_share each);
            the path of a split file; or ``auto``: the data set's own split.json, else the split column of
            its index where that names val, else random.
        seed: of whatever is drawn.
        val_share: 0..1.

    Raises:
        DatasetError: for an unknown split, or one that does not fit the data set.
    """
    if how == "auto":
        own = data.path / "split.json"
        if own.is_file():
            return _read_split(data, own)
        if any(s.split == "val" for s in data.samples):
            by = {k: tuple(s for s in data.samples if s.split == k) for k in ("train", "val", "test")}
            indexed = data.layout == "pairs"
            return Split(**by, method="index.csv" if indexed else "as the data set is divided")
        how = "random"
    if how == "random":
        return _split_randomly(data, seed, val_share)
    if how == "published":
        return _split_as_published(data, seed, val_share)
    if how == "spatial":
        return _split_by_place(data, seed, val_share)
    path = Path(how)
    if not path.is_file():
        raise DatasetError(
            f"no split {how!r}", "choose auto, random, published, spatial, or the path of a split file (JSON)"
        )
    return _read_split(data, path)


def _read_split(data: RoadDataset, path: Path) -> Split:
    names = read_split_file(path)
    train, val, test = (data.select(names.get(k, ())) for k in ("train", "val", "test"))
    return Split(train, val, test, f"file {path.name}")


def _split_randomly(data: RoadDataset, seed: int, val_share: float) -> Split:
    order = np.random.default_rng(seed).permutation(len(data.samples)).tolist()
    n_val = max(1, round(val_share * len(order))) if len(order) > 1 else 0
    val = {data.samples[i].name for i in order[:n_val]}
    method = f"random, seed {seed}, {val_share:.0%} val"
    return _split_by_name(data.samples, val=val, test=set(), method=method)


def published_lists() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Ids of the published split of DeepGlobe's 6,226 labelled tiles: 4,696 to learn from, 1,530 to judge on.

    The lists of Batra et al., "Improved Road Connectivity by Joint Learning of Orientation and Segmentation"
    (CVPR 2019), which CoANet and others use too; each sorted by number.
    """
    folder = resources.files("georoads.data") / "splits"
    texts = [(folder / f"published_{name}.txt").read_text(encoding="utf-8") for name in ("train", "test")]
    learnt, judged = (tuple(text.partition("\n")[2].split()) for text in texts)
    return learnt, judged


def _split_as_published(data: RoadDataset, seed: int, val_share: float) -> Split:
    learnt, judged = published_lists()
    # Drawn from the whole list, not from what is here: so that a part of the set has the same val tiles.
    order = np.random.default_rng(seed).permutation(len(learnt))[: round(val_share * len(learnt))]
    val = {learnt[i] for i in order.tolist()}
    in_lists = {*learnt, *judged}
    listed = tuple(s for s in data.samples if s.name in in_lists)
    used = len(listed)
    if not used:
        raise DatasetError(
            f"{data.path}: none of its pictures is in the published lists of DeepGlobe",
            "--split random or spatial serves other data sets",
        )
    absent, strange = len(learnt) + len(judged) - used, len(data.samples) - used
    method = f"published (4,696 and 1,530 tiles), {val_share:.0%} of the first val, seed {seed}"
    method += f"; {absent} tiles of the lists are absent" if absent else ""
    method += f"; {strange} pictures in neither list left out" if strange else ""
    return _split_by_name(listed, val=val, test=set(judged), method=method)


def _split_by_place(data: RoadDataset, seed: int, share: float) -> Split:
    from georoads.data.borders import touching_groups

    group = touching_groups(data.samples)
    sizes = np.bincount(group)
    wanted = max(1, round(share * len(group)))
    if len(sizes) < 3:
        raise DatasetError(
            f"{data.path}: its {len(group)} pictures touch and make {len(sizes)} groups: too few to divide",
            "--split random, or a split file",
        )
    order = np.random.default_rng(seed).permutation(len(sizes)).tolist()
    val = _choose_groups(order, sizes, wanted)
    test = _choose_groups([g for g in order if g not in val], sizes, wanted)
    of_group = dict(zip(data.names, group.tolist(), strict=True))
    in_val, in_test = ({n for n, g in of_group.items() if g in chosen} for chosen in (val, test))
    method = f"spatial, {len(sizes)} groups of touching pictures (largest {sizes.max()}), seed {seed}"
    return _split_by_name(
        data.samples, val=in_val, test=in_test, method=f"{method}, {share:.0%} val, {share:.0%} test"
    )


def _choose_groups(order: Sequence[int], sizes: NDArray[np.int64], wanted: int) -> set[int]:
    """Groups in the given order that together have at most ``wanted`` pictures; at least the smallest one."""
    chosen: set[int] = set()
    room = wanted
    for g in order:
        if sizes[g] <= room:
            chosen.add(g)
            room -= int(sizes[g])
    return chosen or {min(order, key=lambda g: int(sizes[g]))}


def _split_by_name(samples: tuple[Sample, ...], val: set[str], test: set[str], method: str) -> Split:
    """The samples named for val and for test, and all others for train."""
    return Split(
        train=tuple(s for s in samples if s.name not in val and s.name not in test),
        val=tuple(s for s in samples if s.name in val),
        test=tuple(s for s in samples if s.name in test),
        method=method,
    )
