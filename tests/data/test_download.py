"""DeepGlobe arrives whole or not at all, over good lines and bad ones; a server of ours plays Kaggle."""

from __future__ import annotations

import dataclasses
import errno
import json
import os
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest
from click.testing import CliRunner
from fake_kaggle import DOOR, GOOD_KEY, GOOD_TOKEN, RENEW, FakeKaggle, kaggle_files, serving, zipped

from georoads.cli.download import download
from georoads.data.dataset import open_dataset
from georoads.data.download import Counts, Download, download_deepglobe, install_archive
from georoads.data.fetch import Answer, Opener, Patience, fetch
from georoads.data.kaggle_client import kaggle_opener
from georoads.data.kaggle_token import KaggleToken, find_token
from georoads.errors import DatasetError, GeoroadsError
from georoads.files.lock import only_run

FILES = kaggle_files(3, 2, 1, big=400_000)
ARCHIVE = zipped(FILES)
COUNTS = Counts(3, 2, 1)
TOKEN = KaggleToken("KAGGLE_API_TOKEN", bearer=GOOD_TOKEN)


@pytest.fixture
def kaggle(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeKaggle]:
    """A FakeKaggle to which Kaggle's client goes, and an environment without tokens."""
    from kagglesdk import kaggle_env

    for name in [n for n in os.environ if n.startswith("KAGGLE_") or n.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)
    with serving(ARCHIVE) as server:
        monkeypatch.setitem(kaggle_env._env_to_endpoint, kaggle_env.KaggleEnv.PROD, server.url)
        yield server


@dataclasses.dataclass
class Line:
    """Runs downloads without waiting, and keeps what was waited and said."""

    target: Path
    token: KaggleToken = TOKEN
    timeouts: tuple[float, float] = (5.0, 5.0)
    pauses: list[float] = dataclasses.field(default_factory=list)
    said: list[str] = dataclasses.field(default_factory=list)

    @property
    def part(self) -> Path:
        return self.target.with_name(self.target.name + ".zip.part")

    def opener(self) -> Opener:
        return kaggle_opener(self.token, self.timeouts)

    def run(self, attempts: int = 4) -> Download:
        patience = Patience(attempts=attempts, sleep=self.pauses.append)
        return download_deepglobe(
            self.target, self.opener, expected=COUNTS, patience=patience, say=self.said.append
        )


