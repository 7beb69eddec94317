"""The published split of DeepGlobe, whole and on a part of the set."""

from __future__ import annotations

from pathlib import Path

import pytest
from drawn_pairs import draw_pairs

from georoads.data.dataset import RoadDataset, Sample, open_dataset
from georoads.data.split import published_lists, split_dataset
from georoads.errors import DatasetError


def listed(names: list[str]) -> RoadDataset:
    samples = tuple(Sample(n, Path(n), Path(n), 0.5) for n in sorted(names))
    return RoadDataset(Path("deepglobe"), "kaggle", samples)


def test_the_lists() -> None:
    learnt, judged = published_lists()
    assert (len(learnt), len(judged)) == (4696, 1530)
    assert len({*learnt, *judged}) == 6226
    assert list(learnt) == sorted(learnt, key=int)
    assert (learnt[:3], judged[:2]) == (("104", "113", "343"), ("951", "6822"))


def test_the_whole_set() -> None:
    learnt, judged = published_lists()
    split = split_dataset(listed([*learnt, *judged]), "published")
    assert (len(split.train), len(split.val), len(split.test)) == (4226, 470, 1530)
    assert {s.name for s in split.test} == set(judged)
    assert split.method == "published (4,696 and 1,530 tiles), 10% of the first val, seed 42"
    assert split.sha256 != split_dataset(listed([*learnt, *judged]), "published", seed=1).sha256


def test_a_part_has_the_same_val_tiles_and_counts_what_is_absent() -> None:
    learnt, judged = published_lists()
    whole = split_dataset(listed([*learnt, *judged]), "published")
    part = split_dataset(listed([*learnt[:500], *judged[:30], "own"]), "published")
    assert {s.name for s in part.val} == {s.name for s in whole.val} & set(learnt[:500])
    assert len(part.train) + len(part.val) == 500
    assert len(part.test) == 30
    assert part.method.endswith("; 5696 tiles of the lists are absent; 1 pictures in neither list left out")


def test_another_data_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="none of its pictures is in the published lists"):
        split_dataset(open_dataset(draw_pairs(tmp_path / "d", ["a", "b"]), 0.5), "published")
