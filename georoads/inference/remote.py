"""Predicting by workers elsewhere: each opens scene and model, predicts groups of tiles, sends levels back.

driver: groups ──▶ workers: read → network → levels ──▶ driver: tile store → raster
"""

from __future__ import annotations

import socket
from collections.abc import Generator, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from typing import cast

import numpy as np
from numpy.typing import NDArray

from georoads import __version__
from georoads.appearance import Appearance
from georoads.errors import CheckpointError, GeoroadsError, SceneError
from georoads.inference.batches import Job, PredictedBatch, TileGroup
from georoads.inference.local import LocalPredictor
from georoads.inference.runtime import RuntimeKind
from georoads.inference.select import PredictParams, open_runtime
from georoads.inference.tile_store import Batch
from georoads.model.checkpoint import Checkpoint, find_checkpoint, shipped_models
from georoads.network.types import ParallelMap
from georoads.scene.mosaic import AnyScene, Mosaic, members_of, open_reader
from georoads.scene.scene import Scene
from georoads.workers.engine import Engine, Session, WorkerPool
from georoads.workers.pool_map import PoolMap
from georoads.workers.threads import MAX_THREADS, Threads

SHARED = "scenes and models must lie on storage that all nodes share, under the same names"


@dataclass(frozen=True)
class PredictedGroup:
    """A group of tiles that a worker has predicted; sent to the driver.

    Attributes:
        batches: in order.
        levels: (N, tile, tile) uint8 of the tiles of all batches, in order.
        read_s, network_s: seconds at work.
        looks: what the tiles look like.
    """

    batches: tuple[Batch, ...]
    levels: NDArray[np.uint8]
    read_s: float
    network_s: float
    looks: tuple[Appearance, ...] = ()

    def split(self) -> Iterator[PredictedBatch]:
        """The batches, each with its levels."""
        ends = np.cumsum([len(batch.tiles) for batch in self.batches])
        looks = self.looks  # of the group: they come with its first batch
        for batch, levels in zip(self.batches, np.split(self.levels, ends[:-1]), strict=True):
            yield PredictedBatch(batch, partial(list, levels), looks)
            looks = ()


@dataclass(frozen=True)
class PredictionSessionFactory:
    """Opens a worker's ``PredictionSession``; sent from the driver to the workers.

    Attributes:
        job: the driver's scene, as it was opened there, its working grid and the model's card.
        model: name of a checkpoint that ships, or the path of a card.
        sha256: of the model's weights.
        params: how to predict.
        version: of the driver's georoads.
    """

    job: Job
    model: str
    sha256: str
    params: PredictParams
    version: str = __version__

    @contextmanager
    def __call__(self, threads: int) -> Iterator[Session[TileGroup, PredictedGroup]]:
        """Scene, model and runtime, opened.

        Args:
            threads: of the runtime, where it works on the CPU.

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
        runtime = open_runtime(self._checkpoint(here), replace(self.params, threads=threads))
        io_threads = self.params.io_threads or min(MAX_THREADS, threads)  # other cores are other workers'
        with open_reader(self.job.scene, self.job.grid, threads=io_threads) as reader:
            predictor = LocalPredictor(runtime, self.params.prefetch, reader, io_threads)
            yield PredictionSession(self.job, predictor)

    def _checkpoint(self, here: str) -> Checkpoint:
        try:
            checkpoint = find_checkpoint(self.model)
        except CheckpointError as e:
            raise CheckpointError(f"{here}: {e.message}", SHARED) from e
        if checkpoint.sha256 != self.sha256 or checkpoint.card != self.job.card:
            raise CheckpointError(f"{here}: the model {self.model} is another one", SHARED)
        return checkpoint


class PredictionSession:
    """Predicts groups of tiles in a worker's process; see ``engine.Session``."""

    def __init__(self, job: Job, predictor: LocalPredictor) -> None:
        self.kind = predictor.kind
        self._job = job
        self._predictor = predictor

    def __call__(self, group: TileGroup) -> PredictedGroup:
        """The batches of a group, with the seconds that they took."""
        predictor, tile = self._predictor, self._job.card.tile_px
        before_s = predictor.read_s, predictor.network_s
        predicted = list(predictor.predict(self._job, [group]))
        levels = [level for batch in predicted for level in batch.levels()]
        return PredictedGroup(
            tuple(one.batch for one in predicted),
            np.stack(levels) if levels else np.empty((0, tile, tile), dtype=np.uint8),
            read_s=predictor.read_s - before_s[0],
            network_s=predictor.network_s - before_s[1],
            looks=tuple(look for one in predicted for look in one.looks),
        )


