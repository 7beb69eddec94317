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
from georoads.training.run_folder import replace_file

_PACKAGES = ("torch", "segmentation-models-pytorch", "albumentations", "numpy", "opencv-python-headless")


def record_environment(folder: Path, command: str, device: str, precision: str, processes: int) -> None:
    """Append to ``environment.json`` when a training was started or resumed, with which versions, on what.

    Args:
        folder: of the run.
        command: what the user typed.
        device: as torch names it.
        precision: fp32 or bf16.
        processes: that train together.
    """
    path = folder / "environment.json"
    starts: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else []
    starts.append(
        {
            "started": time.strftime("%Y-%m-%dT%H:%M:%S%z"),
            "command": command,
            "georoads": georoads.__version__,
            "python": platform.python_version(),
            "system": f"{platform.system()} {platform.machine()}",
            **{name: version(name) for name in _PACKAGES},
            "device": torch.cuda.get_device_name(device) if device.startswith("cuda") else device,
            "precision": precision,
            "processes": processes,
            "cpus": os.cpu_count(),
            "threads": torch.get_num_threads(),
        }
    )
    replace_file(path, (json.dumps(starts, indent=1) + "\n").encode())
