"""Downloading one big file over a bad connection: what has arrived is kept, and the rest asked for again."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from time import sleep
from typing import Any

from georoads.errors import DatasetError
from georoads.progress import Watch, unwatched
from georoads.remote.patience import (
    ATTEMPTS,
    BUSY,
    CONNECT_S,
    SILENCE_S,
    PassingError,
    asked_pause_s,
    pause_s,
)
from georoads.resources import needs_beside
from georoads.text import printable

PROGRESS_BYTES = 8_000_000
"""ATTEMPTS failures in a row without so many bytes between them end the download."""
_MB = 1e6


@dataclass(frozen=True)
class _Whole:
    """The file at the server, noted beside the part: only the same file is gone on with.

    Attributes:
        size: in bytes.
        validator: changes when the file does (its ETag or date).
    """

    size: int
    validator: str


def fetch(
    address: Callable[[], str],
    part: Path,
    *,
    room: float = 1.0,
    say: Callable[[str], None] = lambda text: None,
    watch: Watch = unwatched,
) -> int:
    """Download a file to ``part``, going on with what is there. A complete part is not asked for again.

    Args:
        address: gives the file's address, anew for each attempt. Raises PassingError or DatasetError.
        part: where it is kept, with ``part``.json beside it; both stay when this function raises.
        room: free disk that the whole needs, as a multiple of its size.
        say: takes a line about each failed attempt.
        watch: starts the progress, in MB.

    Returns:
        Bytes that were downloaded by this call.

    Raises:
        DatasetError: refused by the server, given up, the disk is full, or more bytes came than were stated.
    """
    failures = downloaded = 0
    while True:
        gained = 0
        try:
            for size in _receive(address, part, room, watch):
                gained += size
            return downloaded + gained
        except PassingError as e:
            downloaded += gained
            failures = 1 if gained >= PROGRESS_BYTES else failures + 1
            if failures >= ATTEMPTS:
                raise DatasetError(
                    f"the download stopped at {_length(part) / _MB:.1f} MB: {e.reason} ({failures} attempts)",
                    f"run it again later: it goes on with {printable(part)}",
                ) from e
            pause = pause_s(failures, e.after_s)
            say(f"{e.reason}; next attempt in {pause:g} s")
            sleep(pause)


def discard(part: Path) -> None:
    """Remove a part and what is known of it."""
    part.unlink(missing_ok=True)
    _note_of(part).unlink(missing_ok=True)


def failure_of(error: Any) -> str:
    """Why a request failed (a requests.RequestException), without its address, which lets its bearer in."""
    import requests

    if isinstance(error, requests.ConnectTimeout):
        return f"no connection within {CONNECT_S:g} s"
    if isinstance(error, requests.ReadTimeout) or "Read timed out" in str(error):  # the latter in mid-file
        return f"the server was silent for {SILENCE_S:g} s"
    return f"there is no connection to the server, or it broke off ({type(error).__name__})"


def _receive(address: Callable[[], str], part: Path, room: float, watch: Watch) -> Iterator[int]:
    """One attempt: write what is missing of the part; yields the size of each block."""
    import requests

    known, have = _read_note(part), _length(part)
    if known is not None and have == known.size:
        return
    headers = {"Accept-Encoding": "identity"}  # offsets count the bytes of the file itself
    if known is not None and 0 < have < known.size:
        headers |= {"Range": f"bytes={have}-", "If-Range": known.validator}
    limits = (CONNECT_S, SILENCE_S)
    try:
        with requests.get(address(), headers=headers, stream=True, timeout=limits) as response:
            rest = known and f"bytes {have}-{known.size - 1}/{known.size}"
            if known and response.status_code == 206 and response.headers.get("Content-Range") == rest:
                start, whole = have, known
            else:
                start, whole = 0, _whole_of(response, part)
            needs_beside(part, 0.0, (room * whole.size - start) / _MB).check(part)
            _note_of(part).write_text(json.dumps(asdict(whole)), encoding="utf-8")
            yield from _write(response.iter_content(1 << 16), part, start, whole.size, watch)
    except requests.RequestException as e:
        raise PassingError(failure_of(e)) from e
    except OSError as e:
        raise DatasetError(
            f"{printable(part)} cannot be written: {e.strerror or e}",
            "free some space, or choose another place with -o; the next run goes on with what is there",
        ) from e


def _whole_of(response: Any, part: Path) -> _Whole:
    """The file that a server sends from its beginning; what else it may answer is raised."""
    code, size = response.status_code, response.headers.get("Content-Length", "")
    if code in (206, 416):  # another part than was asked for; there is no such part
        discard(part)
        raise PassingError("the file on the server has changed")
    if code in BUSY or code in (401, 403):  # 401 and 403: the address has expired
        raise PassingError(
            f"the server answered {code}", asked_pause_s(response.headers.get("Retry-After", ""))
        )
    if code != 200 or not size.isdigit():
        raise DatasetError(f"the server refused the file, or its size ({code})", "try again later")
    return _Whole(int(size), response.headers.get("ETag") or response.headers.get("Last-Modified") or "")


def _write(chunks: Iterator[bytes], part: Path, start: int, size: int, watch: Watch) -> Iterator[int]:
    """Append chunks to the part from an offset on, up to the whole size; yields the size of each."""
    end = start
    label = f"download from {start / _MB:.0f} MB on" if start else "download"
    with part.open("r+b" if start else "wb") as file, watch(label, (size - start) / _MB, "MB") as tell:
        file.seek(start)
        for chunk in chunks:
            end += len(chunk)
            if end > size:
                raise DatasetError(
                    f"the server sent more than the {size} bytes that it stated",
                    f"remove {printable(part)} and try again",
                )
            file.write(chunk)
            tell((end - start) / _MB)
            yield len(chunk)
    if end != size:
        raise PassingError(f"the connection broke off at {end} of {size} bytes")


def _length(part: Path) -> int:
    return part.stat().st_size if part.is_file() else 0


def _note_of(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _read_note(part: Path) -> _Whole | None:
    """What an earlier attempt noted; None where there is nothing that can be gone on with."""
    try:
        return _Whole(**json.loads(_note_of(part).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
