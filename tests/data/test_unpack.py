"""Archives are unpacked whole and within their folder, or not at all."""

from __future__ import annotations

import io
import stat
import struct
import zipfile
from pathlib import Path

import pytest

from georoads.data.unpack import UnpackLimits, unpack
from georoads.errors import DatasetError


def archive(path: Path, *entries: tuple[str, bytes], mode: int = 0) -> Path:
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


def refused(path: Path, said: str, limits: UnpackLimits | None = None) -> DatasetError:
    """The refusal; nothing may have been written, and the archive is as it was."""
    before = path.read_bytes()
    others = everything(path.parent)
    with pytest.raises(DatasetError, match=said) as caught:
        unpack(path, path.parent / "out", limits)
    assert path.read_bytes() == before
    assert everything(path.parent) == others
    assert path.name in caught.value.message
    assert caught.value.hint
    return caught.value


def test_files_and_folders_are_written(tmp_path: Path) -> None:
    path = archive(
        tmp_path / "a.zip",
        ("train/", b""),
        ("train/1.jpg", b"one"),
        ("metadata.csv", b""),
        ("b\\c\\2.png", b"2"),
    )
    assert unpack(path, tmp_path / "out") == 3
    assert everything(tmp_path / "out") == {"train/1.jpg": b"one", "metadata.csv": b"", "b/c/2.png": b"2"}


def test_permissions_of_the_archive_are_not_applied(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", ("run.sh", b"#!"), mode=stat.S_IFREG | 0o4777)
    unpack(path, tmp_path / "out")
    assert not (tmp_path / "out" / "run.sh").stat().st_mode & 0o4111


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("../out.txt", r"leaves the folder"),
        ("train/../../out.txt", r"leaves the folder"),
        ("train\\..\\..\\out.txt", r"leaves the folder"),
        ("/etc/passwd", "absolute"),
        ("\\\\host\\share\\x", "absolute"),
        ("C:/windows/x", "drive"),
        ("c:x", "drive"),
        ("train/a.jpg:stream", "drive"),
        ("train/NUL", "device"),
        ("com1.txt", "device"),
        ("train/a\x1b[2J.jpg", "every system"),
        ("train /a.jpg", "every system"),
        ("train/" + "a" * 300, "every system"),
        ("a/" * 40 + "b", "deep"),
    ],
)
def test_a_name_that_leaves_the_folder_or_names_a_device_is_refused(
    tmp_path: Path, name: str, said: str
) -> None:
    refused(archive(tmp_path / "a.zip", ("fine.txt", b"1"), (name, b"2")), said)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        (stat.S_IFLNK, "symbolic link"),
        (stat.S_IFCHR, "device"),
        (stat.S_IFBLK, "device"),
        (stat.S_IFIFO, "device"),
    ],
)
def test_links_and_devices_are_refused(tmp_path: Path, kind: int, said: str) -> None:
    refused(archive(tmp_path / "a.zip", ("a", b"/etc/passwd"), mode=kind | 0o777), said)


@pytest.mark.parametrize(
    "names",
    [
        ("train/a.jpg", "train/A.JPG"),
        ("train/a.jpg", "Train/b.jpg"),
        ("a/é.jpg", "a/e\u0301.jpg"),
        ("train", "train/a.jpg"),
        ("train/a.jpg", "TRAIN"),
        ("train/", "train"),
        ("x/./a", "x/a"),
    ],
)
def test_names_that_collide_are_refused(tmp_path: Path, names: tuple[str, ...]) -> None:
    refused(archive(tmp_path / "a.zip", *((n, b"") for n in names)), "collide")


