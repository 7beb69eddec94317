"""Predicting by workers elsewhere: each opens scene and model, predicts runs of tiles and sends levels back.

driver: runs ──▶ workers: read → network → levels ──▶ driver: spool → raster
"""

from __future__ import annotations

import dataclasses
import socket
from collections.abc import Generator, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import cast

import numpy as np
from numpy.typing import NDArray

from georoads import __version__
from georoads.errors import CheckpointError, GeoroadsError, SceneError
from georoads.inference.batches import Answer, Job, Run
from georoads.inference.local import LocalPredictor
from georoads.inference.runtime import RuntimeKind
from georoads.inference.select import PredictParams, open_runtime
from georoads.inference.tile_store import Batch
from georoads.model.checkpoint import Checkpoint, find_checkpoint, shipped_models
from georoads.network.types import Each
from georoads.scene.mosaic import AnyScene, Mosaic, members_of, open_reader
from georoads.scene.scene import Scene
from georoads.workers.engine import Crew, Desk, Engine
from georoads.workers.pool_map import CrewEach

SHARED = "scenes and models must lie on storage that all nodes share, under the same names"


@dataclass(frozen=True)
class Predicted:
    """A run that a worker has predicted.

    Attributes:
        batches: in order.
        levels: (N, tile, tile) uint8 of the tiles of all batches, in order.
        read_s, network_s: seconds at work.
    """

    batches: tuple[Batch, ...]
    levels: NDArray[np.uint8]
    read_s: float
    network_s: float

    def answers(self) -> Iterator[Answer]:
        """The batches, each with its levels."""
        first = 0
        for batch in self.batches:
            last = first + len(batch.tiles)
            own = list(self.levels[first:last])
            yield Answer(batch, lambda own=own: own)  # type: ignore[misc]
            first = last


@dataclass(frozen=True)
class Place:
    """What a worker needs to take a seat; goes over the wire.

    Attributes:
        job: the driver's scene, as it was opened there, and its working grid.
        model: name of a checkpoint that ships, or the path of a card.
        sha256: of its weights.
        params: how to predict.
        version: of the driver's georoads.
    """

    job: Job
    model: str
    sha256: str
    params: PredictParams
    version: str

    @contextmanager
    def __call__(self) -> Iterator[Desk[Run, Predicted]]:
        """Scene, model and runtime, opened.

        Raises:
            GeoroadsError: they are not those of the driver.
        """
        here = socket.gethostname()
        if self.version != __version__:
            raise GeoroadsError(
                f"{here} has georoads {__version__}, the driver {self.version}", "install the same everywhere"
            )
        for scene in members_of(self.job.scene):
            _check_scene(scene, here)
        runtime = open_runtime(self._checkpoint(here), self.params)
        with open_reader(self.job.scene, self.job.grid) as reader:
            yield _Predicting(self.job, LocalPredictor(runtime, self.params.prefetch, reader))

    def _checkpoint(self, here: str) -> Checkpoint:
        try:
            checkpoint = find_checkpoint(self.model)
        except CheckpointError as e:
            raise CheckpointError(f"{here}: {e.message}", SHARED) from e
        if checkpoint.sha256 != self.sha256 or checkpoint.card != self.job.card:
            raise CheckpointError(f"{here}: the model {self.model} is another one", SHARED)
        return checkpoint


class _Predicting:
    """A seat at work."""

    def __init__(self, job: Job, predictor: LocalPredictor) -> None:
        self.kind = predictor.kind
        self._job = job
        self._predictor = predictor

    def __call__(self, run: Run) -> Predicted:
        predictor, tile = self._predictor, self._job.card.tile_px
        before = predictor.read_s, predictor.network_s
        answers = list(predictor.answers(self._job, [run]))
        levels = [level for answer in answers for level in answer.levels()]
        return Predicted(
            tuple(answer.batch for answer in answers),
            np.stack(levels) if levels else np.empty((0, tile, tile), dtype=np.uint8),
            predictor.read_s - before[0],
            predictor.network_s - before[1],
        )


class SpreadPredictor:
    """A crew of workers that predicts; see ``local.Predictor``."""

    ahead = 2

    def __init__(self, crew: Crew[Run, Predicted]) -> None:
        self._crew = crew
        self.kind = cast(RuntimeKind, crew.kind)
        self.each: Each = CrewEach(crew)
        self.read_s = self.network_s = 0.0

    @property
    def workers(self) -> int:
        """Workers that are open."""
        return self._crew.workers

    @property
    def messages(self) -> tuple[str, ...]:
        """What the crew has to say."""
        return self._crew.messages

    def answers(self, job: Job, runs: Iterable[Run]) -> Generator[Answer]:
        """The batches of all runs, as they are done; those of a run in order."""
        for _, predicted in self._crew.map(runs):
            self.read_s += predicted.read_s
            self.network_s += predicted.network_s
            yield from predicted.answers()


@contextmanager
def open_spread(
    job: Job, checkpoint: Checkpoint, params: PredictParams, engine: Engine
) -> Iterator[SpreadPredictor]:
    """Workers that predict; they go when the block ends.

    Raises:
        GeoroadsError: as a worker raised it: scene, model or device are not what they should be there.
    """
    if params.device.startswith("cuda:"):
        raise GeoroadsError(f"the engine chooses each worker's GPU, not {params.device}", "--device cuda")
    on_gpu = params.device == "cuda" or (params.device == "auto" and engine.has_gpus)
    ships = shipped_models().get(checkpoint.path.stem) == checkpoint.path
    place = Place(
        dataclasses.replace(job, scene=_findable(job.scene)),
        checkpoint.path.stem if ships else str(checkpoint.path.absolute()),
        checkpoint.sha256,
        dataclasses.replace(params, device="cuda" if on_gpu else "cpu"),
        __version__,
    )
    opened: AbstractContextManager[Crew[Run, Predicted]] = engine.open(place, on_gpu=on_gpu)
    with opened as crew:
        yield SpreadPredictor(crew)


def _findable(scene: AnyScene) -> AnyScene:
    """The scene with paths that do not depend on the working folder."""
    if isinstance(scene, Mosaic):
        members = tuple(cast(Scene, _findable(member)) for member in scene.members)
        return dataclasses.replace(scene, members=members)
    files = tuple(file.absolute() for file in scene.file.files)
    return dataclasses.replace(scene, file=dataclasses.replace(scene.file, files=files))


def _check_scene(scene: Scene, here: str) -> None:
    """See that a scene is, in this place, the file that the driver has opened."""
    try:
        is_same = tuple(scene.file.stamps()) == scene.stamps
    except SceneError as e:
        raise SceneError(f"{here}: {scene.file.files[0]} is not there", SHARED) from e
    if not is_same:
        raise SceneError(f"{here}: {scene.file.files[0]} is another file than the driver's", SHARED)
