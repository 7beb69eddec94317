"""georoads export: the file that Deepness and GeoDeep open."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from georoads.cli.main import cli
from georoads.errors import GeoroadsError
from georoads.model.build import build
from georoads.model.card import ModelCard
from georoads.model.checkpoint import file_sha256, find_checkpoint, load_network, save_checkpoint
from georoads.model.config import IMAGENET, ModelConfig
from georoads.model.pixels import normalize

onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")


@pytest.mark.slow
@pytest.mark.parametrize("classes", [1, 2])
def test_the_file_gives_probabilities_of_both_classes_for_values_0_to_1(classes: int, tmp_path: Path) -> None:
    torch.manual_seed(1)
    config = ModelConfig("Unet", "resnet18", classes=classes, options={"decoder_channels": [16, 8, 8, 8, 8]})
    card = ModelCard("small", config, *IMAGENET, gsd_m=0.3, tile_px=96, overlap_px=24, threshold=0.4)
    checkpoint = save_checkpoint(tmp_path, "small", build(config).state_dict(), card)
    file = tmp_path / "plugin.onnx"
    done = CliRunner().invoke(cli, ["export", str(checkpoint.path), "-o", str(file)], catch_exceptions=False)
    assert done.exit_code == 0
    rgb = np.random.default_rng(0).integers(0, 256, (3, 96, 96)).astype(np.uint8)
    session = onnxruntime.InferenceSession(str(file))
    (p,) = session.run(None, {"image": rgb[None].astype(np.float32) / 255})
    with torch.inference_mode():
        out = load_network(find_checkpoint(str(checkpoint.path)))(
            torch.from_numpy(normalize(rgb, *IMAGENET)[None])
        )
    logit = out[:, 0] if classes == 1 else out[:, 1] - out[:, 0]
    np.testing.assert_allclose(p[:, 1], torch.sigmoid(logit).numpy(), atol=1e-5)
    np.testing.assert_allclose(p.sum(axis=1), 1.0, atol=1e-6)
    model = onnx.load(str(file))
    assert model.ir_version <= 9
    assert model.opset_import[0].version <= 17
    assert [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim] == [1, 3, 96, 96]
    keys = {entry.key: json.loads(entry.value) for entry in model.metadata_props}
    assert keys["class_names"] == {"0": "not_road", "1": "road"}
    assert (keys["resolution"], keys["tile_size"], keys["tiles_overlap"]) == (30, 96, 25)
    assert keys["seg_thresh"] == 0.4
    item = json.loads((tmp_path / "plugin.stac.json").read_text())
    (asset,) = item["assets"].values()
    assert asset["href"] == "./plugin.onnx" and asset["file:checksum"] == f"1220{file_sha256(file)}"
    assert item["properties"]["mlm:input"][0]["input"]["shape"] == [1, 3, 96, 96]
    with pytest.raises(GeoroadsError, match="exists"):
        CliRunner().invoke(cli, ["export", str(checkpoint.path), "-o", str(file)], catch_exceptions=False)