class RemotePredictor:
    """A pool of workers that predict; see ``local.Predictor``."""

    ahead = 2

    def __init__(self, pool: WorkerPool[TileGroup, PredictedGroup], io_threads: int = 0) -> None:
        """
        Args:
            pool: the workers.
            io_threads: that encode, in this process; 0: one for each core, up to eight.
        """
        self._pool = pool
        self.io_threads = Threads(io_threads)
        self.kind = cast(RuntimeKind, pool.kind)
        self.parallel_map: ParallelMap = PoolMap(pool)
        self.read_s = self.network_s = 0.0

    @property
    def workers(self) -> int:
        """Number of workers that are ready."""
        return self._pool.workers

    @property
    def messages(self) -> tuple[str, ...]:
        """What the summary must say about the workers."""
        return self._pool.messages

    def predict(self, job: Job, groups: Iterable[TileGroup]) -> Generator[PredictedBatch]:
        """The batches of all groups, as they are finished; those of a group in order."""
        for _, predicted in self._pool.map(groups):
            self.read_s += predicted.read_s
            self.network_s += predicted.network_s
            yield from predicted.split()


@contextmanager
def open_remote(
    job: Job, checkpoint: Checkpoint, params: PredictParams, engine: Engine
) -> Iterator[RemotePredictor]:
    """Start workers that predict; they end with the block.

    Args:
        job: scene, grid and model.
        checkpoint: the model, in files that the workers see under the same names.
        params: how to predict.
        engine: where the workers are.

    Raises:
        GeoroadsError: as a worker raised it: scene, model or device are not what they should be there.
    """
    if params.device.startswith("cuda:"):
        raise GeoroadsError(f"the engine chooses each worker's GPU, not {params.device}", "--device cuda")
    on_gpu = params.device == "cuda" or (params.device == "auto" and engine.has_gpus)
    ships = shipped_models().get(checkpoint.path.stem) == checkpoint.path
    factory = PredictionSessionFactory(
        replace(job, scene=_with_absolute_paths(job.scene)),
        model=checkpoint.path.stem if ships else str(checkpoint.path.absolute()),
        sha256=checkpoint.sha256,
        params=replace(params, device="cuda" if on_gpu else "cpu"),
    )
    started: AbstractContextManager[WorkerPool[TileGroup, PredictedGroup]]
    started = engine.start(factory, on_gpu=on_gpu)
    with started as pool:
        yield RemotePredictor(pool, params.io_threads)


def _with_absolute_paths(scene: AnyScene) -> AnyScene:
    """The scene with paths that do not depend on the working folder."""
    if isinstance(scene, Mosaic):
        members = tuple(cast(Scene, _with_absolute_paths(member)) for member in scene.members)
        return replace(scene, members=members)
    files = tuple(file.absolute() for file in scene.file.files)
    return replace(scene, file=replace(scene.file, files=files))


def _check_scene(scene: Scene, here: str) -> None:
    """Refuse a scene that, on this machine, is not the file that the driver has opened."""
    try:
        is_same = tuple(scene.file.stamps()) == scene.stamps
    except SceneError as e:
        raise SceneError(f"{here}: {scene.file.files[0]} is not there", SHARED) from e
    if not is_same:
        raise SceneError(f"{here}: {scene.file.files[0]} is another file than the driver's", SHARED)
