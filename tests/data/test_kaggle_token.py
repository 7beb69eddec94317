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


def test_the_order_is_that_of_kaggles_client(tmp_path: Path) -> None:
    login = put(tmp_path / ".kaggle" / "credentials.json", '{"refresh_token": "r", "username": "ann"}')
    assert find_token({}, tmp_path) == KaggleToken(str(login), login=login)
    file = put(tmp_path / ".kaggle" / "kaggle.json", json.dumps({"username": "ann", "key": "k"}))
    assert find_token({}, tmp_path) == KaggleToken(str(file), key=("ann", "k"))
    names = {"KAGGLE_USERNAME": "bob", "KAGGLE_KEY": "b"}
    assert find_token(names, tmp_path) == KaggleToken("KAGGLE_USERNAME and KAGGLE_KEY", key=("bob", "b"))
    assert find_token({"KAGGLE_KEY": "b"}, tmp_path).key == ("ann", "b")
    text = put(tmp_path / ".kaggle" / "access_token.txt", "t1\r\n")
    assert find_token(names, tmp_path) == KaggleToken(str(text), bearer="t1")
    file = put(tmp_path / ".kaggle" / "access_token", "t2\n")
    assert find_token(names, tmp_path) == KaggleToken(str(file), bearer="t2")
    named = names | {"KAGGLE_API_TOKEN": "t3"}
    assert find_token(named, tmp_path) == KaggleToken("KAGGLE_API_TOKEN", bearer="t3")
    file = put(tmp_path / "elsewhere", "t4")
    assert find_token({"KAGGLE_API_TOKEN": str(file)}, tmp_path) == KaggleToken(str(file), bearer="t4")
    notebook = named | {
        "KAGGLE_KERNEL_RUN_TYPE": "Batch",
        "KAGGLE_API_V1_TOKEN": str(put(tmp_path / "n", "t5")),
    }
    assert find_token(notebook, tmp_path).bearer == "t5"


def test_kaggle_json_lies_in_three_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.platform", "linux")
    put(tmp_path / ".config" / "kaggle" / "kaggle.json", json.dumps({"username": "x", "key": "k"}))
    assert find_token({}, tmp_path).key == ("x", "k")
    put(tmp_path / "xdg" / "kaggle" / "kaggle.json", json.dumps({"username": "g", "key": "k"}))
    assert find_token({"XDG_CONFIG_HOME": str(tmp_path / "xdg")}, tmp_path).key == ("g", "k")
    put(tmp_path / ".kaggle" / "kaggle.json", json.dumps({"username": "h", "key": "k"}))
    assert find_token({}, tmp_path).key == ("h", "k")
    put(tmp_path / "mine" / "kaggle.json", json.dumps({"username": "m", "key": "k"}))
    assert find_token({"KAGGLE_CONFIG_DIR": str(tmp_path / "mine")}, tmp_path).key == ("m", "k")


def test_utf16_of_powershell_is_read(tmp_path: Path) -> None:
    put(tmp_path / ".kaggle" / "access_token", "t\r\n".encode("utf-16"))
    assert find_token({}, tmp_path).bearer == "t"


def test_a_token_is_not_shown(tmp_path: Path) -> None:
    assert "t0p" not in repr(find_token({"KAGGLE_API_TOKEN": "t0p"}, tmp_path))
    assert "t0p" not in repr(find_token({"KAGGLE_USERNAME": "a", "KAGGLE_KEY": "t0p"}, tmp_path))


@pytest.mark.parametrize(
    ("environ", "files", "said", "hint"),
    [
        ({}, {}, "no Kaggle token was found", "KAGGLE_API_TOKEN"),
        ({"KAGGLE_USERNAME": "a"}, {}, "the environment lacks the key", "KAGGLE_KEY"),
        ({"KAGGLE_KEY": "a"}, {}, "the environment lacks the username", "KAGGLE_USERNAME"),
        ({}, {"kaggle.json": '{"username": "a"}'}, "kaggle.json lacks the key", "KAGGLE_KEY"),
        ({}, {"kaggle.json": "{"}, "kaggle.json is not JSON", "settings"),
        ({}, {"kaggle.json": "[1]"}, "holds no names", "settings"),
        ({}, {"access_token": " \n"}, "access_token is empty", "settings"),
        ({}, {"access_token": "<html> no"}, "signs that no token has", "copy"),
        ({"KAGGLE_API_TOKEN": "tökén"}, {}, "signs that no token has", "copy"),
        ({}, {"access_token": b"\xff\x00\xfe"}, "is not text", "plain text"),
        ({}, {"credentials.json": "{}"}, "holds no login", "kaggle auth login"),
        ({}, {"credentials.json": "{"}, "is not JSON", "kaggle auth login"),
    ],
)
def test_what_is_wrong_is_said(
    tmp_path: Path, environ: dict[str, str], files: dict[str, str], said: str, hint: str
) -> None:
    for name, content in files.items():
        put(tmp_path / ".kaggle" / name, content)
    with pytest.raises(DatasetError, match=said) as caught:
        find_token(environ, tmp_path)
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
    path.chmod(0o600)
    if name != "access_token":
        find_token({}, tmp_path)
