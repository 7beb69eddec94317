"""What is made of the models' cards: a STAC item beside each, and the wheel's bill of materials.

The wheel contains one thing that pip knows nothing of: the models. PEP 770 gives such things a place, the
folder ``sboms`` of the wheel's metadata; the format is CycloneDX 1.6, which knows models and the data they
come from. A test says when a file is out of date.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from georoads import __version__
from georoads.model.card import ModelCard, read_card
from georoads.model.checkpoint import models_folder, shipped_models
from georoads.model.stac import SUFFIX, item_of_card, write_item

BILL = Path(__file__).resolve().parent / "models.cdx.json"


def bill_of_models(cards: list[ModelCard]) -> dict[str, Any]:
    """The bill of materials: every model file with its checksum, terms and training data."""
    product = {"name": "georoads", "version": __version__}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": {"type": "library", "bom-ref": "georoads", **product}},
        "components": [_component(card, file) for card in cards for file in card.files],
        "dependencies": [
            {"ref": "georoads", "dependsOn": sorted(file for card in cards for file in card.files)}
        ],
    }


def _component(card: ModelCard, file: str) -> dict[str, Any]:
    return {
        "type": "machine-learning-model",
        "bom-ref": file,
        "name": card.name,
        "description": f"{file}: {card.model.architecture}, {card.model.encoder}",
        "hashes": [{"alg": "SHA-256", "content": card.files[file]}],
        "licenses": [{"license": {"name": card.terms or "not stated"}}],
        "modelCard": {
            "modelParameters": {
                "task": "semantic segmentation of roads",
                "architectureFamily": "convolutional neural network",
                "modelArchitecture": card.model.architecture,
                "datasets": [
                    {"type": "dataset", "name": str(source.get("path", "")), "governance": _owner(source)}
                    for source in card.data
                ],
            }
        },
    }


def _owner(source: dict[str, Any]) -> dict[str, Any]:
    return {"owners": [{"organization": {"name": str(source.get("terms", "not stated"))}}]}


def as_text(content: dict[str, Any]) -> str:
    """Readable JSON."""
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    found = {name: read_card(path) for name, path in shipped_models().items()}
    for name, card in found.items():
        write_item(item_of_card(card), models_folder() / f"{name}{SUFFIX}")
    BILL.write_text(as_text(bill_of_models([*found.values()])), encoding="utf-8", newline="\n")
