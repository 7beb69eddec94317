"""Prediction by workers, on an engine that pickles but stays in this process."""

from __future__ import annotations

import dataclasses
import hashlib
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from drawn_rasters import north_up, write_raster
from in_process import InProcessEngine
from stub import LocalRuntime

from georoads.errors import CheckpointError, GeoroadsError, SceneError
from georoads.inference import remote
from georoads.inference.batches import Job
from georoads.inference.local import LocalPredictor
from georoads.inference.predict import predict_raster
from georoads.inference.remote import open_remote
from georoads.inference.select import PredictParams
from georoads.model.card import ModelCard
from georoads.model.checkpoint import Checkpoint
from georoads.model.config import ModelConfig
from georoads.scene.mosaic import AnyScene, open_scenes
from georoads.scene.scene import SceneParams

SHAPE = 700, 1100


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AnyScene:
    """Two scenes side by side, named from the working folder; a slanted part is not valid."""
    values = np.random.default_rng(5).integers(60, 190, (3, *SHAPE)).astype(np.uint8)
    rows, cols = np.indices(SHAPE)
    values[:, cols > 500 + rows // 2] = 0
    monkeypatch.chdir(tmp_path)
    west = write_raster(Path("west.tif"), values[..., :600], nodata=0)
    east = write_raster(Path("east.tif"), values[..., 600:], north_up(0.5, 500_300), nodata=0)
    return open_scenes([west, east], SceneParams())


@pytest.fixture
def checkpoint(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Checkpoint:
    """A card with weights that nobody reads."""
    monkeypatch.setattr(remote, "open_runtime", lambda *_: LocalRuntime(batch=3))
    weights = tmp_path / "m.safetensors"
    weights.write_bytes(b"weights")
    files = {weights.name: hashlib.sha256(b"weights").hexdigest()}
    card = ModelCard("m", ModelConfig(), (0.5,) * 3, (0.25,) * 3, 0.5, 128, 32, 0.5, files)
    (tmp_path / "m.json").write_text(card.to_json())
    return Checkpoint(card, tmp_path / "m.json")


def job(scene: AnyScene, checkpoint: Checkpoint) -> Job:
    return Job(scene, dataclasses.replace(scene.grid, width=SHAPE[1], height=SHAPE[0]), checkpoint.card)


def refused(what: Job, checkpoint: Checkpoint, error: type[GeoroadsError], says: str) -> GeoroadsError:
    """The error with which a worker does not begin."""
    with pytest.raises(error, match=says) as raised:
        open_remote(what, checkpoint, PredictParams(), InProcessEngine()).__enter__()
    return raised.value


def test_workers_and_this_process_give_the_same_bytes_stopped_or_not(
    scene: AnyScene, checkpoint: Checkpoint, tmp_path: Path
) -> None:
    what = job(scene, checkpoint)
    a, b, work = tmp_path / "a.tif", tmp_path / "b.tif", tmp_path / "b.work"
    local = LocalPredictor(LocalRuntime(batch=3))
    predict_raster(scene, what.grid, checkpoint, local, raster=a, work=tmp_path / "a.work")
    # Begun here, gone on with by workers.
    cut = LocalPredictor(LocalRuntime(5, batch=3))
    with pytest.raises(KeyboardInterrupt):
        predict_raster(scene, what.grid, checkpoint, cut, raster=b, work=work)
    assert not b.exists()
    with open_remote(what, checkpoint, PredictParams(), InProcessEngine()) as predictor:
        times = predict_raster(scene, what.grid, checkpoint, predictor, raster=b, work=work)
    assert b.read_bytes() == a.read_bytes()
    assert min(times.read_s, times.network_s, times.write_s) > 0
    assert (times.workers, times.saw_nothing) == (1, False)


@pytest.mark.parametrize("change", ["touched", "gone"])
def test_a_worker_that_sees_another_scene_or_none_refuses(
    scene: AnyScene, checkpoint: Checkpoint, tmp_path: Path, change: str
) -> None:
    what, east = job(scene, checkpoint), tmp_path / "east.tif"
    if change == "touched":
        os.utime(east, (1, 1))
    else:
        east.unlink()
    error = refused(what, checkpoint, SceneError, r"east\.tif is (another file|not there)")
    assert "storage that all nodes share" in error.hint


def other_weights(checkpoint: Checkpoint) -> None:
    checkpoint.weights.write_bytes(b"others")


def no_card(checkpoint: Checkpoint) -> None:
    checkpoint.path.unlink()


def other_model(checkpoint: Checkpoint) -> None:
    checkpoint.weights.write_bytes(b"others")
    files = {checkpoint.weights.name: hashlib.sha256(b"others").hexdigest()}
    checkpoint.path.write_text(dataclasses.replace(checkpoint.card, files=files).to_json())


@pytest.mark.parametrize("change", [other_weights, no_card, other_model])
def test_a_worker_that_finds_another_model_or_none_refuses(
    scene: AnyScene, checkpoint: Checkpoint, change: Callable[[Checkpoint], None]
) -> None:
    change(checkpoint)
    error = refused(job(scene, checkpoint), checkpoint, CheckpointError, r"m\.(json|safetensors)")
    assert "storage that all nodes share" in error.hint


def test_a_worker_of_another_version_refuses(
    scene: AnyScene, checkpoint: Checkpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        remote.PredictionSessionFactory, "__reduce__", lambda self: (_older, (self.job, self.params))
    )
    refused(job(scene, checkpoint), checkpoint, GeoroadsError, r"the driver 0\.0\.1")


def _older(job: Job, params: PredictParams) -> remote.PredictionSessionFactory:
    return remote.PredictionSessionFactory(job, "m", "", params, "0.0.1")


@pytest.mark.parametrize(
    ("device", "has_gpus", "on_gpu"), [("auto", True, True), ("auto", False, False), ("cpu", True, False)]
)
def test_workers_have_gpus_where_there_are_some_and_nothing_else_was_asked_for(
    scene: AnyScene, checkpoint: Checkpoint, device: str, has_gpus: bool, on_gpu: bool
) -> None:
    engine = InProcessEngine(has_gpus=has_gpus)
    with open_remote(job(scene, checkpoint), checkpoint, PredictParams(device), engine):
        assert engine.on_gpu == on_gpu
    with pytest.raises(GeoroadsError, match="chooses each worker's GPU"):
        open_remote(job(scene, checkpoint), checkpoint, PredictParams("cuda:1"), engine).__enter__()