def contents(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_whole(kaggle: FakeKaggle, tmp_path: Path) -> None:
    line = Line(tmp_path / "deepglobe")
    assert line.run() == Download(line.target, COUNTS, len(ARCHIVE))
    assert contents(line.target) == FILES
    assert [p.name for p in tmp_path.iterdir()] == ["deepglobe"]
    assert len(open_dataset(line.target).samples) == 3
    assert line.pauses == []
    assert kaggle.asked == [DOOR]


def test_a_complete_folder_is_left_as_it_is(kaggle: FakeKaggle, tmp_path: Path) -> None:
    line = Line(tmp_path / "deepglobe")
    line.run()
    kaggle.asked.clear()
    line.token = KaggleToken("nowhere")  # none is needed
    line.part.write_bytes(ARCHIVE)  # as when the run was killed before it removed the archive
    assert line.run() == Download(line.target, COUNTS, was_there=True)
    assert not line.part.exists()
    assert kaggle.asked == []


@pytest.mark.parametrize("exists", [True, False])
def test_cut_off_in_mid_file_goes_on_where_it_was(kaggle: FakeKaggle, tmp_path: Path, exists: bool) -> None:
    line = Line(tmp_path / "deepglobe")
    if exists:
        line.target.mkdir()
    kaggle.store = [200_000, 100_000]
    assert line.run().downloaded_bytes == len(ARCHIVE)
    first, second, third = (int(r[6:-1] or 0) if r else 0 for r in kaggle.ranges)
    assert (first, second // 65536) == (0, 3)
    assert second < third < len(ARCHIVE)
    assert line.pauses == [1, 2]
    assert contents(line.target) == FILES


def test_a_later_run_goes_on_too(kaggle: FakeKaggle, tmp_path: Path) -> None:
    line = Line(tmp_path / "deepglobe")
    kaggle.store = [200_000, (503, ""), (503, "")]
    with pytest.raises(
        DatasetError, match=r"stopped at 0\.2 MB: the server answered 503 \(3 attempts\)"
    ) as caught:
        line.run(attempts=3)
    assert "deepglobe.zip.part" in caught.value.hint
    have = line.part.stat().st_size
    assert line.part.read_bytes() == ARCHIVE[:have]
    assert not line.target.exists()
    kaggle.ranges.clear()
    assert line.run().downloaded_bytes == len(ARCHIVE) - have
    assert kaggle.ranges == [f"bytes={have}-"]
    assert contents(line.target) == FILES


def test_another_file_on_the_server_is_fetched_anew(kaggle: FakeKaggle, tmp_path: Path) -> None:
    line = Line(tmp_path / "deepglobe")
    kaggle.store = [200_000]
    with pytest.raises(DatasetError, match="stopped"):
        line.run(attempts=1)
    kaggle.etag, kaggle.archive = '"two"', zipped(FILES | {"class_dict.csv": b"new"})
    assert line.run().downloaded_bytes == len(kaggle.archive)
    assert (line.target / "class_dict.csv").read_bytes() == b"new"


@pytest.mark.parametrize("way", ["whole", "bad range"])
def test_a_server_that_does_not_keep_to_the_range_is_asked_for_the_whole(
    kaggle: FakeKaggle, tmp_path: Path, way: str
) -> None:
    line = Line(tmp_path / "deepglobe")
    kaggle.store = [200_000, way]
    line.run()
    assert contents(line.target) == FILES


def test_a_part_that_is_longer_than_the_file_is_thrown_away(kaggle: FakeKaggle, tmp_path: Path) -> None:
    line = Line(tmp_path / "deepglobe")
    line.part.write_bytes(bytes(len(ARCHIVE) + 1))
    state = line.part.with_name(line.part.name + ".json")
    state.write_text(json.dumps({"size": len(ARCHIVE) + 5, "validator": kaggle.etag}))
    line.run()
    assert contents(line.target) == FILES
    assert line.said == ["the file on the server has changed; next attempt in 1 s"]


def test_a_part_of_unknown_origin_is_not_gone_on_with(kaggle: FakeKaggle, tmp_path: Path) -> None:
    line = Line(tmp_path / "deepglobe")
    line.part.write_bytes(b"something else")
    line.part.with_name(line.part.name + ".json").write_text("{")
    line.run()
    assert kaggle.ranges == [""]
    assert contents(line.target) == FILES


def test_429_then_fine_waits_as_asked_within_bounds(kaggle: FakeKaggle, tmp_path: Path) -> None:
    line = Line(tmp_path / "deepglobe")
    kaggle.door = [(429, "slow down")]
    kaggle.store = [(429, "7"), (503, "99999"), (429, "Wed, 21 Oct 2015 07:28:00 GMT")]
    line.run(attempts=5)
    assert line.pauses == [1, 7, 60, 8]
    assert line.said[0] == "the server answered 429; next attempt in 1 s"
    assert contents(line.target) == FILES


def test_a_silent_server_is_given_up(kaggle: FakeKaggle, tmp_path: Path) -> None:
    line = Line(tmp_path / "deepglobe", timeouts=(5.0, 0.2))
    kaggle.store = ["silent"] * 2
    started = time.monotonic()
    with pytest.raises(DatasetError, match=r"silent for 0\.2 s \(2 attempts\)"):
        line.run(attempts=2)
    assert time.monotonic() - started < 5


def test_no_connection(kaggle: FakeKaggle, tmp_path: Path) -> None:
    line = Line(tmp_path / "deepglobe")
    kaggle.shutdown()
    kaggle.server_close()
    with pytest.raises(DatasetError, match="no connection"):
        line.run()
    assert line.pauses == [1, 2, 4]


def test_an_expired_address_is_asked_for_again(kaggle: FakeKaggle, tmp_path: Path) -> None:
    line = Line(tmp_path / "deepglobe")
    kaggle.store = [(403, "")]
    line.run()
    assert kaggle.asked == [DOOR, DOOR]


def test_a_server_that_does_not_say_the_size(kaggle: FakeKaggle, tmp_path: Path) -> None:
    line = Line(tmp_path / "deepglobe")
    kaggle.store = ["unsized"]
    assert line.run().downloaded_bytes == len(ARCHIVE)


def test_a_wrong_size_is_refused(kaggle: FakeKaggle, tmp_path: Path) -> None:
    line = Line(tmp_path / "deepglobe")
    kaggle.store = [200_000, "longer"]
    with pytest.raises(DatasetError, match=f"more than the {len(ARCHIVE)} bytes that it stated"):
        line.run()
    assert not line.target.exists()


def test_a_line_that_moves_on_is_not_given_up(tmp_path: Path) -> None:
    whole = bytes(range(250)) * 4

    def open_at(offset: int, validator: str):  # type: ignore[no-untyped-def]
        return nullcontext(Answer(offset, len(whole), "v", iter([whole[offset : offset + 100]])))

    patience = Patience(attempts=2, progress_bytes=100, sleep=lambda s: None)
    assert fetch(open_at, tmp_path / "p", patience=patience) == 1000
    assert (tmp_path / "p").read_bytes() == whole
    assert fetch(open_at, tmp_path / "p") == 0
    with pytest.raises(DatasetError, match=r"broke off at 200 of 1000 bytes \(2 attempts\)"):
        fetch(open_at, tmp_path / "q", patience=dataclasses.replace(patience, progress_bytes=101))


def refused_by_kaggle(line: Line, said: str) -> str:
    """The hint of a refusal after which nothing lies about, and no attempt was made again."""
    with pytest.raises(DatasetError, match=said) as caught:
        line.run()
    assert list(line.target.parent.iterdir()) == []
    assert line.pauses == []
    assert "signed=secret" not in caught.value.message
    return caught.value.hint


def test_a_wrong_token(kaggle: FakeKaggle, tmp_path: Path) -> None:
    wrong = KaggleToken("KAGGLE_API_TOKEN", bearer="KGAT_old")
    hint = refused_by_kaggle(
        Line(tmp_path / "d", wrong), r"Kaggle does not accept the token of KAGGLE_API_TOKEN \(401\)"
    )
    assert "kaggle.com/settings" in hint
    wrong = KaggleToken("kaggle.json", key=("ann", "old"))
    refused_by_kaggle(Line(tmp_path / "d", wrong), "the token of kaggle.json")
    kaggle.door = [(403, "Permission 'datasets.get' was denied")]
    hint = refused_by_kaggle(Line(tmp_path / "d"), r"does not accept the token of KAGGLE_API_TOKEN \(403\)")
    assert "kaggle.com/settings" in hint


def test_rules_that_are_not_accepted(kaggle: FakeKaggle, tmp_path: Path) -> None:
    kaggle.door = [(403, "You must accept the rules before you can download files.")]
    hint = refused_by_kaggle(Line(tmp_path / "d"), "rules to be accepted")
    assert "balraj98/deepglobe-road-extraction-dataset" in hint


@pytest.mark.parametrize(
    ("code", "said"), [(404, "has no data set"), (400, "refused the download .400: because")]
)
def test_other_refusals(kaggle: FakeKaggle, tmp_path: Path, code: int, said: str) -> None:
    kaggle.door = [(code, "because")]
    assert "--from-zip" in refused_by_kaggle(Line(tmp_path / "d"), said)


def test_user_name_and_key(kaggle: FakeKaggle, tmp_path: Path) -> None:
    Line(tmp_path / "deepglobe", KaggleToken("kaggle.json", key=GOOD_KEY)).run()
    assert contents(tmp_path / "deepglobe") == FILES


@pytest.mark.parametrize("until", ["2999-01-01T00:00:00+00:00", "2020-01-01T00:00:00+00:00"])
def test_kaggle_auth_login_and_its_renewal(
    kaggle: FakeKaggle, tmp_path: Path, until: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    file = home / ".kaggle" / "credentials.json"
    file.parent.mkdir(parents=True)
    login = {
        "refresh_token": "r",
        "access_token": GOOD_TOKEN,
        "access_token_expiration": until,
        "username": "a",
    }
    file.write_text(json.dumps(login))
    file.chmod(0o600)
    Line(tmp_path / "deepglobe", find_token({}, home)).run()
    assert kaggle.asked == ([] if until > "2999" else [RENEW]) + [DOOR]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (
            {
                "refresh_token": "r",
                "access_token": "old",
                "access_token_expiration": "2999-01-01T00:00:00+00:00",
            },
            "401",
        ),
        ({"refresh_token": "r", "access_token_expiration": "soon"}, "is damaged"),
    ],
)
def test_a_login_that_does_not_hold(
    kaggle: FakeKaggle, tmp_path: Path, content: dict[str, str], said: str
) -> None:
    file = tmp_path / "credentials.json"
    file.write_text(json.dumps(content))
    (tmp_path / "here").mkdir()
    hint = refused_by_kaggle(Line(tmp_path / "here" / "d", KaggleToken("it", login=file)), said)
    assert "kaggle auth login" in hint


def test_zip_slip_from_the_server(kaggle: FakeKaggle, tmp_path: Path) -> None:
    kaggle.archive = zipped(FILES | {"../../evil.txt": b"out"})
    (tmp_path / "a" / "b").mkdir(parents=True)
    line = Line(tmp_path / "a" / "b" / "deepglobe")
    with pytest.raises(DatasetError, match="leaves the folder") as caught:
        line.run()
    assert str(line.part) in caught.value.hint
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == [
        line.part.name,
        f"{line.part.name}.json",
    ]


@pytest.mark.parametrize("below", ["", "archive/"])
def test_from_zip(tmp_path: Path, below: str) -> None:
    path = tmp_path / "my.zip"
    path.write_bytes(zipped({below + k: v for k, v in FILES.items()} | {"__MACOSX/x": b""}))
    target = tmp_path / "d"
    with pytest.raises(
        DatasetError, match="holds 3 labelled, 2 valid and 1 test pictures, not 6226 labelled"
    ) as e:
        install_archive(path, target)
    assert "--any-count" in e.value.hint
    assert [p.name for p in tmp_path.iterdir()] == ["my.zip"]
    assert install_archive(path, target, expected=None) == Download(target, COUNTS)
    assert {k: v for k, v in contents(target).items() if not k.startswith("__")} == FILES
    assert install_archive(path, target, expected=None) == Download(target, COUNTS, was_there=True)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["d", "my.zip"]
    with pytest.raises(DatasetError, match=r"holds 3 labelled.*, not 6226"):
        install_archive(path, target)
    assert path.read_bytes()


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("train/1_mask.png", None, r"my.zip: 1 files .* missing.*1_mask"),
        ("valid/1_sat.jpg", None, r"my.zip: 1 files .* missing.*1_sat"),
        ("train/1_mask.png", b"", r"my.zip: 1 files .* empty.*1_mask"),
        ("metadata.csv", None, "my.zip holds no metadata.csv"),
        ("metadata.csv", b"image_id,split\n", "lacks the column"),
    ],
)
def test_an_incomplete_archive_is_refused(
    tmp_path: Path, name: str, content: bytes | None, said: str
) -> None:
    files = {k: v for k, v in (FILES | {name: content}).items() if v is not None}
    (tmp_path / "my.zip").write_bytes(zipped(files))
    with pytest.raises(DatasetError, match=said):
        install_archive(tmp_path / "my.zip", tmp_path / "d", expected=None)
    assert [p.name for p in tmp_path.iterdir()] == ["my.zip"]


