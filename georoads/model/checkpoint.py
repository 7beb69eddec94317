"""Writing and reading checkpoints: safetensors, ONNX twins, and the card.

A checkpoint NAME is a card and weights in one folder: ``NAME.json`` and ``NAME.safetensors``; beside them
perhaps ``NAME.onnx``, and ``NAME.int8.onnx``, the twin that computes with whole numbers. Matrices are stored
as fp16; vectors (biases, batch norms) as fp32, since running variances do not fit fp16's range. No pickle is
ever loaded.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from georoads.errors import CheckpointError
from georoads.model.card import ModelCard, read_card
from georoads.text import printable

if TYPE_CHECKING:
    import torch
    from torch import nn

SHIPPED_DEFAULT = "roads-lite3"
_REPLACED = {"roads-lite2": "roads-lite3"}
"""Models that shipped once, and what came in their place."""
INT8_SUFFIX = ".int8.onnx"
"""Of the name of the twin that computes with whole numbers."""


@dataclass(frozen=True)
class Checkpoint:
    """A card and the files it speaks of.

    Attributes:
        card: what the model is.
        path: of the card.
    """

    card: ModelCard
    path: Path

    @property
    def weights(self) -> Path:
        """The safetensors file."""
        return self.path.with_suffix(".safetensors")

    @property
    def onnx(self) -> Path | None:
        """The ONNX twin, where the checkpoint has one."""
        twin = self.path.with_suffix(".onnx")
        return twin if twin.name in self.card.files and twin.is_file() else None

    @property
    def int8(self) -> Path | None:
        """The twin that computes with whole numbers of 8 bits, where the checkpoint has one."""
        twin = self.path.with_suffix(INT8_SUFFIX)
        return twin if twin.name in self.card.files and twin.is_file() else None

    @property
    def paths(self) -> tuple[Path, ...]:
        """Card, weights and ONNX twins, whether they are there or not: no output may take their place."""
        return self.path, self.weights, *(self.path.with_suffix(suffix) for suffix in (".onnx", INT8_SUFFIX))

    @property
    def sha256(self) -> str:
        """The sha256 of the weights, as the card says."""
        return self.card.files.get(self.weights.name, "")


def models_folder() -> Path:
    """Where the checkpoints that ship lie: inside the installed package, or at the top of a checkout."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "_shipped"
    return installed if installed.is_dir() else package.parent / "models"


def shipped_models() -> dict[str, Path]:
    """Name to card of the checkpoints that ship with georoads."""
    # NAME.stac.json beside a card says the same to catalogues (model/stac.py).
    cards = (p for p in models_folder().glob("*.json") if not p.name.endswith(".stac.json"))
    return {p.stem: p for p in sorted(cards)}


def find_checkpoint(name: str) -> Checkpoint:
    """A checkpoint by name (``default``, or one that ships) or by path (of the card, weights, or ONNX).

    Raises:
        CheckpointError: when there is none, or the card or a file's sha256 is wrong.
    """
    shipped = shipped_models()
    wanted = SHIPPED_DEFAULT if name == "default" else name
    if wanted in shipped:
        return _open_checked(shipped[wanted])
    path = Path(name)
    if path.suffix in (".pt", ".pth", ".ckpt", ".pkl"):
        raise CheckpointError(
            f"{printable(path)} is a pickle, which can run code when it is loaded: refused",
            "georoads reads safetensors with a card beside it, as georoads train writes them",
        )
    if path.is_dir():
        path = path / "best.json"
    if path.suffix in (".safetensors", ".onnx", ".json") and path.is_file():
        return _open_checked(path.with_suffix(".json"))
    if name in _REPLACED:
        raise CheckpointError(
            f"{name} does not ship any more", f"take {_REPLACED[name]}, which was trained on from it"
        )
    raise CheckpointError(
        f"no model {name!r}",
        f"models that ship: {', '.join(shipped) or 'none'}; or the path of a .safetensors file or a run",
    )


