"""Pictures that touch are found by their borders, and the spatial split keeps them together."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from georoads.data.borders import Touching, touching_groups, touching_pairs, unit_vectors
from georoads.data.dataset import RoadDataset, open_dataset
from georoads.data.split import split_dataset
from georoads.errors import DatasetError

DEEPGLOBE = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "deepglobe"


def ground(seed: int, height: int, width: int) -> np.ndarray:
    """A landscape: noise smooth enough that neighbouring pixels agree."""
    noise = np.random.default_rng(seed).normal(0, 1, (height, width, 3)).astype(np.float32)
    smooth = cv2.GaussianBlur(noise, (0, 0), 3)
    return np.asarray((128 + 40 * smooth / smooth.std()).clip(0, 255), np.uint8)


def save(
    root: Path, pictures: dict[str, np.ndarray], masks: dict[str, np.ndarray] | None = None
) -> RoadDataset:
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for name, picture in pictures.items():
        cv2.imwrite(str(root / "images" / f"{name}.png"), picture)
        mask = (masks or {}).get(name, np.zeros(picture.shape[:2], np.uint8))
        cv2.imwrite(str(root / "masks" / f"{name}.png"), mask)
    return open_dataset(root, 0.5)


def cut(land: np.ndarray, side: int, prefix: str) -> dict[str, np.ndarray]:
    rows, cols = land.shape[0] // side, land.shape[1] // side
    return {
        f"{prefix}{r}{c}": land[r * side : (r + 1) * side, c * side : (c + 1) * side]
        for r in range(rows)
        for c in range(cols)
    }


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> RoadDataset:
    """A square of four, a row of two, and eight loners, in names that say nothing about place."""
    pictures = cut(ground(1, 256, 256), 128, "a") | cut(ground(2, 128, 256), 128, "b")
    pictures |= {f"c{i}": ground(10 + i, 128, 128) for i in range(8)}
    pictures["flat"] = np.full((128, 128, 3), 90, np.uint8)
    pictures["water"] = np.full((128, 128, 3), 90, np.uint8)
    pictures["small"] = pictures["a00"][:, :64]  # its border is that of a00, but shorter at the top
    return save(tmp_path_factory.mktemp("touching"), pictures)


def test_exactly_the_touching_pictures_are_found(data: RoadDataset) -> None:
    found = {(data.names[p.first], p.side, data.names[p.second]) for p in touching_pairs(data.samples)}
    assert found == {
        ("a00", "right", "a01"),
        ("a10", "right", "a11"),
        ("a00", "below", "a10"),
        ("a01", "below", "a11"),
        ("b00", "right", "b01"),
    }
    assert all(0.6 <= p.correlation <= 1 for p in touching_pairs(data.samples))


def test_groups_reach_over_several_pictures(data: RoadDataset) -> None:
    group = dict(zip(data.names, touching_groups(data.samples).tolist(), strict=True))
    assert len({group[n] for n in ("a00", "a01", "a10", "a11")}) == 1
    assert group["b00"] == group["b01"] != group["a00"]
    assert len(set(group.values())) == 1 + 1 + 8 + 3


def test_the_spatial_split_keeps_groups_whole_and_three_subsets_apart(data: RoadDataset) -> None:
    group = dict(zip(data.names, touching_groups(data.samples).tolist(), strict=True))
    hashes = set()
    for seed in range(6):
        split = split_dataset(data, "spatial", seed, 0.2)
        sides = [{group[s.name] for s in part} for part in (split.train, split.val, split.test)]
        assert not sides[0] & sides[1] | sides[0] & sides[2] | sides[1] & sides[2]
        assert len(split.train) + len(split.val) + len(split.test) == 17
        assert (len(split.val), len(split.test)) == (3, 3)
        hashes.add(split.sha256)
        assert split.sha256 == split_dataset(data, "spatial", seed, 0.2).sha256
    assert len(hashes) > 1
    assert split.method.startswith("spatial, 13 groups of touching pictures (largest 4), seed 5")


def test_masks_decide_where_the_pictures_agree_less(tmp_path: Path) -> None:
    land, other = ground(3, 100, 200), ground(4, 100, 200)
    road = np.zeros((100, 200), np.uint8)
    road[40:52] = 255
    for weight in np.arange(1.0, 0.0, -0.02):  # until the borders agree in part only
        right = (weight * land[:, 100:] + (1 - weight) * other[:, 100:]).astype(np.uint8)
        correlation = float((unit_vectors(land[None, :, 99]) * unit_vectors(right[None, :, 0])).sum())
        if correlation < 0.55:
            break
    assert 0.45 <= correlation < 0.6
    pictures = {"left": land[:, :100], "right": right}
    same = save(tmp_path / "same", pictures, {"left": road[:, :100], "right": road[:, 100:]})
    assert [(p.first, p.second, p.side) for p in touching_pairs(same.samples)] == [(0, 1, "right")]
    moved = np.roll(road, 30, axis=0)
    differs = save(tmp_path / "differs", pictures, {"left": road[:, :100], "right": moved[:, 100:]})
    assert touching_pairs(differs.samples) == ()
    assert touching_pairs(save(tmp_path / "roadless", pictures).samples) == ()


def test_flat_borders_match_nothing() -> None:
    assert (unit_vectors(np.full((2, 50, 3), 200, np.uint8)) == 0).all()
    drawn = unit_vectors(ground(5, 3, 400)[:, :, :])
    assert np.allclose(np.linalg.norm(drawn, axis=1), 1)


def test_too_few_groups_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="2 groups"):
        split_dataset(
            save(tmp_path, cut(ground(6, 128, 256), 128, "a") | {"b": ground(7, 128, 128)}), "spatial"
        )


@pytest.mark.shared
def test_against_the_pairs_known_of_the_real_set() -> None:
    if not DEEPGLOBE.is_dir():
        pytest.skip("the development data set is not beside the checkout")
    known = json.loads((DEEPGLOBE / "split.json").read_text(encoding="utf-8"))["adjacent_pairs"]
    ids = sorted({p[k] for p in known for k in "ab"})
    every = open_dataset(DEEPGLOBE)
    loners = [n for n in every.names if n not in ids][:60]
    samples = every.select(ids + loners)
    found = {(samples[p.first].name, samples[p.second].name, p.side) for p in touching_pairs(samples)}
    assert isinstance(touching_pairs(samples)[0], Touching)
    assert found == {(p["a"], p["b"], p["side"]) for p in known}
