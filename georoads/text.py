"""Text that is safe to print: names of files, as users and their discs spell them."""

from __future__ import annotations

import os
from pathlib import Path


def printable(path: str | Path) -> str:
    """A path as text that is safe to print: control characters and bytes that are no UTF-8 are escaped."""
    text = os.fspath(path).encode("utf-8", "backslashreplace").decode("utf-8")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)


def is_utf8(path: str | Path) -> bool:
    """Whether a name is UTF-8; other names (of old discs) GDAL cannot open."""
    try:
        os.fspath(path).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
