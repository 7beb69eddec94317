"""Every way to give a Kaggle token is found, in the client's order; what is wrong with one is said."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from georoads.data.kaggle_token import KaggleToken, find_token
from georoads.errors import DatasetError


def put(path: Path, content: str | bytes, mode: int = 0o600) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    path.chmod(mode)
    return path


def key_file(path: Path, username: str) -> Path:
    return put(path, json.dumps({"username": username, "key": "k"}))


def test_the_order_is_that_of_kaggles_client(tmp_path: Path) -> None:
    """Each way that is added comes before those that are there."""
    kaggle = tmp_path / ".kaggle"
    login = put(kaggle / "credentials.json", '{"refresh_token": "r", "username": "ann"}')
    assert find_token({}, tmp_path) == KaggleToken(str(login), login=login)
    for folder, environ in (
        (tmp_path / ".config" / "kaggle", {}),
        (tmp_path / "xdg" / "kaggle", {"XDG_CONFIG_HOME": str(tmp_path / "xdg")}),
        (kaggle, {}),
        (tmp_path / "mine", {"KAGGLE_CONFIG_DIR": str(tmp_path / "mine")}),
    ):
        file = key_file(folder / "kaggle.json", folder.name)
        assert find_token(environ, tmp_path) == KaggleToken(str(file), username=folder.name, key="k")
    names = {"KAGGLE_USERNAME": "bob", "KAGGLE_KEY": "b"}
    found = find_token(names, tmp_path)
    assert found == KaggleToken("KAGGLE_USERNAME and KAGGLE_KEY", username="bob", key="b")
    for name in ("access_token.txt", "access_token"):
        file = put(kaggle / name, f"{name}\r\n")
        assert find_token(names, tmp_path) == KaggleToken(str(file), bearer=name)
    named = names | {"KAGGLE_API_TOKEN": "t3"}
    assert find_token(named, tmp_path) == KaggleToken("KAGGLE_API_TOKEN", bearer="t3")
    file = put(tmp_path / "elsewhere", "t4")
    assert find_token({"KAGGLE_API_TOKEN": str(file)}, tmp_path) == KaggleToken(str(file), bearer="t4")
    of_notebook = str(put(tmp_path / "n", "t5", 0o644))
    notebook = named | {"KAGGLE_KERNEL_RUN_TYPE": "Batch", "KAGGLE_API_V1_TOKEN": of_notebook}
    assert find_token(notebook, tmp_path).bearer == "t5"


def test_utf16_of_powershell_is_read(tmp_path: Path) -> None:
    put(tmp_path / ".kaggle" / "access_token", "t\r\n".encode("utf-16"))
    assert find_token({}, tmp_path).bearer == "t"


def test_a_token_is_not_shown(tmp_path: Path) -> None:
    assert "t0p" not in repr(find_token({"KAGGLE_API_TOKEN": "t0p"}, tmp_path))
    assert "t0p" not in repr(find_token({"KAGGLE_USERNAME": "a", "KAGGLE_KEY": "t0p"}, tmp_path))


@pytest.mark.parametrize(
    ("name", "content", "said", "hint"),
    [
        ("nothing", "", "no Kaggle token was found", "KAGGLE_API_TOKEN"),
        ("kaggle.json", '{"username": "a"}', "kaggle.json holds no token, or only half", "settings"),
        ("kaggle.json", "{", "kaggle.json is not what Kaggle wrote", "settings"),
        ("kaggle.json", "[1]", "kaggle.json is not what Kaggle wrote", "settings"),
        ("access_token", " \n", "access_token holds no token", "settings"),
        ("access_token", "<html> no", "signs that no token has", "copy"),
        ("access_token", "tökén", "signs that no token has", "copy"),
        ("access_token", b"\xff\x00\xfe", "is not text", "plain text"),
        ("credentials.json", "{}", "holds no login", "kaggle auth login"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, name: str, content: str | bytes, said: str, hint: str) -> None:
    put(tmp_path / ".kaggle" / name, content)
    with pytest.raises(DatasetError, match=said) as caught:
        find_token({}, tmp_path)
    assert hint in caught.value.hint
    assert "\n" not in caught.value.message + caught.value.hint


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
@pytest.mark.parametrize("name", ["access_token", "kaggle.json", "credentials.json"])
@pytest.mark.parametrize("mode", [0o640, 0o604])
def test_a_file_that_others_can_read_is_refused(tmp_path: Path, name: str, mode: int) -> None:
    path = put(tmp_path / ".kaggle" / name, '{"username": "a", "key": "k", "refresh_token": "r"}', mode)
    with pytest.raises(DatasetError, match="can be read by other users") as caught:
        find_token({}, tmp_path)
    assert caught.value.hint == f"chmod 600 {path}"
