# SPDX-License-Identifier: GPL-2.0-or-later
"""Where work towards temporary outputs lies, so that a run that was stopped goes on. Imports nothing of QGIS.

georoads keeps unfinished work beside the output. QGIS gives a temporary output another name in each run, and
would never find it again; so it is made here, under a name that the parameters decide, and moved when it is
done.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

KEEP_DAYS = 14
"""Unfinished work that nobody came back to for so long is thrown away."""


def place(home: Path, words: Sequence[str], suffix: str) -> Path:
    """The file to write instead of a temporary one; its folder is made.

    Args:
        home: folder of the plugin's own files.
        words: the command without its output: the same ones lead to the same place.
        suffix: of the output, as ``.gpkg``.
    """
    folder = home / "unfinished"
    folder.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256(json.dumps([*words]).encode()).hexdigest()[:16]
    return folder / f"{digest}{suffix}"


def forget_old(home: Path, days: float = KEEP_DAYS) -> int:
    """Throw away what was last touched before so many days; how many files and folders went."""
    folder, gone = home / "unfinished", 0
    if not folder.is_dir():
        return 0
    oldest = time.time() - days * 86400
    for path in folder.iterdir():
        newest = max((each.stat().st_mtime for each in (path, *path.rglob("*"))), default=0.0)
        if newest < oldest:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()
            gone += 1
    return gone
