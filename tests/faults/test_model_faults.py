"""Models that run, but not as a model may. The numbers are those of docs/faults.md."""

from __future__ import annotations

import os
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from command_line import refused, typed, unchanged

pytest.importorskip("onnx")

from broken_twins import (
    NOT_FINITE,
    NOT_THE_CARDS,
    NOT_TO_BE_RUN,
    ONLY_RUNTIMES_KNOW,
    TILE,
    WHOLE,
    BrokenTwin,
    adding,
    constant,
    network,
    write_model,
)
from fuzzed_models import DrawnModel, check_model, draw_scene, drawn_models
from hypothesis import HealthCheck, given, settings
from onnx import helper

from georoads.errors import CheckpointError
from georoads.model.card import read_card
from georoads.model.twin import read_twin

RUNTIMES = [
    pytest.param(name, marks=pytest.mark.skipif(find_spec(module) is None, reason=f"needs {module}"))
    for name, module in (("openvino", "openvino"), ("onnx", "onnxruntime"))
]
both_runtimes = pytest.mark.parametrize("runtime", RUNTIMES)


@pytest.fixture
def scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """One tile of noise that gets brighter to the east; and a cache of compiled models of one's own."""
    monkeypatch.setenv("GEOROADS_CACHE", str(tmp_path / "cache"))
    (tmp_path / "in").mkdir()
    path = tmp_path / "in" / "scene.tif"
    picture = np.random.default_rng(0).integers(0, 128, (3, TILE, TILE)) + np.arange(TILE) * 2
    profile = {"driver": "GTiff", "width": TILE, "height": TILE, "count": 3, "dtype": "uint8"}
    transform = Affine(0.5, 0, 5e5, 0, -0.5, 5e6)
    with rasterio.open(path, "w", crs="EPSG:32632", transform=transform, **profile) as out:
        out.write(picture.astype(np.uint8))
    return path


def refused_model(scene: Path, content: bytes, runtime: str, says: str, hint: str) -> None:
    """``predict`` with this twin says so before the work, and leaves nothing."""
    model = write_model(scene.parent, content)
    arguments = ("predict", scene, "-o", scene.with_name("p.tif"), "--model", model, "-q")
    with unchanged(scene.parent):
        ended = refused(*arguments, "--set", f"predict.runtime={runtime}", says=says, hint=hint)
    assert len(ended.err.splitlines()) == 2
    assert "broken.onnx" in ended.err


@both_runtimes
def test_a_twin_that_is_whole_is_run(scene: Path, runtime: str) -> None:
    model = write_model(scene.parent, WHOLE)
    output = scene.with_name("p.tif")
    ended = typed("predict", scene, "-o", output, "--model", model, "--set", f"predict.runtime={runtime}")
    assert ended.code == 0, ended.err


@pytest.mark.parametrize("kind", NOT_TO_BE_RUN)
@both_runtimes
def test_88_a_twin_that_a_runtime_would_obey_is_not_shown_to_it(scene: Path, kind: str, runtime: str) -> None:
    twin = NOT_TO_BE_RUN[kind]
    if kind == "weights that are a pipe" and os.name != "posix":
        pytest.skip("needs pipes of POSIX")
    if twin.beside is not None:
        twin.beside(scene)
    refused_model(scene, twin.content, runtime, twin.says, "predict.runtime=torch")


@pytest.mark.parametrize("kind", NOT_THE_CARDS)
def test_89_a_twin_that_is_damaged_or_of_another_card_is_refused(scene: Path, kind: str) -> None:
    twin = NOT_THE_CARDS[kind]
    model = write_model(scene.parent, twin.content)
    with pytest.raises(CheckpointError) as found:
        read_twin(model.with_suffix(".onnx"), read_card(model))
    assert twin.says in found.value.message
    assert "predict.runtime=torch" in found.value.hint


@pytest.mark.parametrize("kind", ONLY_RUNTIMES_KNOW)
@both_runtimes
def test_89_what_a_runtime_cannot_use_is_found_before_the_work(scene: Path, kind: str, runtime: str) -> None:
    twin: BrokenTwin = ONLY_RUNTIMES_KNOW[kind]
    refused_model(scene, twin.content, runtime, twin.says, "--set predict.")


@pytest.mark.parametrize("kind", NOT_FINITE)
@both_runtimes
def test_90_a_network_that_gives_no_numbers_is_refused(scene: Path, kind: str, runtime: str) -> None:
    refused_model(scene, NOT_FINITE[kind], runtime, "infinite or no numbers", "--model default")


@both_runtimes
def test_90_a_network_that_fails_on_some_pixels_is_stopped_there(scene: Path, runtime: str) -> None:
    # The logarithm of what is darker than the mean is no number; that of an empty tile is one.
    lighter = helper.make_node("Add", ["grey", "w"], ["lighter"])
    logarithm = helper.make_node("Log", ["lighter"], ["logits"])
    model = write_model(scene.parent, network(lighter, logarithm, weights=[constant("w", [0.1])]))
    arguments = ("predict", scene, "-o", scene.with_name("p.tif"), "--model", model, "-q")
    says = "the network of broken gives values that are infinite or no numbers"
    refused(*arguments, "--set", f"predict.runtime={runtime}", says=says, hint="predict.precision=fp32")
    assert not scene.with_name("p.tif").exists()


@pytest.mark.skipif(find_spec("openvino") is None, reason="needs openvino")
def test_90_what_failed_is_not_kept_compiled(scene: Path) -> None:
    for value in (np.nan, 1.0, np.nan):
        content = adding(constant("w", [value]))
        if np.isnan(value):
            refused_model(scene, content, "openvino", "no numbers", "--model default")
            continue
        model = write_model(scene.parent, content)
        output = scene.with_name("p.tif")
        arguments = ("predict", scene, "-o", output, "--model", model, "--set", "predict.runtime=openvino")
        assert typed(*arguments).code == 0
        output.unlink()


def test_any_model_file_gives_numbers_or_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    runtimes = tuple(
        n for n, m in (("openvino", "openvino"), ("onnx", "onnxruntime")) if find_spec(m) is not None
    )
    if not runtimes:
        pytest.skip("needs openvino or onnxruntime")
    monkeypatch.setenv("GEOROADS_CACHE", str(tmp_path / "cache"))
    models = tmp_path / "models"
    models.mkdir()
    scene = draw_scene(tmp_path)

    @settings(max_examples=20, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(drawn_models(runtimes))
    def one(drawn: DrawnModel) -> None:
        check_model(drawn, scene, models)

    one()
