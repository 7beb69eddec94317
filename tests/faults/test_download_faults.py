"""Downloads and archives that go wrong, by the command. The numbers are those of docs/faults.md.

Each case in depth: tests/data/test_download.py, test_kaggle_token.py, test_unpack.py.
"""

from __future__ import annotations

import functools
import io
import os
import stat
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import contents, refused, typed, unchanged
from fake_kaggle import GOOD_TOKEN, FakeKaggle, kaggle_files, serving, zipped

from georoads.data import download as room
from georoads.data import fetch, kaggle_client, unpack
from georoads.data.fetch import Patience
from georoads.data.unpack import UnpackLimits

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
    monkeypatch.setattr(fetch, "Patience", functools.partial(Patience, sleep=pauses.append))
    monkeypatch.setitem(room.download_deepglobe.__kwdefaults__, "expected", room.Counts(3, 2, 1))
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
        ((404, "Not found"), "has no data set balraj98/deepglobe", "--from-zip"),
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


# 35: the line


def test_35_a_line_that_breaks_goes_on_where_it_was(
    kaggle: FakeKaggle, target: Path, pauses: list[float]
) -> None:
    kaggle.store = [200_000, (503, ""), (429, "7"), 100_000]
    ended = typed("download", "-o", target)
    assert ended.code == 0, ended.err
    assert pauses == [1, 2, 7, 8]
    assert ended.err.count("next attempt in") == 4
    starts = [int(r[6:-1]) if r else 0 for r in kaggle.ranges]
    assert starts[0] == 0 < starts[1] == starts[2] == starts[3] < starts[4]
    assert arrived(target)
    assert [p.name for p in target.parent.iterdir()] == [target.name]


def test_35_a_line_that_stays_bad_is_given_up_and_the_part_kept(
    kaggle: FakeKaggle, target: Path, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kaggle_client.kaggle_opener, "__defaults__", ((5.0, 0.2),))
    part = target.with_name(target.name + ".zip.part")
    kaggle.store = [200_000, "silent", (503, ""), (500, ""), (429, "99999"), (503, "")]
    refused(
        "download", "-o", target, says="the server answered 503 (6 attempts)", hint=f"goes on with {part}"
    )
    assert pauses == [1, 2, 4, 8, 60]  # as the server asks, but never longer than a minute
    assert 0 < part.stat().st_size < len(ARCHIVE)
    assert part.read_bytes() == ARCHIVE[: part.stat().st_size]
    assert not target.exists()
    assert typed("download", "-o", target).code == 0
    assert arrived(target)


def test_35_more_than_was_stated_is_refused(kaggle: FakeKaggle, target: Path) -> None:
    kaggle.store = [200_000, "longer"]
    refused("download", "-o", target, says=f"more than the {len(ARCHIVE)} bytes", hint=".zip.part")
    assert not target.exists()


# 36 to 38: archives


def packed(path: Path, *entries: tuple[str, bytes], mode: int = 0) -> Path:
    """A zip with these entries behind a data set's; names as they are, ``mode`` for all of them."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
        for name, content in (*FILES.items(), *entries):
            info = zipfile.ZipInfo(name)
            info.filename = info.orig_filename = name
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = (mode if (name, content) in entries else 0) << 16
            z.writestr(info, content)
    return path


def refused_archive(path: Path, target: Path, says: str, hint: str = "") -> None:
    """``--from-zip`` says so; the archive and all around it stays as it is."""
    with unchanged(path.parent):
        refused("download", "--from-zip", path, "--any-count", "-o", target, says=says, hint=hint)


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("../../out.txt", "leaves the folder"),
        ("train\\..\\..\\..\\out.txt", "leaves the folder"),
        ("/tmp/georoads-out.txt", "is an absolute path"),
        ("C:/out.txt", "names a drive"),
        ("train/NUL", "is a device"),
        ("train/\x1b[2Jout", "every system"),
    ],
)
def test_36_a_name_that_leaves_the_folder(target: Path, tmp_path: Path, name: str, says: str) -> None:
    refused_archive(packed(tmp_path / "a.zip", (name, b"out")), target, says, "not to be trusted")
    assert not Path("/tmp/georoads-out.txt").exists()


@pytest.mark.parametrize(
    ("kind", "says"),
    [(stat.S_IFLNK, "is a symbolic link"), (stat.S_IFCHR, "is a device"), (stat.S_IFIFO, "is a device")],
)
def test_36_links_and_devices(target: Path, tmp_path: Path, kind: int, says: str) -> None:
    path = packed(tmp_path / "a.zip", ("train/link", b"/etc/passwd"), mode=kind | 0o777)
    refused_archive(path, target, says, "not to be trusted")


def test_37_bombs_are_refused_by_the_limits_that_the_error_states(
    target: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    zeros = packed(tmp_path / "zeros.zip", ("zeros", bytes(4_000_000)))
    refused_archive(zeros, target, "times its size, more than the 200 that are allowed")
    whole = packed(tmp_path / "whole.zip")
    for limits, says in (
        (UnpackLimits(entries=5), "holds 11 entries, more than the 5"),
        (UnpackLimits(total_bytes=100_000), "more than the 0.0 GB that are allowed"),
    ):
        with monkeypatch.context() as patched:
            patched.setattr(room, "UnpackLimits", lambda limits=limits: limits)
            refused_archive(whole, target, says)
    assert unpack.UnpackLimits() == UnpackLimits(100_000, 40 * 2**30, 200.0)


def test_37_names_that_differ_only_in_case(target: Path, tmp_path: Path) -> None:
    path = packed(tmp_path / "a.zip", ("TRAIN/0_sat.jpg", b"other"))
    refused_archive(path, target, "'TRAIN' collide")


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_38_a_truncated_archive(target: Path, tmp_path: Path, share: float) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(ARCHIVE[: int(share * len(ARCHIVE))])
    refused_archive(path, target, f"{path} is no zip archive, or is cut off", "download it again")


def test_38_an_encrypted_archive(target: Path, tmp_path: Path) -> None:
    raw = bytearray(ARCHIVE)
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        struct.pack_into("<H", raw, raw.index(signature) + flags, 1)
    path = tmp_path / "a.zip"
    path.write_bytes(raw)
    refused_archive(path, target, "is encrypted", "your own tool")


def test_38_a_damaged_entry(target: Path, tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as z:
        for name, content in FILES.items():
            z.writestr(name, content)
    path = tmp_path / "a.zip"
    path.write_bytes(buffer.getvalue().replace(b"valid picture 1", b"VALID picture 1"))
    refused_archive(path, target, f"{path} is damaged at 'valid/1_sat.jpg'", "download the archive again")


def test_38_wrong_counts(target: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(ARCHIVE)
    with unchanged(tmp_path):
        says = "holds 3 labelled, 2 valid and 1 test pictures, not 6226 labelled"
        refused("download", "--from-zip", path, "-o", target, says=says, hint="--any-count")
    path.write_bytes(zipped({k: v for k, v in FILES.items() if k != "train/1_mask.png"}))
    refused_archive(path, target, "1 files of metadata.csv are missing: train/1_mask.png", "incomplete")


def test_38_the_users_archive_is_never_deleted(target: Path, tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(ARCHIVE)
    before = contents(tmp_path)["a.zip"]
    assert typed("download", "--from-zip", path, "--any-count", "-o", target).code == 0
    assert arrived(target)
    assert contents(tmp_path)["a.zip"] == before
