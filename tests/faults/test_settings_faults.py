"""Parameters that cannot be meant. The numbers are those of docs/faults.md."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from command_line import refused, unchanged
from hypothesis import HealthCheck, given, settings

pytest.importorskip("onnx")
pytest.importorskip("openvino")
pytest.importorskip("torch")

from fuzzed_settings import ARGUMENTS, SECTIONS, Settings, check_settings, draw_inputs, drawn_settings


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs")
    draw_inputs(folder)
    return folder


@pytest.mark.parametrize(
    ("text", "says", "hint"),
    [
        ("network.speck_m2=NaN", "network.speck_m2 is nan", "a finite number"),
        ("network.bridge_m=Infinity", "network.bridge_m is inf", "a finite number"),
        ("network.spur_m=1e400", "network.spur_m is inf", "a finite number"),
        ("network.smooth_m=-Infinity", "network.smooth_m is -inf", "a finite number"),
        ("network.spur_m=-1", "network.spur_m must be 0 to 100,000, not -1.0", "--set help"),
        ("network.spur_m=1e6", "network.spur_m must be 0 to 100,000, not 1000000.0", "--set help"),
        ("network.median_m=1e4", "network.median_m must be 0 to 100, not 10000.0", "--set help"),
        ("network.faint_p=2", "network.faint_p must be 0 to 1, not 2.0", "--set help"),
        ("network.threshold=50", "network.threshold must lie in (0, 1], not 50.0", "--set help"),
        ("network.spur_m=wide", "network.spur_m is 'wide'", "a finite number"),
        ("network.spur_m=true", "network.spur_m is True", "a finite number"),
    ],
)
def test_91_a_number_that_is_none_or_out_of_range_is_refused(
    inputs: Path, tmp_path: Path, text: str, says: str, hint: str
) -> None:
    with unchanged(tmp_path):
        refused(
            "vectorize", inputs / "mask.tif", "-o", tmp_path / "r.gpkg", "--set", text, says=says, hint=hint
        )


@pytest.mark.parametrize(
    ("command", "text", "says", "hint"),
    [
        ("info", "scene.nodata=NaN", "scene.nodata is nan", "a finite number or null"),
        ("info", "scene.rescale=[0,NaN]", "scene.rescale is [0, nan]", "a list of 2, each a finite number"),
        ("info", "scene.bidx=[1.5]", "scene.bidx is [1.5]", "a list, each a whole number"),
        ("score", "score.buffer_m=NaN", "score.buffer_m is nan", "a finite number"),
        ("score", "score.topo_step_m=1e-7", "score.topo_step_m must be 0.1 to", "--set help"),
        ("train", "train.lr=NaN", "train.lr is nan", "a finite number"),
        ("train", "train.ema=1", "train.ema must be 0 to 0.999999", "--set help"),
        ("train", "chip.gsd_m=0", "chip.gsd_m must be 0.01 to 100", "--set help"),
        ("evaluate", "evaluate.slack_px=NaN", "evaluate.slack_px is nan", "a finite number"),
        ("evaluate", "predict.batch=44127", "predict.batch must be 0 to 256", "--set help"),
        ("predict", "predict.prefetch=1000000", "predict.prefetch must be 1 to 64", "--set help"),
        ("predict", "predict.device=cuda:x", "there is no device 'cuda:x'", "--device cuda"),
        ("predict", "engine.gpu_share=Infinity", "engine.gpu_share is inf", "a finite number"),
    ],
)
def test_91_so_it_is_in_every_section(
    inputs: Path, tmp_path: Path, command: str, text: str, says: str, hint: str
) -> None:
    with unchanged(tmp_path):
        refused(command, *ARGUMENTS[command](inputs, tmp_path), "--set", text, says=says, hint=hint)


@pytest.mark.slow
@pytest.mark.parametrize("command", SECTIONS)
def test_91_any_value_is_obeyed_or_refused(
    inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("GEOROADS_CACHE", str(tmp_path / "cache"))
    outputs = tmp_path / "out"
    outputs.mkdir()
    ends = Counter[str]()

    @settings(
        max_examples=5 if command == "train" else 15,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(drawn_settings(command))
    def one(drawn: Settings) -> None:
        ends[check_settings(drawn, inputs, outputs)] += 1

    one()
    assert ends["refused"] > 1
