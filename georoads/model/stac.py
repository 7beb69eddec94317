"""The card as a STAC item, so that catalogues of models can list, search and run it.

Format: STAC 1.1 (item) with the extension MLM 1.5 (machine learning model) and, for checksums, File 2.1. The
item says nothing that the card does not: where and when a model holds is not known, so it has no geometry and
a span of time without end on either side.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from georoads.model.card import ModelCard
from georoads.model.checkpoint import INT8_SUFFIX
from georoads.model.terms import use_of

STAC_VERSION = "1.1.0"
_EXTENSIONS = [
    "https://stac-extensions.github.io/mlm/v1.5.0/schema.json",
    "https://stac-extensions.github.io/file/v2.1.0/schema.json",
]
SUFFIX = ".stac.json"
"""Of the item's file, beside the card."""
_TASK = "semantic-segmentation"
_ARTIFACTS = {
    ".safetensors": ("application/octet-stream", "safetensors.torch.save_file", "Weights"),
    ".onnx": ("application/octet-stream; framework=onnx; profile=onnx", "onnx.save", "ONNX"),
}
"""Media type, artifact type and title of a model's file, by its suffix."""
_CLASSES = [
    {"value": 0, "name": "not_road", "description": "Anything else"},
    {"value": 1, "name": "road", "description": "Road surface"},
]
_BANDS = ["red", "green", "blue"]
_DIMENSIONS = ["batch", "channel", "height", "width"]


def item_of_card(card: ModelCard) -> dict[str, Any]:
    """The STAC item of a checkpoint: bytes as they are in a picture go in, logits come out.

    Args:
        card: its files are the item's assets, looked for beside the item.

    Returns:
        The item, for JSON.
    """
    # The network sees (value / 255 - mean) / std: a z-score of the values themselves.
    scaling = [
        {"type": "z-score", "mean": round(255 * mean, 6), "stddev": round(255 * std, 6)}
        for mean, std in zip(card.mean, card.std, strict=True)
    ]
    output = "road's logit" if card.model.classes == 1 else "logits of background and road"
    return _item(
        card,
        files=card.files,
        inputs=_input(card, -1, "RGB of 0 to 255 at the model's pixel size", scaling),
        outputs=_output(card, -1, card.model.classes, "logits", f"{output}, before the logistic function"),
    )


def item_of_plugin_file(card: ModelCard, name: str, sha256: str) -> dict[str, Any]:
    """The STAC item of a file that ``export_for_plugins`` has written.

    Args:
        card: of the checkpoint that it was made of.
        name: of the file, which lies beside the item.
        sha256: of the file.

    Returns:
        The item, for JSON.
    """
    scaling = [{"type": "min-max", "minimum": 0, "maximum": 255}]  # the z-score is inside
    return _item(
        card,
        files={name: sha256},
        inputs=_input(card, 1, "RGB of 0 to 1 at the model's pixel size", scaling),
        outputs=_output(card, 1, 2, "probabilities", "probabilities of background and road"),
    )


def write_item(item: dict[str, Any], path: Path) -> None:
    """Write an item as readable JSON."""
    path.write_text(
        json.dumps(item, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8", newline="\n"
    )


def _item(
    card: ModelCard, *, files: dict[str, str], inputs: dict[str, Any], outputs: dict[str, Any]
) -> dict[str, Any]:
    return {
        "type": "Feature",
        "stac_version": STAC_VERSION,
        "stac_extensions": _EXTENSIONS,
        "id": card.name,
        "geometry": None,
        "properties": {
            "description": _describe(card),
            "datetime": None,
            "start_datetime": "1900-01-01T00:00:00Z",
            "end_datetime": "9999-12-31T23:59:59Z",
            "license": "other",
            "keywords": ["road", _TASK, "line"],
            "gsd": card.gsd_m,
            "bands": _bands(),
            "mlm:name": _mlm_name(card.name),
            "mlm:architecture": card.model.architecture,
            "mlm:framework": "PyTorch",
            **_framework_version(card),
            "mlm:tasks": [_TASK],
            "mlm:input": [inputs],
            "mlm:output": [outputs],
            "mlm:hyperparameters": {
                "encoder": card.model.encoder,
                "threshold": card.threshold,
                "tile_px": card.tile_px,
                "overlap_px": card.overlap_px,
            },
        },
        "links": [],
        "assets": {
            _title(name).lower().replace(" ", "-"): _asset(name, sha256)
            for name, sha256 in files.items()
            if Path(name).suffix in _ARTIFACTS
        },
    }


def _framework_version(card: ModelCard) -> dict[str, str]:
    version = card.versions.get("torch", "")
    known = re.fullmatch(r"\d+\.\d+\.\d+(\+[\w.-]+)?", version)
    return {"mlm:framework_version": version} if known else {}


def _describe(card: ModelCard) -> str:
    words = f"Roads in satellite and aerial pictures of {card.gsd_m:g} m. Use: {use_of(card.terms)}."
    return f"{words} Terms: {card.terms}" if card.terms else words


def _input(card: ModelCard, batch: int, what: str, scaling: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "name": "image",
        "description": what,
        "bands": _BANDS,
        "input": {
            "shape": [batch, len(_BANDS), card.tile_px, card.tile_px],
            "dim_order": _DIMENSIONS,
            "data_type": "float32",
        },
        "value_scaling": scaling,
        "resize_type": None,
        "pre_processing_function": None,
    }


def _output(card: ModelCard, batch: int, channels: int, name: str, what: str) -> dict[str, Any]:
    return {
        "name": name,
        "description": what,
        "tasks": [_TASK],
        "result": {
            "shape": [batch, channels, card.tile_px, card.tile_px],
            "dim_order": _DIMENSIONS,
            "data_type": "float32",
        },
        "classification:classes": _CLASSES,
        "post_processing_function": None,
    }


def _asset(name: str, sha256: str) -> dict[str, Any]:
    media, artifact, _ = _ARTIFACTS[Path(name).suffix]
    return {
        "href": f"./{name}",
        "type": media,
        "title": _title(name),
        "roles": ["mlm:model", "mlm:weights", "data"],
        "mlm:artifact_type": artifact,
        "bands": _bands(),  # STAC allows them in an item's properties only where an asset has them
        "file:checksum": f"1220{sha256}",  # a multihash: sha2-256, 32 bytes
    }


def _title(name: str) -> str:
    title = _ARTIFACTS[Path(name).suffix][2]
    return f"{title} int8" if name.endswith(INT8_SUFFIX) else title


def _bands() -> list[dict[str, str]]:
    return [{"name": name} for name in _BANDS]


def _mlm_name(name: str) -> str:
    """The name in the signs that the extension allows, beginning with a letter."""
    plain = re.sub(r"[^a-zA-Z0-9_.-]+", "-", name).strip("-_.")
    return plain if re.fullmatch(r"[a-zA-Z].+", plain) else f"model-{plain or 'unnamed'}"
