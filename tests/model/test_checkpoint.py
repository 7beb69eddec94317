"""Checkpoints: written and read again, and refused where they do not fit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from georoads.errors import CheckpointError
from georoads.model.build import build
from georoads.model.card import ModelCard
from georoads.model.checkpoint import (
    SHIPPED_DEFAULT,
    add_onnx,
    find_checkpoint,
    load_network,
    save_checkpoint,
)
from georoads.model.config import ModelConfig

CONFIG = ModelConfig(architecture="Unet", encoder="resnet18", options={"decoder_channels": [32, 16, 8, 8, 8]})


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("checkpoint")
    torch.manual_seed(0)
    card = ModelCard(
        "test", CONFIG, mean=(0.5,) * 3, std=(0.2,) * 3, gsd_m=0.5, tile_px=64, overlap_px=16, threshold=0.5
    )
    save_checkpoint(folder, "best", build(CONFIG).state_dict(), card)
    return folder


def copy(saved: Path, target: Path) -> Path:
    for file in saved.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    return target


@pytest.mark.slow
def test_round_trip_and_onnx_twin(saved: Path, tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    openvino = pytest.importorskip("openvino")
    checkpoint = add_onnx(find_checkpoint(str(copy(saved, tmp_path))))
    assert checkpoint.onnx is not None
    assert checkpoint.onnx.stat().st_size < 1.1 * checkpoint.weights.stat().st_size
    x = np.random.default_rng(0).normal(size=(1, 3, 64, 64)).astype(np.float32)
    with torch.inference_mode():
        ours = load_network(checkpoint)(torch.from_numpy(x)).numpy()
    compiled = openvino.Core().compile_model(str(checkpoint.onnx), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    assert np.abs(np.asarray(compiled(x)[0]) - ours).max() < 1e-4
    assert find_checkpoint(str(tmp_path / "best.onnx")).card == checkpoint.card


def test_unknown_keys_of_a_card_are_kept(saved: Path, tmp_path: Path) -> None:
    path = copy(saved, tmp_path) / "best.json"
    content = json.loads(path.read_text()) | {"from_the_future": [1, 2]}
    path.write_text(json.dumps(content))
    card = find_checkpoint(str(path)).card
    assert json.loads(card.to_json())["from_the_future"] == [1, 2]


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("gsd_m", None, "gsd_m"),
        ("gsd_m", "half a metre", "a number"),
        ("tile_px", 100, "tile_px"),
        ("card_version", 99, "newer"),
        ("mean", [0.5], "mean"),
    ],
)
def test_a_bad_card_is_refused_by_key(
    saved: Path, tmp_path: Path, key: str, value: object, expected: str
) -> None:
    path = copy(saved, tmp_path) / "best.json"
    content = json.loads(path.read_text())
    content[key] = value
    if value is None:
        del content[key]
    path.write_text(json.dumps(content))
    with pytest.raises(CheckpointError) as refused:
        find_checkpoint(str(path))
    assert expected in refused.value.message + refused.value.hint


def test_weights_that_are_not_the_cards_are_refused(saved: Path, tmp_path: Path) -> None:
    weights = copy(saved, tmp_path) / "best.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    with pytest.raises(CheckpointError, match="sha256"):
        find_checkpoint(str(tmp_path))


def test_missing_tensors_are_named(saved: Path, tmp_path: Path) -> None:
    state = build(CONFIG).state_dict()
    state.pop("encoder.conv1.weight")
    card = find_checkpoint(str(saved)).card
    checkpoint = save_checkpoint(tmp_path, "best", state, card)
    with pytest.raises(CheckpointError, match=r"encoder\.conv1\.weight is missing"):
        load_network(checkpoint)


def test_a_pickle_is_never_loaded(tmp_path: Path) -> None:
    path = tmp_path / "model.pth"
    path.write_bytes(b"anything")
    with pytest.raises(CheckpointError, match="pickle"):
        find_checkpoint(str(path))


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(CheckpointError) as refused:
        find_checkpoint("resnet-of-dreams")
    assert SHIPPED_DEFAULT in refused.value.hint
