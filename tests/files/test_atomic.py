"""Files are complete or absent (FAULTS 39, 40, 41)."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import pytest

from georoads.errors import GeoroadsError
from georoads.files.atomic import check_output, remove_stale_parts, replace_when_complete
from georoads.text import printable


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_file_appears_whole(tmp_path: Path) -> None:
    target = tmp_path / "roads.gpkg"
    with replace_when_complete(target) as part:
        assert part.parent == tmp_path and part.suffix == ".gpkg" and not part.exists()
        part.write_text("whole")
        assert not target.exists()
    assert names(tmp_path) == ["roads.gpkg"]
    assert target.read_text() == "whole"


@pytest.mark.parametrize("interruption", [ValueError, KeyboardInterrupt, SystemExit])
def test_failure_leaves_nothing_and_keeps_the_old_file(tmp_path: Path, interruption: type) -> None:
    target = tmp_path / "a.gpkg"
    target.write_text("old")
    with pytest.raises(interruption), replace_when_complete(target, overwrite=True) as part:
        part.write_text("half")
        part.with_name(part.name + "-journal").write_text("by SQLite")
        raise interruption
    assert names(tmp_path) == ["a.gpkg"]
    assert target.read_text() == "old"


def test_file_that_does_not_verify_is_not_published(tmp_path: Path) -> None:
    seen = []

    def verify(part: Path) -> None:
        seen.append(part.read_text())
        raise GeoroadsError("damaged", "again")

    with (
        pytest.raises(GeoroadsError, match="damaged"),
        replace_when_complete(tmp_path / "a.txt", verify=verify) as part,
    ):
        part.write_text("x")
    assert seen == ["x"] and names(tmp_path) == []


def test_existing_output_is_refused_before_work(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(GeoroadsError, match="exists") as e, replace_when_complete(target):
        pytest.fail("work was begun")
    assert "--overwrite" in e.value.hint
    with replace_when_complete(target, overwrite=True) as part:
        part.write_text("new")
    assert target.read_text() == "new"


def test_output_that_came_while_working_is_not_replaced(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    with pytest.raises(GeoroadsError, match="exists"), replace_when_complete(target) as part:
        part.write_text("mine")
        target.write_text("theirs")
    assert target.read_text() == "theirs" and names(tmp_path) == ["a.txt"]


def test_check_output_names_what_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(GeoroadsError, match="does not exist"):
        check_output(tmp_path / "no" / "a.gpkg")
    with pytest.raises(GeoroadsError, match="is a folder"):
        check_output(tmp_path, overwrite=True)
    scene = tmp_path / "scene.tif"
    scene.write_text("scene")
    with pytest.raises(GeoroadsError, match="is an input and the output"):
        check_output(tmp_path / "." / "scene.tif", overwrite=True, inputs=[scene])
    check_output(tmp_path / "a.gpkg", inputs=[scene, tmp_path / "absent.tif"])
    assert names(tmp_path) == ["scene.tif"]


def test_folder_that_refuses_is_refused_before_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Root may write anywhere, so a read-only folder is played.
    def refuse(**_: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr("georoads.files.atomic.tempfile.TemporaryFile", refuse)
    with pytest.raises(GeoroadsError, match="cannot be written to"):
        check_output(tmp_path / "a.gpkg")


@pytest.mark.skipif(sys.platform == "win32", reason="devices and links of POSIX")
def test_device_is_refused_and_link_is_followed(tmp_path: Path) -> None:
    with pytest.raises(GeoroadsError, match="not a regular file"):
        check_output("/dev/null", overwrite=True)
    (tmp_path / "far").mkdir()
    link = tmp_path / "link.txt"
    link.symlink_to(tmp_path / "far" / "real.txt")
    with replace_when_complete(link) as part:
        part.write_text("x")
    assert link.is_symlink() and names(tmp_path / "far") == ["real.txt"]


@pytest.mark.skipif(sys.platform != "linux", reason="names that are no UTF-8 exist on Linux")
def test_name_that_is_not_utf8_is_refused_escaped(tmp_path: Path) -> None:
    with pytest.raises(GeoroadsError) as e:
        check_output(tmp_path / os.fsdecode(b"a\xff.gpkg"))
    assert "a\\udcff.gpkg" in e.value.message


@pytest.mark.parametrize("name", ["a b'\"%.txt", "日本🛣.txt", "-dash.txt", "x" * 250 + ".txt"])
def test_odd_names(tmp_path: Path, name: str) -> None:
    with replace_when_complete(tmp_path / name) as part:
        part.write_text("x")
    assert names(tmp_path) == [name]


def test_full_disk_is_an_expected_failure(tmp_path: Path) -> None:
    with (
        pytest.raises(GeoroadsError, match="No space") as e,
        replace_when_complete(tmp_path / "a.txt") as part,
    ):
        part.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")
    assert "space" in e.value.hint and names(tmp_path) == []


def test_other_errors_of_the_system_pass_through(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), replace_when_complete(tmp_path / "a.txt"):
        (tmp_path / "input").read_text()


def test_target_held_by_another_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def held(*_: object) -> None:
        raise PermissionError(errno.EACCES, "in use")

    monkeypatch.setattr("georoads.files.atomic.Path.replace", held)
    with (
        pytest.raises(GeoroadsError, match="cannot be replaced"),
        replace_when_complete(tmp_path / "a.txt") as part,
    ):
        part.write_text("x")
    assert names(tmp_path) == []


def test_printable_escapes() -> None:
    assert printable("a\nb\x1b[31m é") == "a\\nb\\x1b[31m é"


def test_what_a_killed_writer_left_is_removed_and_nothing_else(tmp_path: Path) -> None:
    names = ("roads.gpkg", "roads!.gpkg", "roads.geojson")
    parts = {}
    for name in names:
        with pytest.raises(KeyboardInterrupt), replace_when_complete(tmp_path / name) as part:
            raise KeyboardInterrupt
        parts[name] = [part, part.with_name(part.name + "-journal")]
    for left in parts.values():
        for path in left:
            path.write_text("half")
    remove_stale_parts(tmp_path / "roads.gpkg")
    assert [p.exists() for p in parts["roads.gpkg"]] == [False, False]
    assert all(p.exists() for name in names[1:] for p in parts[name])
