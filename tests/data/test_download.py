"""DeepGlobe arrives whole or not at all, over good connections and bad ones, from a server of ours.

What Kaggle refuses, and the command itself: tests/faults/test_download_faults.py.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_kaggle import FakeKaggle, kaggle_files, serving, zipped

from georoads.data import fetch
from georoads.data.dataset import open_dataset
from georoads.data.download import Counts, Download, download_deepglobe, install_archive
from georoads.errors import DatasetError, GeoroadsError
from georoads.files.lock import only_run

FILES = kaggle_files(3, 2, 1, big=400_000)
ARCHIVE = zipped(FILES)
COUNTS = Counts(3, 2, 1)


@pytest.fixture
def server() -> Iterator[FakeKaggle]:
    with serving(ARCHIVE) as server:
        yield server


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds between the attempts: nobody waits."""
    waited: list[float] = []
    monkeypatch.setattr(fetch, "sleep", waited.append)
    for name in [n for n in os.environ if n.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    return waited


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "deepglobe"


@pytest.fixture
def part(target: Path) -> Path:
    return target.with_name("deepglobe.zip.part")


def download(server: FakeKaggle, target: Path) -> Download:
    return download_deepglobe(target, server.address, expected=COUNTS)


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_whole_and_then_left_as_it_is(server: FakeKaggle, target: Path, part: Path) -> None:
    assert download(server, target) == Download(target, COUNTS, len(ARCHIVE))
    assert contents(target) == FILES
    assert [p.name for p in target.parent.iterdir()] == ["deepglobe"]
    assert len(open_dataset(target).samples) == 3
    part.write_bytes(ARCHIVE)  # as when the run was killed before it removed the archive
    assert download(server, target) == Download(target, COUNTS, was_there=True)
    assert not part.exists()
    assert len(server.ranges) == 1


def test_cut_off_in_mid_file_goes_on_where_it_was(
    server: FakeKaggle, target: Path, pauses: list[float]
) -> None:
    target.mkdir()  # an empty folder is taken
    server.store = [200_000, 100_000]
    assert download(server, target).downloaded_bytes == len(ARCHIVE)
    first, second, third = (int(r[6:-1]) if r else 0 for r in server.ranges)
    assert (first, second // 65536) == (0, 3)
    assert second < third < len(ARCHIVE)
    assert pauses == [1, 2]
    assert contents(target) == FILES


@pytest.mark.parametrize("way", ["whole", "bad range", "another file"])
def test_what_does_not_go_on_with_the_part_is_fetched_anew(
    server: FakeKaggle, target: Path, monkeypatch: pytest.MonkeyPatch, way: str
) -> None:
    server.store = [200_000, way]
    if way == "another file":

        def replaced(seconds: float) -> None:
            server.etag, server.archive = '"two"', zipped(FILES | {"class_dict.csv": b"new"})

        monkeypatch.setattr(fetch, "sleep", replaced)
        server.store.pop()
    download(server, target)
    assert contents(target) == FILES | ({"class_dict.csv": b"new"} if way == "another file" else {})


@pytest.mark.parametrize("note", ["{", "[]", '{"size": 1}', json.dumps({"size": 5, "validator": '"one"'})])
def test_a_part_of_unknown_origin_is_not_gone_on_with(
    server: FakeKaggle, target: Path, part: Path, note: str
) -> None:
    part.write_bytes(b"something else")
    part.with_name(part.name + ".json").write_text(note)
    download(server, target)
    assert server.ranges == [""]
    assert contents(target) == FILES


def test_no_connection_is_said(server: FakeKaggle, target: Path, pauses: list[float]) -> None:
    server.shutdown()
    server.server_close()
    with pytest.raises(DatasetError, match=r"no connection to the server.*\(6 attempts\)"):
        download(server, target)
    assert pauses == [1, 2, 4, 8, 16]


def test_a_file_without_its_size_is_not_taken(server: FakeKaggle, target: Path) -> None:
    server.store = ["unsized"]
    with pytest.raises(DatasetError, match="refused the file, or its size"):
        download(server, target)


def test_an_address_that_has_expired_is_asked_for_again(server: FakeKaggle, target: Path) -> None:
    server.store = [(403, "")]
    assert download(server, target).downloaded_bytes == len(ARCHIVE)


def test_a_connection_that_moves_on_is_not_given_up(
    server: FakeKaggle, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch, "ATTEMPTS", 2)
    monkeypatch.setattr(fetch, "PROGRESS_BYTES", 50_000)
    server.store = [100_000, 100_000, 100_000]
    assert download(server, target).downloaded_bytes == len(ARCHIVE)


def test_what_was_downloaded_is_kept_when_it_is_refused(server: FakeKaggle, target: Path, part: Path) -> None:
    server.archive = zipped(FILES | {"../../evil.txt": b"out"})
    with pytest.raises(DatasetError, match="leaves the folder") as caught:
        download(server, target)
    assert str(part) in caught.value.hint
    assert sorted(contents(target.parent)) == [part.name, f"{part.name}.json"]


@pytest.mark.parametrize("free", [2.05, 1.5])
def test_a_disk_that_is_too_small_is_said_first(
    server: FakeKaggle, target: Path, monkeypatch: pytest.MonkeyPatch, free: float
) -> None:
    usage = type("Usage", (), {"free": int(free * len(ARCHIVE)) + 1})()
    monkeypatch.setattr("georoads.resources.shutil.disk_usage", lambda folder: usage)
    if free > 2:
        assert download(server, target).counts == COUNTS
        return
    with pytest.raises(GeoroadsError, match="MB of disk"):
        download(server, target)
    assert list(target.parent.iterdir()) == []


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a file that is always full")
def test_a_full_disk_is_said(server: FakeKaggle, target: Path, part: Path) -> None:
    part.symlink_to("/dev/full")
    with pytest.raises(DatasetError, match="cannot be written: No space left") as caught:
        fetch.fetch(server.address, part)
    assert "free some space" in caught.value.hint


def test_a_second_run_is_refused(server: FakeKaggle, target: Path) -> None:
    with (
        only_run(target.with_name(".deepglobe.lock"), "it"),
        pytest.raises(GeoroadsError, match="worked on by"),
    ):
        download(server, target)
    assert not [*target.parent.iterdir(), *server.ranges]


@pytest.mark.parametrize("below", ["", "archive/"])
def test_from_zip(tmp_path: Path, target: Path, below: str) -> None:
    path = tmp_path / "my.zip"
    path.write_bytes(zipped({below + k: v for k, v in FILES.items()} | {"__MACOSX/x": b""}))
    before = path.read_bytes()
    left = tmp_path / ".deepglobe.unpacking" / "train"  # by a run that was killed
    left.mkdir(parents=True)
    (left / "old_sat.jpg").write_bytes(b"old")
    (tmp_path / ".deepglobe.lock").write_text("process 1 on nowhere")
    with pytest.raises(DatasetError, match="holds 3 labelled, 2 valid and 1 test pictures, not 6226") as e:
        install_archive(path, target)
    assert "--any-count" in e.value.hint
    assert [p.name for p in tmp_path.iterdir()] == ["my.zip"]
    assert install_archive(path, target, expected=None) == Download(target, COUNTS)
    assert {k: v for k, v in contents(target).items() if not k.startswith("__")} == FILES
    assert install_archive(path, target, expected=None) == Download(target, COUNTS, was_there=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["deepglobe", "my.zip"]
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("train/1_mask.png", None, r"my.zip: 1 files .* missing.*1_mask"),
        ("valid/1_sat.jpg", None, r"my.zip: 1 files .* missing.*1_sat"),
        ("train/1_mask.png", b"", r"my.zip: 1 files .* empty.*1_mask"),
        ("metadata.csv", None, "my.zip holds no metadata.csv"),
        ("metadata.csv", b"image_id,split\n", "my.zip.* lacks the column"),
    ],
)
def test_an_incomplete_archive_is_refused(
    tmp_path: Path, target: Path, name: str, content: bytes | None, said: str
) -> None:
    files = {k: v for k, v in (FILES | {name: content}).items() if v is not None}
    (tmp_path / "my.zip").write_bytes(zipped(files))
    with pytest.raises(DatasetError, match=said):
        install_archive(tmp_path / "my.zip", target, expected=None)
    assert [p.name for p in tmp_path.iterdir()] == ["my.zip"]


def test_places_that_are_taken(tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "my.zip"
    path.write_bytes(ARCHIVE)
    with pytest.raises(DatasetError, match="is a file"):
        install_archive(path, path)
    with pytest.raises(GeoroadsError, match="none does not exist"):
        install_archive(path, tmp_path / "none" / "d")
    target.mkdir()
    (target / "notes.txt").write_text("mine")
    with pytest.raises(DatasetError, match="no complete data set") as caught:
        install_archive(path, target, expected=None)
    assert "-o" in caught.value.hint
    assert contents(target) == {"notes.txt": b"mine"}
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(DatasetError, match="current folder"):
        install_archive(path, ".", expected=None)
