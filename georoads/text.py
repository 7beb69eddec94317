"""Text that is safe to print and to keep: names of files as discs spell them, addresses without secrets."""

from __future__ import annotations

import os
import re
from pathlib import Path, PurePath

_OF_DATABASE = re.compile(r"(postg\w*(?:\+\w+)?:?/+[^\s/:@]*):.*@", re.IGNORECASE | re.DOTALL)
"""The password of a database, with whatever signs, also where the address is misspelt."""
_PASSWORD = re.compile(r"(?<![^\s/'\"=(,])([^\s/:@'\"]*):(?![\\/]|\d+(?:[/,?]|\Z))\S*@")
"""USER:PASSWORD@ anywhere; no C:\\, no PORT/."""
_USER = re.compile(r"\b(https?:/+|ftp:/+)[^\s/@'\"]+@")
"""Who asks a web server: often a token."""
_QUERY = re.compile(r"((?:\b[\w+.-]+:/+|/vsi)[^\s'\"?]*)\?(?=\S)[^\s'\")]*")
"""All behind the question mark of an address: signatures and tokens stand there."""
_SIGNED = re.compile(
    r"[?&](?:x-(?:amz|goog)-[\w-]+|sig|(?:\w*_)?(?:signature|token|key|secret|password)|awsaccesskeyid)="
    r"[^\s'\")]*",
    re.IGNORECASE,
)
"""Such parameters where nothing else tells that it is an address."""


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


def without_secrets(text: str) -> str:
    """A text in which each address has lost what gives access: password, token, signature.

    Everything that is printed goes through here, and so do the addresses that are written to files.

    Example:
        >>> without_secrets("https://ann:pw@host/a.tif?X-Amz-Signature=0af3 is not a local file")
        'https://…@host/a.tif is not a local file'
        >>> without_secrets("postgresql//ann:pw@host/gis is no file")
        'postgresql//ann:…@host/gis is no file'
    """
    text = _PASSWORD.sub(r"\1:…@", _OF_DATABASE.sub(r"\1:…@", text))
    return _SIGNED.sub("", _QUERY.sub(r"\1", _USER.sub(r"\1…@", text)))


def source_name(path: str | Path) -> str:
    """The name of a file, also of one on a server, by which an output calls its source."""
    text = os.fspath(path)
    if re.match(r"\w{2,}:[\\/]|[\\/]vsi", text):
        text = without_secrets(text.replace("\\", "/"))
    return PurePath(text).name
