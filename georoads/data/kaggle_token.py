"""Finding the user's Kaggle token where Kaggle's own client looks for it, and in its order.

The client does not say what is wrong with a token, or who else can read it. So the places are looked at
here, and the client is handed what was found.
"""

from __future__ import annotations

import json
import os
import stat
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


@dataclass(frozen=True)
class KaggleToken:
    """What Kaggle is shown: an access token, a user name with its key, or the file of a login.

    Attributes:
        source: where it was found, for messages.
        bearer: an access token, or "".
        username: the user's name, where there is a key.
        key: the older kind of token, or "".
        login: the file that ``kaggle auth login`` wrote, or None.
    """

    source: str
    bearer: str = field(default="", repr=False)
    username: str = field(default="", repr=False)
    key: str = field(default="", repr=False)
    login: Path | None = None

    def __post_init__(self) -> None:
        if not (self.bearer or (self.username and self.key) or self.login):
            raise DatasetError(f"{self.source} holds no token, or only half of one", _MAKE_ONE)
        secret = self.bearer + self.username + self.key
        if not (secret.isascii() and secret.isprintable()) or " " in secret:
            raise DatasetError(
                f"{self.source} holds signs that no token has", f"copy the token again; {_MAKE_ONE}"
            )


def find_token(environ: Mapping[str, str], home: Path) -> KaggleToken:
    """The token that Kaggle's client would use.

    In this order: the token of a Kaggle notebook, KAGGLE_API_TOKEN (a token or a file), the file
    ``~/.kaggle/access_token``, KAGGLE_USERNAME with KAGGLE_KEY, ``kaggle.json`` (in KAGGLE_CONFIG_DIR,
    ``~/.kaggle`` or ``~/.config/kaggle``), ``kaggle auth login``.

    Args:
        environ: the environment.
        home: the user's home folder.

    Returns:
        The first that is there.

    Raises:
        DatasetError: there is none, only half of one, its file cannot be read, or others can read it.
    """
    found = _access_token(environ, home) or _username_and_key(environ, home)
    if found is not None:
        return found
    login = home / ".kaggle" / "credentials.json"
    if not login.is_file():
        raise DatasetError("no Kaggle token was found", _MAKE_ONE)
    if not _read_json(login).get("refresh_token"):
        raise DatasetError(f"{printable(login)} holds no login", f"run kaggle auth login again; {WITHOUT}")
    return KaggleToken(printable(login), login=login)


def _access_token(environ: Mapping[str, str], home: Path) -> KaggleToken | None:
    notebook = Path(environ.get("KAGGLE_API_V1_TOKEN", ""))
    if environ.get("KAGGLE_KERNEL_RUN_TYPE") and notebook.is_file():
        return KaggleToken("KAGGLE_API_V1_TOKEN", bearer=notebook.read_text(encoding="utf-8").strip())
    given = environ.get("KAGGLE_API_TOKEN", "").strip()
    if given and not os.path.isfile(given):  # noqa: PTH113  # a token may be too long to be a Path's name
        return KaggleToken("KAGGLE_API_TOKEN", bearer=given)
    files = (Path(given), home / ".kaggle" / "access_token", home / ".kaggle" / "access_token.txt")
    file = next((file for file in files if file.is_file()), None)
    return None if file is None else KaggleToken(printable(file), bearer=_read_secret(file).strip())


def _username_and_key(environ: Mapping[str, str], home: Path) -> KaggleToken | None:
    username, key = (environ.get(name, "").strip() for name in ("KAGGLE_USERNAME", "KAGGLE_KEY"))
    if username and key:
        return KaggleToken("KAGGLE_USERNAME and KAGGLE_KEY", username=username, key=key)
    usual = home / ".kaggle"
    elsewhere = Path(environ.get("XDG_CONFIG_HOME") or home / ".config") / "kaggle"
    for folder in (Path(environ.get("KAGGLE_CONFIG_DIR") or usual), usual, elsewhere):
        file = folder / "kaggle.json"
        if file.is_file():
            content = {name: str(value or "").strip() for name, value in _read_json(file).items()}
            return KaggleToken(
                printable(file), username=content.get("username", ""), key=content.get("key", "")
            )
    return None


def _read_json(path: Path) -> dict[str, object]:
    try:
        return dict(json.loads(_read_secret(path)))
    except (ValueError, TypeError, RecursionError) as e:
        raise DatasetError(f"{printable(path)} is not what Kaggle wrote: {e}", _MAKE_ONE) from e


def _read_secret(path: Path) -> str:
    """The text of a file that holds a secret, unless other users can read it."""
    shown = printable(path)
    try:
        if os.name == "posix" and path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH):
            raise DatasetError(f"{shown} can be read by other users of this machine", f"chmod 600 {shown}")
        raw = path.read_bytes()
        # PowerShell's > writes UTF-16 with a byte order mark.
        return raw.decode("utf-16" if raw[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig")
    except OSError as e:
        raise DatasetError(f"{shown} cannot be read: {e.strerror or e}", "check its permissions") from e
    except UnicodeDecodeError as e:
        raise DatasetError(f"{shown} is not text", "save the token in it as plain text") from e