def test_places_that_are_taken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "my.zip"
    path.write_bytes(ARCHIVE)
    with pytest.raises(DatasetError, match="is a file"):
        install_archive(path, path)
    with pytest.raises(GeoroadsError, match="none does not exist"):
        install_archive(path, tmp_path / "none" / "d")
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "notes.txt").write_text("mine")
    with pytest.raises(DatasetError, match="no complete data set") as caught:
        install_archive(path, tmp_path / "d", expected=None)
    assert "-o" in caught.value.hint
    assert contents(tmp_path / "d") == {"notes.txt": b"mine"}
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    with pytest.raises(DatasetError, match="current folder"):
        install_archive(path, ".", expected=None)


def test_what_a_killed_run_left_is_cleared(tmp_path: Path) -> None:
    (tmp_path / "my.zip").write_bytes(ARCHIVE)
    left = tmp_path / ".d.unpacking" / "train"
    left.mkdir(parents=True)
    (left / "old_sat.jpg").write_bytes(b"old")
    (tmp_path / ".d.lock").write_text("process 1 on nowhere")
    install_archive(tmp_path / "my.zip", tmp_path / "d", expected=COUNTS)
    assert contents(tmp_path / "d") == FILES
    assert sorted(p.name for p in tmp_path.iterdir()) == ["d", "my.zip"]


