"""What a training ran on, for the run folder."""

from __future__ import annotations

import json
import os
import platform
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

import georoads

_PACKAGES = ("torch", "segmentation-models-pytorch", "albumentations", "numpy", "opencv-python-headless")


def note_sitting(folder: Path, command: str, device: str, precision: str, ranks: int) -> None:
    """Append this sitting to ``environment.json``: when, with which versions, on what."""
    path = folder / "environment.json"
    sittings: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    sittings.append(
        {
            "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "command": command,
            "georoads": georoads.__version__,
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.machine()}",
            **{name: version(name) for name in _PACKAGES},
            "device": torch.cuda.get_device_name(device) if device.startswith("cuda") else device,
            "precision": precision,
            "processes": ranks,
            "cpus": os.cpu_count(),
            "threads": torch.get_num_threads(),
        }
    )
    part = folder / "environment.json.part"
    part.write_text(json.dumps(sittings, indent=1) + "\n", encoding="utf-8")
    part.replace(path)