def test_bombs_are_refused_by_count_total_and_ratio(tmp_path: Path) -> None:
    many = archive(tmp_path / "many.zip", *((f"{i}", b"") for i in range(11)))
    refused(many, "11 entries, more than the 10", UnpackLimits(entries=10))
    assert unpack(many, tmp_path / "fine", UnpackLimits(entries=11)) == 11
    listed = archive(tmp_path / "listed.zip", *((f"{i:0200d}", b"") for i in range(11)))
    refused(listed, "lists more than the 1 entries", UnpackLimits(entries=1))
    big = archive(tmp_path / "big.zip", ("a", bytes(700)), ("b", bytes(700)))
    refused(big, "would unpack to", UnpackLimits(total_bytes=1399))
    unpack(big, tmp_path / "big", UnpackLimits(total_bytes=1400))
    zeros = archive(tmp_path / "zeros.zip", ("zeros", bytes(4_000_000)))
    refused(zeros, r"'zeros' unpacks to \d+ times")
    parts = archive(tmp_path / "parts.zip", *((f"{i}", bytes(1_000_000)) for i in range(4)))
    refused(parts, r"parts.zip unpacks to \d+ times", UnpackLimits(ratio=100))


def test_entries_that_share_their_bytes_are_refused(tmp_path: Path) -> None:
    raw = bytearray(archive(tmp_path / "a.zip", ("a", b"0123456789" * 3), ("b", b"1")).read_bytes())
    entry = raw.index(b"PK\x01\x02")
    struct.pack_into("<L", raw, entry + 20, 100_000)  # packed size, beyond the file
    (tmp_path / "a.zip").write_bytes(raw)
    refused(tmp_path / "a.zip", "overlap or claim more")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_truncated_archive_is_refused(tmp_path: Path, share: float) -> None:
    path = archive(tmp_path / "a.zip", *((f"{i}", bytes(range(200))) for i in range(9)))
    raw = path.read_bytes()
    path.write_bytes(raw[: int(len(raw) * share)])
    refused(path, "cut off")


def test_other_files_and_no_files_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(b"<html>sign in</html>" * 100)
    refused(path, "no zip archive")
    with pytest.raises(DatasetError, match="is not a file"):
        unpack(tmp_path, tmp_path / "out")
    with pytest.raises(DatasetError, match="is not a file"):
        unpack(tmp_path / "none.zip", tmp_path / "out")


def test_an_encrypted_archive_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", ("a", b"x"))
    raw = bytearray(path.read_bytes())
    for signature, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        struct.pack_into("<H", raw, raw.index(signature) + flags, 1)
    path.write_bytes(raw)
    refused(path, "is encrypted")


def test_an_unknown_method_is_refused(tmp_path: Path) -> None:
    path = archive(tmp_path / "a.zip", ("a", b"x"))
    raw = bytearray(path.read_bytes())
    for signature, method in ((b"PK\x03\x04", 8), (b"PK\x01\x02", 10)):
        struct.pack_into("<H", raw, raw.index(signature) + method, 9)  # Deflate64
    path.write_bytes(raw)
    refused(path, "method 9")


def test_a_damaged_entry_is_named(tmp_path: Path) -> None:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as z:
        z.writestr("a", b"fine")
        z.writestr("b", b"to be damaged")
    path = tmp_path / "a.zip"
    path.write_bytes(buffer.getvalue().replace(b"damaged", b"DAMAGED"))
    with pytest.raises(DatasetError, match=r"a.zip is damaged at 'b'"):
        unpack(path, tmp_path / "out")


def test_a_disk_that_is_too_small_is_refused_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = archive(tmp_path / "a.zip", ("a", bytes(1000)))
    usage = type("Usage", (), {"free": 999})()
    monkeypatch.setattr("georoads.data.unpack.shutil.disk_usage", lambda folder: usage)
    with pytest.raises(DatasetError, match="GB free"):
        unpack(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_progress_ends_at_the_total(tmp_path: Path) -> None:
    from contextlib import contextmanager

    told: list[tuple[str, float]] = []

    @contextmanager
    def watch(label: str, total: float, unit: str):  # type: ignore[no-untyped-def]
        told.append((unit, total))
        yield lambda done, note="": told.append(("done", done))

    unpack(archive(tmp_path / "a.zip", ("a", bytes(500)), ("b", bytes(500))), tmp_path / "out", watch=watch)
    assert told == [("MB", 0.001), ("done", 0.0005), ("done", 0.001)]
