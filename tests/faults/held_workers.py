"""georoads whose workers wait: python held_workers.py FOLDER ARGUMENTS ...

Each worker predicts one group of tiles; then it says so by a file ``held-PROCESS`` in FOLDER, and goes on
when a file ``go`` is there. What a test does meanwhile happens in the middle of the work on any machine.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from georoads.cli.main import main
from georoads.inference import remote
from georoads.inference.batches import TileGroup
from georoads.inference.remote import PredictedGroup, PredictionSessionFactory
from georoads.workers.engine import Session


class HeldSession:
    """Predicts groups of tiles, and waits before the second one."""

    def __init__(self, session: Session[TileGroup, PredictedGroup], folder: Path) -> None:
        self.kind = session.kind
        self._session = session
        self._folder = folder
        self._groups = 0

    def __call__(self, group: TileGroup) -> PredictedGroup:
        if self._groups == 1:
            (self._folder / f"held-{os.getpid()}").touch()
            while not (self._folder / "go").exists():
                time.sleep(0.01)
        self._groups += 1
        return self._session(group)


@dataclass(frozen=True)
class HeldFactory(PredictionSessionFactory):
    """Opens a worker's ``HeldSession``."""

    folder: Path = Path()

    @contextmanager
    def __call__(self, threads: int) -> Iterator[Session[TileGroup, PredictedGroup]]:
        with PredictionSessionFactory.__call__(self, threads) as session:
            yield HeldSession(session, self.folder)


if __name__ == "__main__":
    del sys.argv[0]
    held = partial(HeldFactory, folder=Path(sys.argv[0]))
    remote.PredictionSessionFactory = held  # type: ignore[assignment,misc]
    main()
