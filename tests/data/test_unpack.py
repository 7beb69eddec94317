"""Archives are unpacked whole and within their folder, or not at all."""

from __future__ import annotations

import stat
import struct
import zipfile
from pathlib import Path

import pytest

from georoads.data import unpack as room
from georoads.data.unpack import unpack
from georoads.errors import DatasetError, GeoroadsError


def archive(path: Path, *entries: tuple[str, bytes], mode: int = 0) -> Path:
    """A zip with these entries, names as they are."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as z:
        for name, content in entries:
            info = zipfile.ZipInfo(name)
            info.filename = info.orig_filename = name  # ZipInfo would tidy it
            info.compress_type = zipfile.ZIP_DEFLATED
            info.external_attr = mode << 16
            z.writestr(info, content)
    return path


def everything(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def refused(path: Path, said: str) -> None:
    """Nothing may have been written, and the archive is as it was."""
    before = everything(path.parent)
    with pytest.raises(DatasetError, match=said) as caught:
        unpack(path, path.parent / "out")
    assert everything(path.parent) == before
    assert path.name in caught.value.message
    assert caught.value.hint


def test_files_and_folders_are_written(tmp_path: Path) -> None:
    entries = (("train/", b""), ("train/1.jpg", b"one"), ("metadata.csv", b""), ("b\\c\\2.png", b"2"))
    unpack(archive(tmp_path / "a.zip", *entries), tmp_path / "out")
    assert everything(tmp_path / "out") == {"train/1.jpg": b"one", "metadata.csv": b"", "b/c/2.png": b"2"}


def test_permissions_of_the_archive_are_not_applied(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", ("run.sh", b"#!"), mode=stat.S_IFREG | 0o4777)
    unpack(path, tmp_path / "out")
    assert not (tmp_path / "out" / "run.sh").stat().st_mode & 0o4111


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("../out.txt", "leaves the folder"),
        ("train/../../out.txt", "leaves the folder"),
        ("train\\..\\..\\out.txt", "leaves the folder"),
        ("/etc/passwd", "absolute"),
        ("\\\\host\\share\\x", "absolute"),
        ("C:/windows/x", "drive"),
        ("train/a.jpg:stream", "drive"),
        ("train/NUL", "device"),
        ("com1.txt", "device"),
        ("train/a\x1b[2J.jpg", "every system"),
        ("train/a\0.jpg", "every system"),
        ("train /a.jpg", "every system"),
        ("train//a.jpg", "every system"),
        ("train/" + "a" * 300, "every system"),
    ],
)
def test_names_that_are_not_written(tmp_path: Path, name: str, said: str) -> None:
    refused(archive(tmp_path / "a.zip", ("fine.txt", b"1"), (name, b"2")), said)


@pytest.mark.parametrize(
    ("kind", "said"),
    [(stat.S_IFLNK, "symbolic link"), *((k, "device") for k in (stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO))],
)
def test_links_and_devices_are_refused(tmp_path: Path, kind: int, said: str) -> None:
    refused(archive(tmp_path / "a.zip", ("a", b"/etc/passwd"), mode=kind | 0o777), said)


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    "names",
    [
        ("train/a.jpg", "train/A.JPG"),
        ("train/a.jpg", "Train/b.jpg"),
        ("a/é.jpg", "a/e\u0301.jpg"),
        ("train", "train/a.jpg"),
        ("train/a.jpg", "TRAIN"),
        ("train/", "train"),
        ("train/a.jpg", "train\\a.jpg"),
    ],
)
def test_names_that_collide_are_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    refused(archive(tmp_path / "a.zip", *((n, b"") for n in names)), "collide")


@pytest.mark.parametrize(
    ("limit", "most", "said"),
    [
        ("MAX_ENTRIES", 3, "4 entries, more than the 3"),
        ("MAX_BYTES", 3_999_999, "would unpack to"),
        ("MAX_RATIO", 100, r"a.zip unpacks to \d+ times"),
    ],
)
def test_bombs_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: str, most: int, said: str
) -> None:
    path = archive(tmp_path / "a.zip", *((f"{i}", bytes(1_000_000)) for i in range(4)))
    monkeypatch.setattr(room, "MAX_RATIO", 2000)
    with monkeypatch.context() as patched:
        patched.setattr(room, limit, most)
        refused(path, said)
    unpack(path, tmp_path / "out")


def changed(path: Path, signature: bytes, offset: int, layout: str, value: int) -> Path:
    """The archive with another value in a header that begins with this signature (PK 1 2: in its list)."""
    raw = bytearray(path.read_bytes())
    struct.pack_into(layout, raw, raw.index(signature) + offset, value)
    path.write_bytes(raw)
    return path


def test_entries_that_share_their_bytes_are_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", ("a", b"0123456789" * 3), ("b", b"1"))
    refused(changed(path, b"PK\x01\x02", 20, "<L", 100_000), "overlap or claim more")  # packed size


def broken(path: Path, way: str) -> Path:
    """An archive that zipfile cannot unpack."""
    entries = [(f"{i}", bytes(range(200))) for i in range(9)]
    archive(path, *entries)
    whole = path.read_bytes()
    if way == "encrypted":
        return changed(path, b"PK\x01\x02", 8, "<H", 1)
    if way == "unknown method":
        return changed(path, b"PK\x01\x02", 10, "<H", 9)  # Deflate64
    if way == "damaged":
        return changed(path, b"PK\x03\x04", 40, "<L", 0)
    texts = {"empty": b"", "text": b"<html>sign in</html>" * 100, "cut off": whole[: len(whole) // 2]}
    path.write_bytes(texts[way])
    return path


@pytest.mark.parametrize("way", ["encrypted", "unknown method", "damaged", "empty", "text", "cut off"])
def test_a_broken_archive_is_refused(tmp_path: Path, way: str) -> None:
    with pytest.raises(DatasetError, match=r"a\.zip cannot be unpacked"):
        unpack(broken(tmp_path / "a.zip", way), tmp_path / "out")


def test_no_archive_at_all_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="is not a file"):
        unpack(tmp_path / "none.zip", tmp_path / "out")


def test_a_disk_that_is_too_small_is_refused_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = archive(tmp_path / "a.zip", ("a", bytes(1000)))
    monkeypatch.setattr(
        "georoads.resources.shutil.disk_usage", lambda folder: type("Usage", (), {"free": 999})()
    )
    with pytest.raises(GeoroadsError, match="MB of disk"):
        unpack(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()
