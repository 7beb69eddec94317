"""The ONNX twin of a checkpoint that has none: made once, kept in the user's cache folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from georoads.model.checkpoint import Checkpoint


def cache_folder() -> Path:
    """The user's cache folder for georoads, made if need be; a temporary one if it cannot be."""
    import tempfile

    if "GEOROADS_CACHE" in os.environ:
        folder = Path(os.environ["GEOROADS_CACHE"])
    elif sys.platform == "win32":
        folder = Path(os.environ.get("LOCALAPPDATA", tempfile.gettempdir())) / "georoads" / "cache"
    elif sys.platform == "darwin":
        folder = Path("~/Library/Caches/georoads").expanduser()
    else:
        folder = Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")).expanduser() / "georoads"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    except (OSError, RuntimeError):  # a home that is read-only, or none at all
        pass
    return Path(tempfile.mkdtemp(prefix="georoads-"))


def onnx_twin(checkpoint: Checkpoint) -> Path:
    """The checkpoint's own ONNX file, or one converted from its weights.

    Raises:
        CheckpointError: when it must be converted and the package onnx is not installed.
    """
    if checkpoint.onnx is not None:
        return checkpoint.onnx
    card = checkpoint.card
    twin = cache_folder() / f"{checkpoint.sha256[:32]}-{card.tile_px}.onnx"
    if not twin.is_file():
        from georoads.model.checkpoint import load_network
        from georoads.model.onnx import export_onnx

        export_onnx(load_network(checkpoint), card, twin)
    return twin
