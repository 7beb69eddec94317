# SPDX-License-Identifier: GPL-2.0-or-later
"""One run of georoads as a process: what it says, how far it is, how it stops. Imports nothing of QGIS."""

from __future__ import annotations

import json
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Any

LOOK_EVERY_S = 0.1
"""How long a wish to stop may wait."""
PATIENCE_S = 60.0
"""Seconds that a stopped georoads has to finish its batch of tiles; then it is killed."""
STOPPED = (130, 143, -signal.SIGTERM, -signal.SIGINT)
"""Exit codes of a run that was stopped by a signal."""
USAGE = 2


@dataclass(frozen=True)
class Progress:
    """How far a stage is.

    Attributes:
        stage: what is being done, as "predict".
        done: units that are done.
        total: units of the whole; 0: there is nothing to do.
        unit: as "tiles".
    """

    stage: str
    done: float
    total: float
    unit: str

    @property
    def percent(self) -> float:
        """0 to 100."""
        return 100.0 * self.done / self.total if self.total else 100.0


@dataclass
class Ended:
    """How a run ended.

    Attributes:
        code: exit code of the process.
        stopped: it was stopped: by us, or by somebody's signal.
        error: what georoads says is wrong; "" where all is well.
        hint: what it says to do about it.
        said: all other lines that it wrote.
    """

    code: int
    stopped: bool
    error: str = ""
    hint: str = ""
    said: list[str] = field(default_factory=list)

    @property
    def well(self) -> bool:
        """Whether the work is done."""
        return self.code == 0


def parse_progress(line: str) -> Progress | None:
    """The progress that a line of ``--progress json`` tells; None where it is another line.

    Example:
        >>> parse_progress('{"stage": "predict", "done": 1, "total": 4, "unit": "tiles", "note": ""}').percent
        25.0
    """
    if not line.startswith("{"):
        return None
    try:
        told: Any = json.loads(line)
        return Progress(str(told["stage"]), float(told["done"]), float(told["total"]), str(told["unit"]))
    except (ValueError, KeyError, TypeError):
        return None


def run(
    words: Sequence[str],
    environment: Mapping[str, str],
    *,
    on_line: Callable[[str], None] = lambda line: None,
    on_progress: Callable[[Progress], None] = lambda progress: None,
    is_cancelled: Callable[[], bool] = lambda: False,
) -> Ended:
    """Run a program to its end, or until it shall stop: by SIGTERM first, which georoads obeys in good order.

    On Windows a process has no SIGTERM: it is ended at once, and what is finished was kept before.

    Args:
        words: the program and what follows it.
        environment: of the process.
        on_line: is told each line but progress, error and hint, in the caller's thread.
        on_progress: is told how far it is.
        is_cancelled: is asked ten times a second.

    Raises:
        OSError: the program cannot be started.
    """
    process = subprocess.Popen(
        list(words), env=dict(environment), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True, encoding="utf-8", errors="replace",
        creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),  # of Windows only
        # A Ctrl-C in the terminal goes to the whole group: georoads shall hear of it once, from us.
        start_new_session=sys.platform != "win32",
    )  # fmt: skip
    lines: queue.Queue[str | None] = queue.Queue()
    assert process.stdout is not None and process.stderr is not None
    for stream in (process.stdout, process.stderr):
        threading.Thread(target=_read, args=(stream, lines), daemon=True).start()
    ended = Ended(0, stopped=False)
    try:
        for line in _until_the_end(process, lines, is_cancelled, ended):
            _take(line, ended, on_line, on_progress)
    except BaseException:
        process.kill()
        raise
    finally:
        ended.code = process.wait()
    ended.stopped = not ended.well and (ended.stopped or ended.code in STOPPED)
    return ended


def _read(stream: IO[str], lines: queue.Queue[str | None]) -> None:
    with stream:
        for line in stream:
            lines.put(line.rstrip("\r\n"))
    lines.put(None)


def _until_the_end(
    process: subprocess.Popen[str],
    lines: queue.Queue[str | None],
    is_cancelled: Callable[[], bool],
    ended: Ended,
) -> Iterator[str]:
    """Lines of both streams until both are closed; meanwhile the process is stopped when that is wished."""
    open_streams, stopped_at = 2, 0.0
    while open_streams:
        if not ended.stopped and is_cancelled():
            ended.stopped, stopped_at = True, time.monotonic()
            process.terminate()
        if ended.stopped and time.monotonic() - stopped_at > PATIENCE_S:
            process.kill()
        try:
            line = lines.get(timeout=LOOK_EVERY_S)
        except queue.Empty:
            continue
        if line is None:
            open_streams -= 1
        else:
            yield line


def _take(
    line: str, ended: Ended, on_line: Callable[[str], None], on_progress: Callable[[Progress], None]
) -> None:
    progress = parse_progress(line)
    if progress is not None:
        on_progress(progress)
    elif line.startswith(("error: ", "Error: ")):  # ours, or click's of wrong usage
        ended.error = line[len("error: ") :]
    elif line.startswith("hint: ") and ended.error:
        ended.hint = line[len("hint: ") :]
    elif line.strip():
        ended.said.append(line)
        on_line(line)


@contextmanager
def signals_heard() -> Iterator[Callable[[], bool]]:
    """In the block, SIGTERM and Ctrl-C are wishes to stop; gives what tells whether there was one.

    So that a ``qgis_process`` that is told to end takes georoads along in good order. In other threads than
    the first, where QGIS with a window works, nothing is changed.
    """
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    heard: list[int] = []
    numbers = (signal.SIGTERM, signal.SIGINT)
    # None: a handler that Python did not set, and cannot set again; the system's own way is the nearest.
    before = [(number, signal.getsignal(number) or signal.SIG_DFL) for number in numbers]
    for number in numbers:
        signal.signal(number, lambda number, frame: heard.append(number))
    try:
        yield lambda: bool(heard)
    finally:
        for number, handler in before:
            signal.signal(number, handler)
