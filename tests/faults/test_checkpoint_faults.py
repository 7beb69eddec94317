"""Checkpoints that are missing, damaged or not what they say. The numbers are those of docs/faults.md."""

from __future__ import annotations

import json
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
import torch
from command_line import refused, typed, unchanged
from safetensors.torch import save

from georoads.model.build import build
from georoads.model.card import MAX_CARD_BYTES, ModelCard
from georoads.model.checkpoint import SHIPPED_DEFAULT, file_sha256, save_checkpoint
from georoads.model.config import ModelConfig

SMALL = ModelConfig("Unet", "resnet18", options={"decoder_channels": [16, 8, 8, 8, 8]})


@pytest.fixture(scope="module")
def state() -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return build(SMALL).state_dict()


@pytest.fixture(scope="module")
def written(state: dict[str, torch.Tensor], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("written")
    card = ModelCard(
        "test", SMALL, mean=(0.5,) * 3, std=(0.2,) * 3, gsd_m=0.5, tile_px=64, overlap_px=16, threshold=0.5
    )
    save_checkpoint(folder, "best", state, card)
    return folder


@pytest.fixture
def folder(written: Path, tmp_path: Path) -> Path:
    """A checkpoint of one's own to spoil, and a scene and an earlier output beside it."""
    for file in written.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    (tmp_path / "p.tif").write_text("an earlier output")
    profile = {"driver": "GTiff", "width": 64, "height": 64, "count": 3, "dtype": "uint8"}
    with rasterio.open(
        tmp_path / "scene.tif",
        "w",
        **profile,
        crs="EPSG:32632",
        transform=rasterio.Affine(0.5, 0, 5e5, 0, -0.5, 5e6),
    ) as out:
        out.write(np.random.default_rng(0).integers(0, 255, (3, 64, 64), dtype=np.uint8))
    return tmp_path


def refused_by_predict(folder: Path, model: str | Path, says: str, hint: str = "") -> None:
    """``predict --overwrite`` with this model says so, and the earlier output and all else stays as it is."""
    scene, output = folder / "scene.tif", folder / "p.tif"
    with unchanged(folder):
        refused(
            "predict", scene, "-o", output, "--overwrite", "--set", "predict.runtime=torch", "--model", model,
            says=says, hint=hint,
        )  # fmt: skip


def change_card(folder: Path, **values: Any) -> Path:
    """Change keys of the card; a value of None removes its key."""
    path = folder / "best.json"
    content = json.loads(path.read_text()) | values
    path.write_text(json.dumps({k: v for k, v in content.items() if v is not None}))
    return path


def replace_weights(folder: Path, content: bytes) -> Path:
    """Other weights, of which the card knows the sha256."""
    path = folder / "best.safetensors"
    path.write_bytes(content)
    change_card(folder, files={path.name: file_sha256(path)})
    return path


def headed(header: dict[str, Any] | bytes, body: bytes, length: int | None = None) -> bytes:
    """A safetensors file with this header; ``length`` is what it says of the header's length."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if length is None else length) + text + body


def tensor(begin: int, end: int, shape: list[int], dtype: str = "F32") -> dict[str, Any]:
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def test_a_checkpoint_that_is_whole_is_taken(folder: Path) -> None:
    arguments = (
        "predict",
        folder / "scene.tif",
        "-o",
        folder / "q.tif",
        "--set",
        "predict.runtime=torch",
        "--model",
    )
    ended = typed(*arguments, folder / "best.json")
    assert ended.code == 0, ended.err


# 19: there is none


def test_19_a_missing_or_unknown_model_is_refused_with_the_known_names(folder: Path) -> None:
    for name in ("roads-of-dreams", folder / "none.safetensors", folder / "none.json", folder / "empty"):
        (folder / "empty").mkdir(exist_ok=True)
        refused_by_predict(folder, name, f"no model '{name}'", f"models that ship: {SHIPPED_DEFAULT}")
    (folder / "best.safetensors").unlink()
    refused_by_predict(folder, folder / "best.json", "best.safetensors does not exist", "beside their card")


# 20: the file of the tensors lies


@pytest.mark.parametrize(
    "content",
    [
        b"",
        headed({"a": tensor(0, 8, [2])}, bytes(4)),
        headed({"a": tensor(0, 8, [2])}, bytes(8), length=2**40),
        headed({"a": tensor(0, 8, [2])}, bytes(8), length=90_000_000),
        headed({"a": tensor(0, 8, [2]), "b": tensor(4, 12, [2])}, bytes(12)),
        headed({"a": tensor(0, 2**42, [2**40])}, bytes(8)),
        headed({"a": tensor(0, 8, [2**62, 2**62])}, bytes(8)),
        headed(b"[" * 100_000, b""),
        headed({"a": tensor(0, 8, [2])}, bytes(8) + b"more"),
    ],
    ids=["empty", "cut", "long header", "cut header", "overlap", "past end", "overflow", "deep", "more"],
)
def test_20_damaged_weights_are_refused(folder: Path, content: bytes) -> None:
    path = replace_weights(folder, content)
    refused_by_predict(folder, path, f"{path} is damaged", "copy it again")


def test_20_a_header_that_lies_allocates_nothing(folder: Path) -> None:
    resource = pytest.importorskip("resource")
    path = replace_weights(folder, headed({"a": tensor(0, 2**42, [2**40])}, bytes(8)))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused("predict", folder / "scene.tif", "-o", folder / "q.tif", "--model", path, says="is damaged")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # KB; 4 TB are stated


# 21: the card


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is not JSON"),
        ("{", "is not JSON"),
        ("[1, 2]", "is not a JSON object"),
        ('{"a": ' * 100_000, "is not JSON"),
        ('{"gsd_m": NaN}', "is not JSON"),
        ('{"name": "\\ud800"}', "is not JSON"),
        ("é".encode("latin-1").decode("utf-8", "surrogateescape"), "cannot be read"),
    ],
    ids=["empty", "unclosed", "a list", "deep", "no number", "half a character", "latin-1"],
)
def test_21_a_card_that_is_no_json_is_refused(folder: Path, text: str, says: str) -> None:
    path = folder / "best.json"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    refused_by_predict(folder, path, f"the card {path} {says}", "copy it")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changed", "says", "expectation"),
    [
        ({"mean": None}, "lacks the key 'mean'", "incomplete"),
        ({"gsd_m": "half a metre"}, "gsd_m is 'half a metre'", "expected: a number"),
        ({"gsd_m": 10**400}, "gsd_m is '1000", "expected: a number"),
        ({"gsd_m": 0}, "gsd_m is out of range", "metres per pixel"),
        ({"gsd_m": 999}, "gsd_m is out of range: 999.0", "0.01 to 100"),
        ({"gsd_m": 1e-9}, "gsd_m is out of range: 1e-09", "0.01 to 100"),
        ({"mean": [1e299] * 3}, "mean is out of range: (1e+299", "-255 to 255"),
        ({"std": [1e-320] * 3}, "std is out of range: (1e-320", "0.001 to 255"),
        ({"threshold": 1e-300}, "threshold is out of range: 1e-300", "1/254 to 1"),
        ({"overlap_px": 0}, "overlap_px is out of range: 0", "1 to half the tile"),
        (
            {"terms": "\x1b]0;free\x07 \u202e"},
            "terms is out of range: '\\x1b]0",
            "without control characters",
        ),
        ({"name": "\x9b1mroads"}, "name is out of range: '\\x9b1m", "without control characters"),
        ({"tile_px": 64.5}, "tile_px is '64.5'", "expected: a whole number"),
        ({"tile_px": 100}, "tile_px is out of range", "a multiple of 32"),
        ({"overlap_px": True}, "overlap_px is 'True'", "expected: a whole number"),
        ({"std": [0.2, 0, 0.2]}, "std is out of range: (0.2, 0.0, 0.2)", "0.001 to 255"),
        ({"mean": [0.5]}, "mean/std is out of range", "one value per band"),
        ({"files": {"best.safetensors": 1}}, "files is", "an object of sha256 by file name"),
        ({"data": ["here"]}, "data is", "expected: a list of objects"),
        ({"card_version": 99}, "has card_version '99'", "install a newer georoads"),
        ({"card_version": "1"}, "has card_version '1'", "install a newer georoads"),
    ],
)
def test_21_a_key_of_a_card_is_named_with_what_it_should_be(
    folder: Path, changed: dict[str, Any], says: str, expectation: str
) -> None:
    path = change_card(folder, **changed)
    refused_by_predict(folder, path, f"{path}", expectation)
    refused_by_predict(folder, path, says, expectation)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"architecture": None}, "lacks the key 'model.architecture'"),
        ({"architecture": "Nonet"}, "unknown architecture 'Nonet'"),
        ({"encoder": "resnet1"}, "'resnet1' cannot be built"),
        ({"encoder": "tu-hf-hub:somebody/something"}, "names are plain words"),
        ({"encoder": ["resnet18"]}, "model.encoder is ['resnet18']"),
        ({"in_channels": "3"}, "model.in_channels is '3'"),
        ({"classes": 1000}, "classes must be 1 (road) or 2"),
        ({"in_channels": 4}, "in_channels must be 3 (red, green, blue), not 4"),
        ({"options": {"encoder_weights": "imagenet"}}, "options.encoder_weights is stated elsewhere"),
        ({"drop_path": 10**400}, "model.drop_path is 1000"),
        ({"norm_eps": -1}, "norm_eps must be between 0 and 1"),
        ({"colour": "red"}, "model has no parameter 'colour'"),
        ({"options": {"decoder_channels": [10**9] * 5}}, "options.decoder_channels must be"),
        ({"options": {"decoder_channels": [16, 8]}}, "cannot be built"),
        ({"options": {"aux_params": {"classes": 2}}}, "options.aux_params must be"),
    ],
)
def test_21_a_network_that_a_card_cannot_mean_is_refused(
    folder: Path, changed: dict[str, Any], says: str
) -> None:
    model = json.loads((folder / "best.json").read_text())["model"] | changed
    path = change_card(folder, model={k: v for k, v in model.items() if v is not None})
    refused_by_predict(folder, path, says)


def test_21_a_card_beyond_any_size_is_not_read(folder: Path) -> None:
    path = folder / "best.json"
    with path.open("r+b") as card:
        card.truncate(MAX_CARD_BYTES + 1)  # sparse: costs nothing
    refused_by_predict(folder, path, f"the card {path} is larger than 16 MB")


# 22: tensors that do not fit


@pytest.mark.slow
def test_22_tensors_that_do_not_fit_are_named_by_three(folder: Path, state: dict[str, torch.Tensor]) -> None:
    first, *names = [k for k in state if not k.endswith("num_batches_tracked")]

    def refused_with(changes: dict[str, torch.Tensor | None], says: str) -> None:
        changed = {k: v.contiguous() for k, v in (state | changes).items() if v is not None}
        path = replace_weights(folder, save(changed))
        refused_by_predict(folder, path, f"{path}: {says}", "another architecture")

    refused_with({first: None}, f"{first} is missing")
    gone: dict[str, torch.Tensor | None] = {k: None for k in (first, *names[:4])}
    refused_with(gone, f"{first} is missing; {names[0]} is missing; {names[1]} is missing and 2 more")
    refused_with({"stranger": torch.zeros(1)}, "stranger is not expected")
    refused_with({first: torch.zeros(2, 2)}, f"{first} is (2, 2), not {tuple(state[first].shape)}")
    refused_with({first: torch.full_like(state[first], torch.nan)}, f"{first} has values that are no numbers")
    refused_with({first: torch.full_like(state[first], torch.inf)}, f"{first} has values that are no numbers")
    refused_with(
        {first: torch.zeros_like(state[first], dtype=torch.int64)}, f"{first} holds int64, not floats"
    )


def test_22_a_type_that_no_network_of_ours_holds_is_refused(folder: Path) -> None:
    path = replace_weights(folder, save({"a": torch.zeros(2, dtype=torch.complex64)}))
    refused_by_predict(folder, path, f"{path}: a holds complex64", "expected: float16")


# 23: weights of another card


def test_23_weights_that_their_card_does_not_know_are_refused(folder: Path) -> None:
    weights = folder / "best.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    refused_by_predict(folder, weights, f"{weights} is not the file that its card", "together")
    change_card(folder, files={})
    refused_by_predict(folder, weights, "best.json states no sha256 of best.safetensors", "together")


def test_23_another_onnx_twin_is_refused(folder: Path) -> None:
    weights, twin = folder / "best.safetensors", folder / "best.onnx"
    twin.write_bytes(b"a twin")
    change_card(folder, files={weights.name: file_sha256(weights), twin.name: file_sha256(twin)})
    twin.write_bytes(b"another")
    refused_by_predict(folder, twin, f"{twin} is not the file that its card", "together")


# 24: pickles


class _Runs:
    """Unpickling this creates a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("name", ["best.pt", "best.pth", "best.ckpt", "best.pkl", "best.safetensors"])
def test_24_a_pickle_is_refused_and_never_unpickled(folder: Path, name: str) -> None:
    ran = folder / "ran"
    content = pickle.dumps(_Runs(ran))
    pickle.loads(content)
    assert ran.exists()  # so it would have run
    ran.unlink()
    path = folder / name
    if path.suffix == ".safetensors":
        replace_weights(folder, content)
        refused_by_predict(folder, path, f"{path} is damaged")
    else:
        path.write_bytes(content)
        refused_by_predict(folder, path, f"{path} is a pickle", "safetensors")
    assert not ran.exists()
