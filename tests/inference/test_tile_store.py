"""The ledger names no tile before it is on the disk, though tiles are flushed while others are kept."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from numpy.typing import NDArray

from georoads.inference import tile_store
from georoads.inference.tile_store import Batch, TileStore

TILE = 16


def open_store(folder: Path) -> TileStore:
    return TileStore(folder, np.ones(20, np.bool_), TILE, {"what": "drawn"})


def level(index: int) -> NDArray[np.uint8]:
    return np.full((TILE, TILE), index, np.uint8)


def named(folder: Path) -> list[int]:
    """The tiles that the ledger names."""
    lines = (folder / "ledger.jsonl").read_text().splitlines()[1:]
    return [tile for line in lines for batch in json.loads(line)["batches"] for tile, _ in batch["tiles"]]


class Disk:
    """What flushing waits for, and how it ends."""

    def __init__(self) -> None:
        self.begun, self.may_go, self.fails = Event(), Event(), False

    def fsync(self, number: int) -> None:
        self.begun.set()
        assert self.may_go.wait(60)
        if self.fails:
            raise OSError(28, "No space left on device")
        os.fsync(number)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    made = Disk()

    class Os:
        fsync = staticmethod(made.fsync)

    monkeypatch.setattr(tile_store, "os", Os)
    yield made
    made.may_go.set()


def test_tiles_are_kept_while_others_are_flushed_and_named_when_they_are_there(
    tmp_path: Path, disk: Disk
) -> None:
    with open_store(tmp_path) as store:
        store.put(Batch((0,)), [level(0)])  # the first is flushed at once
        assert disk.begun.wait(60)
        for index in (1, 2):
            store.put(Batch((index,)), [level(index)])
        assert store.done[:3].all()
        assert (store.tile(2) == 2).all()
        assert named(tmp_path) == []
        disk.may_go.set()
        store.commit()
        assert named(tmp_path) == [0, 1, 2]
    with open_store(tmp_path) as store:
        assert store.missing == list(range(3, 20))


def test_a_flush_that_fails_is_told_and_its_tiles_are_named_by_the_next(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tile_store, "COMMIT_S", 0.0)
    disk.fails = True
    disk.may_go.set()
    with open_store(tmp_path) as store:
        store.put(Batch((0,)), [level(0)])
        with pytest.raises(OSError, match="No space"):
            store.put(Batch((1,)), [level(1)])
        assert named(tmp_path) == []
        disk.fails = False
    assert named(tmp_path) == [0, 1]


def test_a_flush_that_fails_at_the_end_is_told(tmp_path: Path, disk: Disk) -> None:
    disk.fails = True
    disk.may_go.set()
    with pytest.raises(OSError, match="No space"), open_store(tmp_path) as store:
        store.put(Batch((0,)), [level(0)])
    assert named(tmp_path) == []
