"""Finding the user's Kaggle token, in every way that Kaggle's client knows, in its order.

Kaggle's client says little about what is wrong with a token, or where it was looked for; so we look
ourselves, and only hand the token that was found to the client.
"""

from __future__ import annotations

import contextlib
import json
import os
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from georoads.errors import DatasetError
from georoads.text import printable

PAGE = "https://www.kaggle.com/datasets/balraj98/deepglobe-road-extraction-dataset"
WITHOUT = "or download the archive in a browser and give it with --from-zip"
_MAKE_ONE = (
    "make a token at https://www.kaggle.com/settings and save it as ~/.kaggle/access_token (or set "
    f"KAGGLE_API_TOKEN), or run kaggle auth login; {WITHOUT}"
)
_SHARED = stat.S_IRGRP | stat.S_IROTH


@dataclass(frozen=True)
class KaggleToken:
    """What Kaggle is shown; exactly one of the three is set.

    Attributes:
        source: where it was found, for messages.
        bearer: an access token.
        key: user name and API key.
        login: the file that ``kaggle auth login`` wrote.
    """

    source: str
    bearer: str = field(default="", repr=False)
    key: tuple[str, str] | None = field(default=None, repr=False)
    login: Path | None = None


def find_token(environ: Mapping[str, str], home: Path) -> KaggleToken:
    """The token that Kaggle's client would use.

    In this order: the token of a Kaggle notebook, KAGGLE_API_TOKEN (a token or a file), the file
    ``~/.kaggle/access_token``, KAGGLE_USERNAME and KAGGLE_KEY over ``kaggle.json`` (in KAGGLE_CONFIG_DIR,
    ``~/.kaggle`` or, on Linux, ``~/.config/kaggle``), ``kaggle auth login``.

    Args:
        environ: the environment.
        home: the user's home folder.

    Raises:
        DatasetError: there is none, only half of one, its file cannot be read, or others can read it.
    """
    found = _access_token(environ, home) or _api_key(environ, home) or _login(home)
    if found is None:
        raise DatasetError("no Kaggle token was found", _MAKE_ONE)
    return found


def _access_token(environ: Mapping[str, str], home: Path) -> KaggleToken | None:
    notebook = environ.get("KAGGLE_API_V1_TOKEN")
    if notebook and environ.get("KAGGLE_KERNEL_RUN_TYPE") and Path(notebook).is_file():
        return _bearer(Path(notebook).read_text(encoding="utf-8"), "KAGGLE_API_V1_TOKEN")
    given = environ.get("KAGGLE_API_TOKEN", "").strip()
    if given:
        with contextlib.suppress(OSError, ValueError):  # a token may be too long for a file's name
            if Path(given).is_file():
                return _bearer(_secret(Path(given)), printable(given))
        return _bearer(given, "KAGGLE_API_TOKEN")
    for name in ("access_token", "access_token.txt"):
        path = home / ".kaggle" / name
        if path.is_file():
            return _bearer(_secret(path), printable(path))
    return None


def _bearer(text: str, source: str) -> KaggleToken:
    token = text.strip()
    if not token:
        raise DatasetError(f"{source} is empty", _MAKE_ONE)
    _refuse_strange(token, source)
    return KaggleToken(source, bearer=token)


def _api_key(environ: Mapping[str, str], home: Path) -> KaggleToken | None:
    path = _config_folder(environ, home) / "kaggle.json"
    given = {k: environ.get(f"KAGGLE_{k.upper()}", "").strip() for k in ("username", "key")}
    source = "KAGGLE_USERNAME and KAGGLE_KEY"
    if not all(given.values()):
        if path.is_file():
            content = _json(path, _secret(path), _MAKE_ONE)
            given = {k: v or str(content.get(k) or "").strip() for k, v in given.items()}
            source = printable(path)
        elif not any(given.values()):
            return None
        else:
            source = "the environment"
    missing = [k for k, v in given.items() if not v]
    if missing:
        raise DatasetError(
            f"{source} lacks the {missing[0]} of the Kaggle account",
            f"set KAGGLE_{missing[0].upper()}, or: {_MAKE_ONE}",
        )
    for value in given.values():
        _refuse_strange(value, source)
    return KaggleToken(source, key=(given["username"], given["key"]))


def _config_folder(environ: Mapping[str, str], home: Path) -> Path:
    if environ.get("KAGGLE_CONFIG_DIR"):
        return Path(environ["KAGGLE_CONFIG_DIR"])
    usual = home / ".kaggle"
    elsewhere = Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "kaggle"
    if sys.platform.startswith("linux") and not (usual / "kaggle.json").is_file():
        return elsewhere if (elsewhere / "kaggle.json").is_file() else usual
    return usual


def _login(home: Path) -> KaggleToken | None:
    path = home / ".kaggle" / "credentials.json"
    if not path.is_file():
        return None
    again = f"run kaggle auth login again; {WITHOUT}"
    if not _json(path, _secret(path), again).get("refresh_token"):
        raise DatasetError(f"{printable(path)} holds no login", again)
    return KaggleToken(printable(path), login=path)


def _json(path: Path, text: str, hint: str) -> dict[str, object]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError) as e:
        raise DatasetError(f"{printable(path)} is not JSON: {e}", hint) from e
    if not isinstance(content, dict):
        raise DatasetError(f"{printable(path)} holds no names and values", hint)
    return content


def _secret(path: Path) -> str:
    """The text of a file that holds a secret, unless other users can read it."""
    shown = printable(path)
    try:
        if os.name == "posix" and path.stat().st_mode & _SHARED:
            raise DatasetError(f"{shown} can be read by other users of this machine", f"chmod 600 {shown}")
        raw = path.read_bytes()
    except OSError as e:
        raise DatasetError(f"{shown} cannot be read: {e.strerror or e}", "check its permissions") from e
    # PowerShell's > writes UTF-16 with a byte order mark.
    encoding = "utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        return raw.decode(encoding)
    except UnicodeDecodeError as e:
        raise DatasetError(f"{shown} is not text", "save the token in it as plain text") from e


def _refuse_strange(token: str, source: str) -> None:
    if not (token.isascii() and token.isprintable()) or " " in token:
        raise DatasetError(f"{source} holds signs that no token has", f"copy the token again; {_MAKE_ONE}")
