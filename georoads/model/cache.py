"""What is made once and kept in the user's cache folder: ONNX twins, and what runtimes have compiled."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import stat
import sys
from pathlib import Path

from georoads.extras import NETWORK, require_extra
from georoads.model.checkpoint import Checkpoint

KEPT_BYTES = 2**28
"""So much of what runtimes have compiled is kept, the oldest goes first."""
_DIGEST = hashlib.sha256().digest_size


def cache_folder() -> Path:
    """The user's cache folder for georoads, made if need be; a temporary one if it cannot be.

    It is where the system keeps such folders; GEOROADS_CACHE names another one.
    """
    import tempfile

    import platformdirs

    # A home may be read-only. Without one platformdirs raises RuntimeError or, if it is old, keeps the ~.
    with contextlib.suppress(OSError, RuntimeError):
        named = os.environ.get("GEOROADS_CACHE")
        folder = Path(named) if named else platformdirs.user_cache_path("georoads", appauthor=False)
        if folder.parts[0] != "~":
            folder.mkdir(parents=True, exist_ok=True)
            if os.access(folder, os.W_OK):
                return folder
    return Path(tempfile.mkdtemp(prefix="georoads-"))


def onnx_twin(checkpoint: Checkpoint) -> Path:
    """The checkpoint's own ONNX file, or one converted from its weights.

    Raises:
        GeoroadsError: it must be converted, and torch or onnx is not installed.
    """
    if checkpoint.onnx is not None:
        return checkpoint.onnx
    card = checkpoint.card
    twin = cache_folder() / f"{checkpoint.sha256[:32]}-{card.tile_px}.onnx"
    if not twin.is_file():
        require_extra("train,onnx", f"converting {card.name} to ONNX", (*NETWORK, "onnx"))
        from georoads.model.checkpoint import load_network
        from georoads.model.onnx import export_onnx

        export_onnx(load_network(checkpoint), card, twin)
    return twin


def kept(name: str) -> bytes | None:
    """What ``keep`` kept under a name; None when there is nothing, or not just that.

    A compiled model is handed to native code: a folder or file that others may write to is not trusted.
    """
    path = _compiled_folder() / name
    try:
        with path.open("rb") as file:
            if not _only_ours(os.fstat(file.fileno())) or not _only_ours(path.parent.stat()):
                return None
            digest, content = file.read(_DIGEST), file.read()
    except OSError:
        return None
    return content if hashlib.sha256(content).digest() == digest else None


def keep(name: str, content: bytes) -> None:
    """Keep something for the next run, with its checksum; silent where that cannot be done."""
    folder = _compiled_folder()
    part = folder / f".{name}.{secrets.token_hex(4)}"
    with contextlib.suppress(OSError):
        folder.mkdir(mode=0o700, exist_ok=True)
        try:
            with part.open("xb") as file:
                file.write(hashlib.sha256(content).digest() + content)
            part.replace(folder / name)
        finally:
            part.unlink(missing_ok=True)
        _prune(folder)


def _compiled_folder() -> Path:
    return cache_folder() / "compiled"


def _only_ours(status: os.stat_result) -> bool:
    if sys.platform == "win32":  # the user's own profile
        return True
    return status.st_uid == os.geteuid() and not status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)


def _prune(folder: Path) -> None:
    files = sorted(((f.stat().st_mtime, f.stat().st_size, f) for f in folder.iterdir()), reverse=True)
    total = 0
    for _, size, file in files:
        total += size
        if total > KEPT_BYTES:
            file.unlink(missing_ok=True)