def test_a_disk_that_is_too_small_is_said_first(
    kaggle: FakeKaggle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = Line(tmp_path / "deepglobe")
    usage = type("Usage", (), {"free": int(2.05 * len(ARCHIVE)) - 1})()
    monkeypatch.setattr("georoads.data.fetch.shutil.disk_usage", lambda folder: usage)
    with pytest.raises(DatasetError, match="GB free, this needs"):
        line.run()
    usage.free += 2
    line.run()
    assert contents(line.target) == FILES


def test_a_full_disk_keeps_the_part(tmp_path: Path) -> None:
    def until_full() -> Iterator[bytes]:
        yield b"begun"
        raise OSError(errno.ENOSPC, "No space left on device")

    part = tmp_path / "p"
    with pytest.raises(DatasetError, match="cannot be written: No space left") as caught:
        fetch(lambda offset, validator: nullcontext(Answer(0, 10, "v", until_full())), part)
    assert "free some space" in caught.value.hint
    assert fetch(lambda offset, validator: nullcontext(Answer(offset, 10, "v", iter([b" done"]))), part) == 5
    assert part.read_bytes() == b"begun done"


def test_a_second_run_is_refused(kaggle: FakeKaggle, tmp_path: Path) -> None:
    line = Line(tmp_path / "deepglobe")
    with only_run(tmp_path / ".deepglobe.lock", "it"), pytest.raises(GeoroadsError, match="worked on by"):
        line.run()
    assert list(tmp_path.iterdir()) == []
    assert kaggle.asked == []


def command(*arguments: str | Path) -> tuple[int, str, GeoroadsError | None]:
    done = CliRunner().invoke(download, list(map(str, arguments)))
    error = done.exception if isinstance(done.exception, GeoroadsError) else None
    return done.exit_code, done.output, error


def test_the_command_from_zip(tmp_path: Path) -> None:
    path, target, figures = tmp_path / "my.zip", tmp_path / "d", tmp_path / "d.json"
    path.write_bytes(ARCHIVE)
    code, said, _ = command("--from-zip", path, "--any-count", "-o", target, "--json", figures)
    assert code == 0
    assert "d is complete: 3 labelled, 2 valid and 1 test pictures" in said
    assert "not for commercial use" in said
    written = json.loads(figures.read_text())
    assert (written["folder"], written["counts"]["labelled"], written["was_there"]) == (str(target), 3, False)
    code, said, _ = command("--from-zip", path, "--any-count", "-o", target)
    assert (code, "is complete already" in said) == (0, True)
    assert command("--from-zip", path, "--any-count", "-o", target, "-q")[:2] == (0, "")
    assert command("--any-count")[0] == 2


def test_the_command_without_with_a_wrong_and_with_a_good_token(
    kaggle: FakeKaggle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    error = command("-o", tmp_path / "d")[2]
    assert error is not None
    assert error.message == "no Kaggle token was found"
    assert kaggle.asked == []
    monkeypatch.setenv("KAGGLE_API_TOKEN", "KGAT_wrong")
    _, said, error = command("-o", tmp_path / "d")
    assert error is not None
    assert "does not accept the token of KAGGLE_API_TOKEN" in error.message
    assert "KGAT_wrong" not in said + error.message + error.hint
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setenv("KAGGLE_API_TOKEN", GOOD_TOKEN)
    error = command("-o", tmp_path / "d")[2]
    assert error is not None  # the archive arrived, but is not DeepGlobe's
    assert "holds 3 labelled, 2 valid and 1 test pictures, not 6226" in error.message
    assert (tmp_path / "d.zip.part").read_bytes() == ARCHIVE
    assert not (tmp_path / "d").exists()
