"""Downloads and archives that go wrong, by the command. The numbers are those of docs/faults.md.

Each case in depth: tests/data/test_download.py, test_kaggle_token.py and test_unpack.py.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import refused, typed, unchanged
from fake_kaggle import DOOR, GOOD_KEY, GOOD_TOKEN, RENEW, FakeKaggle, kaggle_files, serving, zipped

from georoads.data import download as room
from georoads.data import fetch, unpack

FILES = kaggle_files(3, 2, 1, big=400_000)
ARCHIVE = zipped(FILES)
RULES = "You must accept the rules before you can download files."


@pytest.fixture
def pauses() -> list[float]:
    """The seconds that were waited: nobody does."""
    return []


@pytest.fixture
def kaggle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pauses: list[float]) -> Iterator[FakeKaggle]:
    """A Kaggle of our own with a small data set, an empty home, and a good token in the environment."""
    from kagglesdk import kaggle_env

    for name in [n for n in os.environ if n.startswith("KAGGLE_") or n.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path / "home"))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("KAGGLE_API_TOKEN", GOOD_TOKEN)
    monkeypatch.setattr(fetch, "sleep", pauses.append)
    monkeypatch.setitem(room.download_deepglobe.__kwdefaults__ or {}, "expected", room.Counts(3, 2, 1))
    with serving(ARCHIVE) as server:
        monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.PROD, server.url)
        yield server


@pytest.fixture
def target(tmp_path: Path) -> Path:
    (tmp_path / "here").mkdir()
    return tmp_path / "here" / "roads"


def arrived(target: Path) -> bool:
    return {
        p.relative_to(target).as_posix(): p.read_bytes() for p in target.rglob("*") if p.is_file()
    } == FILES


# 34: tokens


def test_34_no_token(kaggle: FakeKaggle, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    with unchanged(target.parent):
        refused("download", "-o", target, says="no Kaggle token was found", hint="kaggle.com/settings")
    assert kaggle.asked == []


@pytest.mark.skipif(os.name != "posix", reason="permissions of POSIX")
def test_34_a_token_that_others_can_read(
    kaggle: FakeKaggle, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = target.parent / "token"
    file.write_text(GOOD_TOKEN)
    file.chmod(0o644)
    monkeypatch.setenv("KAGGLE_API_TOKEN", str(file))
    with unchanged(target.parent):
        refused("download", "-o", target, says=f"{file} can be read by other users", hint=f"chmod 600 {file}")
    assert kaggle.asked == []
    file.chmod(0o600)
    assert typed("download", "-o", target).code == 0


@pytest.mark.parametrize(
    ("answer", "says", "hint"),
    [
        ((401, "Unauthenticated"), "does not accept the token of KAGGLE_API_TOKEN (401)", "make a new one"),
        ((403, "denied"), "does not accept the token of KAGGLE_API_TOKEN (403)", "make a new one"),
        ((403, RULES), "wants the data set's rules to be accepted", "sign in with the same account"),
        ((404, "Not found"), "refuses to give balraj98/deepglobe", "--from-zip"),
    ],
)
def test_34_what_kaggle_refuses_has_its_own_hint(
    kaggle: FakeKaggle, target: Path, pauses: list[float], answer: tuple[int, str], says: str, hint: str
) -> None:
    kaggle.door = [answer]
    with unchanged(target.parent):
        ended = refused("download", "-o", target, says=says, hint=hint)
    assert GOOD_TOKEN not in ended.err and "signed=secret" not in ended.err
    assert pauses == []


def test_34_a_machine_without_a_home(
    kaggle: FakeKaggle, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nobody() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nobody)
    assert typed("download", "-o", target).code == 0  # the token is in the environment
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    refused("download", "-o", target.with_name("other"), says="no Kaggle token was found")


def log_in(home: Path, until: str) -> None:
    """What ``kaggle auth login`` writes."""
    file = home / ".kaggle" / "credentials.json"
    file.parent.mkdir(parents=True)
    login = {"refresh_token": "r", "access_token": GOOD_TOKEN, "access_token_expiration": until}
    file.write_text(json.dumps(login))
    file.chmod(0o600)


@pytest.mark.parametrize(
    ("until", "asked"), [("2999-01-01T00:00:00+00:00", [DOOR]), ("2020-01-01T00:00:00+00:00", [RENEW, DOOR])]
)
def test_34_a_login_is_renewed_when_it_is_too_old(
    kaggle: FakeKaggle, target: Path, monkeypatch: pytest.MonkeyPatch, until: str, asked: list[str]
) -> None:
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    log_in(target.parents[1] / "home", until)
    assert typed("download", "-o", target).code == 0
    assert kaggle.asked == asked


@pytest.mark.parametrize(
    ("until", "says"), [("2999-01-01T00:00:00+00:00", "does not accept"), ("soon", "is damaged")]
)
def test_34_a_login_that_does_not_hold(
    kaggle: FakeKaggle, target: Path, monkeypatch: pytest.MonkeyPatch, until: str, says: str
) -> None:
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    log_in(target.parents[1] / "home", until)
    kaggle.door = [(401, "Unauthenticated")]
    with unchanged(target.parent):
        refused("download", "-o", target, says=says, hint="run kaggle auth login again")


def test_34_a_user_name_and_key_are_accepted(
    kaggle: FakeKaggle, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("KAGGLE_API_TOKEN")
    for name, value in zip(("KAGGLE_USERNAME", "KAGGLE_KEY"), GOOD_KEY, strict=True):
        monkeypatch.setenv(name, value)
    assert typed("download", "-o", target).code == 0
    monkeypatch.setenv("KAGGLE_KEY", "old")
    refused("download", "-o", target.with_name("other"), says="token of KAGGLE_USERNAME and KAGGLE_KEY")


def test_34_without_kaggles_client(kaggle: FakeKaggle, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "kagglesdk", None)
    says = "georoads download needs kagglesdk, which is not installed"
    refused("download", "-o", target, says=says, hint='python -m pip install "georoads[download]"')


# 35: the connection


def test_35_a_connection_that_breaks_goes_on_where_it_was(
    kaggle: FakeKaggle, target: Path, pauses: list[float]
) -> None:
    kaggle.door = [(429, "slow down")]
    kaggle.store = [200_000, (503, ""), (429, "7"), 100_000]
    figures = target.with_name("figures.json")
    ended = typed("download", "-o", target, "--json", figures)
    assert ended.code == 0, ended.err
    assert pauses == [1, 2, 4, 8, 16]
    assert ended.err.count("next attempt in") == 5
    assert "roads is complete: 3 labelled, 2 valid and 1 test pictures" in ended.err
    assert "not for commercial use" in ended.err
    written = json.loads(figures.read_text())
    assert (written["downloaded_bytes"], written["was_there"]) == (len(ARCHIVE), False)
    assert arrived(target)
    assert sorted(p.name for p in target.parent.iterdir()) == [figures.name, target.name]
    assert "is complete already" in typed("download", "-o", target).err
    assert typed("download", "-o", target, "-q").err == ""


def test_35_a_connection_that_stays_bad_is_given_up_and_the_part_kept(
    kaggle: FakeKaggle, target: Path, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "SILENCE_S", 0.2)
    part = target.with_name(target.name + ".zip.part")
    kaggle.store = [200_000, "silent", (503, ""), (500, ""), (429, "99999"), (503, "")]
    refused(
        "download", "-o", target, says="the server answered 503 (6 attempts)", hint=f"goes on with {part}"
    )
    assert pauses == [1, 2, 4, 8, 60]  # as the server asks, but never longer than a minute
    assert part.read_bytes() == ARCHIVE[: part.stat().st_size]
    assert not target.exists()
    assert typed("download", "-o", target).code == 0
    assert arrived(target)


def test_35_more_than_was_stated_is_refused(kaggle: FakeKaggle, target: Path) -> None:
    kaggle.store = [200_000, "longer"]
    refused("download", "-o", target, says=f"more than the {len(ARCHIVE)} bytes", hint=".zip.part")
    assert not target.exists()


# 36 to 38: archives; each case in depth: tests/data/test_unpack.py


def refused_archive(content: bytes, target: Path, says: str, hint: str = "") -> None:
    """``--from-zip`` says so; the archive and all around it stays as it is."""
    path = target.with_name("a.zip")
    path.write_bytes(content)
    with unchanged(target.parent):
        refused("download", "--from-zip", path, "--any-count", "-o", target, says=says, hint=hint)


@pytest.mark.parametrize(
    ("name", "says"), [("../../out.txt", "leaves the folder"), ("train/\x1b[2Jout", "every system")]
)
def test_36_a_name_that_leaves_the_folder(target: Path, name: str, says: str) -> None:
    refused_archive(zipped(FILES | {name: b"out"}), target, says, "not to be trusted")


def test_37_bombs_are_refused_by_the_limits_that_the_error_states(target: Path) -> None:
    bomb = zipped(kaggle_files() | {"zeros": bytes(4_000_000)})
    refused_archive(bomb, target, "times its size, more than the 200 that are allowed")
    assert (unpack.MAX_ENTRIES, unpack.MAX_BYTES) == (100_000, 40 * 2**30)


def test_37_names_that_differ_only_in_case(target: Path) -> None:
    refused_archive(zipped(FILES | {"TRAIN/0_sat.jpg": b"other"}), target, "collide")


@pytest.mark.parametrize(
    "content", [b"", ARCHIVE[:-100], ARCHIVE.replace(FILES["train/0_sat.jpg"][:99], bytes(99))]
)
def test_38_an_archive_that_is_cut_off_or_damaged(target: Path, content: bytes) -> None:
    refused_archive(content, target, "a.zip cannot be unpacked: ", "download it again")


def test_38_wrong_counts(target: Path) -> None:
    path = target.with_name("a.zip")
    path.write_bytes(ARCHIVE)
    with unchanged(target.parent):  # the user's archive, too
        says = "holds 3 labelled, 2 valid and 1 test pictures, not 6226 labelled"
        refused("download", "--from-zip", path, "-o", target, says=says, hint="--any-count")
    assert typed("download", "--any-count", "-o", target).code == 2
    assert typed("download", "--from-zip", path, "--any-count", "-o", target).code == 0
    assert arrived(target)
    assert path.read_bytes() == ARCHIVE