def _open_checked(card_path: Path) -> Checkpoint:
    """A checkpoint whose files are those that its card speaks of."""
    checkpoint = Checkpoint(read_card(card_path), card_path)
    weights, shown = checkpoint.weights, printable(card_path)
    if not weights.is_file():
        raise CheckpointError(f"{printable(weights)} does not exist", "copy the weights beside their card")
    if weights.name not in checkpoint.card.files:
        raise CheckpointError(
            f"{shown} states no sha256 of {printable(weights.name)}",
            "the weights bear the name that their card gives them: rename both, or copy them together again",
        )
    for file in checkpoint.paths[1:]:
        stated = checkpoint.card.files.get(file.name)
        if stated is not None and file.is_file() and file_sha256(file) != stated:
            raise CheckpointError(
                f"{printable(file)} is not the file that its card {shown} speaks of (sha256 differs)",
                "copy weights and card together again",
            )
    return checkpoint


def file_sha256(path: Path) -> str:
    """The sha256 of a file's bytes, in hexadecimal digits."""
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def load_network(checkpoint: Checkpoint) -> nn.Module:
    """The torch module with its weights as fp32, in evaluation mode.

    Raises:
        CheckpointError: when the file is damaged or the tensors do not fit the card's architecture.
    """
    from georoads.model.build import build
    from georoads.model.tensors import load_strictly, read_tensors

    state = read_tensors(checkpoint.weights)
    network = build(checkpoint.card.model)
    full = {k: v.float() if v.is_floating_point() else v for k, v in state.items()}
    load_strictly(network, full, printable(checkpoint.weights))
    return network.eval()


def save_checkpoint(
    folder: Path, name: str, state: Mapping[str, torch.Tensor], card: ModelCard
) -> Checkpoint:
    """Write NAME.safetensors and then NAME.json; each appears whole or not at all.

    Args:
        folder: where the files go; an ONNX twin of that name is removed there.
        name: of the checkpoint.
        state: tensors of the network (any float dtype).
        card: its ``files`` is replaced by what was written.
    """
    from safetensors.torch import save

    from georoads.model.tensors import to_stored

    weights = folder / f"{name}.safetensors"
    _write_whole(weights, save(to_stored(state)))
    for suffix in (".onnx", INT8_SUFFIX):  # an older twin would speak of other weights
        (folder / f"{name}{suffix}").unlink(missing_ok=True)
    return _write_card(folder / f"{name}.json", card, {weights.name: file_sha256(weights)})


def add_onnx(checkpoint: Checkpoint) -> Checkpoint:
    """Write the ONNX twin of a checkpoint and its sha256 into the card."""
    from georoads.model.onnx import export_onnx

    twin = checkpoint.path.with_suffix(".onnx")
    export_onnx(load_network(checkpoint), checkpoint.card, twin)
    files = checkpoint.card.files | {twin.name: file_sha256(twin)}
    return _write_card(checkpoint.path, checkpoint.card, files)


def add_int8(checkpoint: Checkpoint, content: bytes) -> Checkpoint:
    """Write the twin of whole numbers of a checkpoint and its sha256 into the card.

    Args:
        checkpoint: whose it is.
        content: an ONNX file with the input and the output of the ONNX twin.
    """
    twin = checkpoint.path.with_suffix(INT8_SUFFIX)
    _write_whole(twin, content)
    files = checkpoint.card.files | {twin.name: file_sha256(twin)}
    return _write_card(checkpoint.path, checkpoint.card, files)


def _write_card(path: Path, card: ModelCard, files: dict[str, str]) -> Checkpoint:
    """Write the card with the sha256 of the files, by name, that it speaks of."""
    card = dataclasses.replace(card, files=files)
    _write_whole(path, card.to_json().encode())
    return Checkpoint(card, path)


def _write_whole(path: Path, content: bytes) -> None:
    """Write a file so that it appears whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_bytes(content)
    part.replace(path)
