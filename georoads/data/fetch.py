"""One big file over a bad line: kept as it comes, gone on with where it broke off, within bounds."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path

from georoads.errors import DatasetError
from georoads.progress import Watch, unwatched
from georoads.text import printable

_MB = 1e6


@dataclass(frozen=True)
class Answer:
    """A server's answer.

    Attributes:
        start: offset of its first byte: what was asked for, or 0 when the whole file comes again.
        size: bytes of the whole file; None when the server does not say.
        validator: changes when the file does (ETag or date); "" when the server gives none.
        chunks: the bytes from start on.
    """

    start: int
    size: int | None
    validator: str
    chunks: Iterator[bytes]


Opener = Callable[[int, str], AbstractContextManager[Answer]]
"""Opens the file at an offset, if it still has this validator. Raises PassingError or DatasetError."""


class PassingError(Exception):
    """The line broke or the server is busy: another attempt may help.

    Args:
        reason: for the user.
        after_s: seconds that the server asks for before the next attempt.
        restart: True when what we have is not the beginning of what the server has.
    """

    def __init__(self, reason: str, after_s: float = 0.0, *, restart: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.after_s = after_s
        self.restart = restart


@dataclass(frozen=True)
class Patience:
    """How long to go on trying.

    Attributes:
        attempts: in a row, without progress.
        first_s, longest_s: the pause doubles from the first to the longest; a server may ask for more than
            the pause, but not for more than the longest.
        progress_bytes: so many bytes are progress.
        sleep: waits so many seconds.
    """

    attempts: int = 6
    first_s: float = 1.0
    longest_s: float = 60.0
    progress_bytes: int = 8_000_000
    sleep: Callable[[float], None] = time.sleep

    def pause_s(self, failures: int, asked_s: float) -> float:
        """Seconds to wait after so many failures in a row (1, 2, …)."""
        return min(self.longest_s, max(asked_s, self.first_s * 2.0 ** (failures - 1)))


@dataclass(frozen=True)
class _State:
    """What is known of the whole file, kept beside the part."""

    size: int
    validator: str


def fetch(
    open_at: Opener,
    part: Path,
    *,
    room: float = 1.0,
    patience: Patience | None = None,
    say: Callable[[str], None] = lambda text: None,
    watch: Watch = unwatched,
) -> int:
    """Download a file to ``part``, going on with what is there.

    Beside it lies ``part``.json, with the size and validator of the whole: only the same file is gone on
    with. A complete part is not asked for again.

    Args:
        open_at: opens the file at the server.
        part: where it is kept; stays when this function raises.
        room: free disk that the whole needs, as a multiple of its size.
        patience: default ``Patience()``.
        say: takes a line about each failed attempt.
        watch: starts the progress, in MB.

    Returns:
        Bytes that were downloaded by this call.

    Raises:
        DatasetError: refused by the server, given up, the disk is full, or more bytes came than were stated.
    """
    patience = patience or Patience()
    failures = downloaded = 0
    while True:
        before = _length(part)
        try:
            return downloaded + _go_on(open_at, part, room, watch)
        except PassingError as e:
            gained = max(0, _length(part) - before)
            downloaded += gained
            failures = 1 if gained >= patience.progress_bytes else failures + 1
            if e.restart:
                discard(part)
            if failures >= patience.attempts:
                raise DatasetError(
                    f"the download stopped at {_length(part) / _MB:.1f} MB: {e.reason} ({failures} attempts)",
                    f"run it again later: it goes on with {printable(part)}",
                ) from e
            pause = patience.pause_s(failures, e.after_s)
            say(f"{e.reason}; next attempt in {pause:g} s")
            patience.sleep(pause)


def discard(part: Path) -> None:
    """Remove a part and what is known of it."""
    part.unlink(missing_ok=True)
    _state_file(part).unlink(missing_ok=True)


def _go_on(open_at: Opener, part: Path, room: float, watch: Watch) -> int:
    known, have = _read_state(part), _length(part)
    if known is None or have > known.size:
        have = 0
    elif have == known.size:
        return 0
    with open_at(have, known.validator if known and have else "") as answer:
        # A server that does not say the size is not gone on with.
        found = None if answer.size is None else _State(answer.size, answer.validator)
        if answer.start and found != known:
            raise PassingError("the file on the server has changed", restart=True)
        if found is None:
            discard(part)
        else:
            _refuse_small_disk(part, room * found.size - answer.start)
            _write_state(part, found)
        got = _take(answer, part, watch)
    end = answer.start + got
    if found is None:
        _write_state(part, _State(end, answer.validator))
    elif end != found.size:
        raise PassingError(f"the connection broke off at {end} of {found.size} bytes")
    return got


def _take(answer: Answer, part: Path, watch: Watch) -> int:
    """Append the answer's bytes to the part; how many there were."""
    got = 0
    label = f"download from {answer.start / _MB:.0f} MB on" if answer.start else "download"
    total = max(0, (answer.size or 0) - answer.start) / _MB
    try:
        with part.open("r+b" if answer.start else "wb") as file, watch(label, total, "MB") as tell:
            file.seek(answer.start)
            file.truncate()
            for chunk in answer.chunks:
                got += len(chunk)
                if answer.size is not None and answer.start + got > answer.size:
                    raise DatasetError(
                        f"the server sent more than the {answer.size} bytes that it stated",
                        f"remove {printable(part)} and try again",
                    )
                file.write(chunk)
                tell(got / _MB)
    except OSError as e:
        raise DatasetError(
            f"{printable(part)} cannot be written: {e.strerror or e}",
            "free some space, or choose another place with -o; the next run goes on with what is there",
        ) from e
    return got


def _refuse_small_disk(part: Path, needed: float) -> None:
    free = shutil.disk_usage(part.parent).free
    if free < needed:
        raise DatasetError(
            f"{printable(part.parent)} has {free / 1e9:.2f} GB free, this needs {needed / 1e9:.2f} GB",
            "free some space, or choose another place with -o",
        )


def _length(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0


def _state_file(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _write_state(part: Path, state: _State) -> None:
    try:
        _state_file(part).write_text(json.dumps(asdict(state)), encoding="utf-8")
    except OSError as e:
        raise DatasetError(
            f"{printable(_state_file(part))} cannot be written: {e.strerror or e}",
            "choose another place with -o",
        ) from e


def _read_state(part: Path) -> _State | None:
    """What an earlier attempt noted; None where there is nothing that can be gone on with."""
    try:
        content = json.loads(_state_file(part).read_text(encoding="utf-8"))
        size, validator = content["size"], content["validator"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    known = isinstance(size, int) and isinstance(validator, str)
    return _State(size, validator) if known else None
