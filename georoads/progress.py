"""Progress with rate and time left: a bar on a terminal, plain lines elsewhere, JSON lines for programs."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Protocol

EVERY_S = 30.0
"""Seconds between the lines of a log."""
EVERY_S_FOR_PROGRAMS = 0.5
"""Seconds between the lines of JSON."""


class Progress(Protocol):
    """Called by a long function to say how far it is."""

    def __call__(self, done: float, note: str = "") -> None:
        """``done`` units of the total are done; ``note`` is shown beside."""


Watch = Callable[[str, float, str], AbstractContextManager[Progress]]
"""Starts the Progress of a stage, of which it is told label, total and unit; ended with the block."""


def silent(done: float, note: str = "") -> None:
    """A Progress that says nothing."""


def unwatched(label: str, total: float, unit: str) -> AbstractContextManager[Progress]:
    """A Watch that says nothing.

    Args:
        label: what is being done.
        total: units of the whole.
        unit: as in "tiles".
    """
    return nullcontext(silent)


def _write_lines(label: str, total: float, unit: str) -> Progress:
    """A Progress for logs: a line every 30 seconds, and one at the end."""
    started, last = time.monotonic(), 0.0

    def write(done: float, note: str = "") -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < EVERY_S and done < total:
            return
        last = now
        rate = done / max(1e-9, now - started)
        left = f"{(total - done) / rate / 60:.1f} min left" if rate > 0 else ""
        parts = f"{label} {done:.0f}/{total:.0f} {unit}", f"{rate:.2f} {unit}/s", left, note
        sys.stderr.write(", ".join(p for p in parts if p) + "\n")
        sys.stderr.flush()

    return write


def json_lines(label: str, total: float, unit: str) -> AbstractContextManager[Progress]:
    """A Watch for programs: a JSON object a line on standard error, at start and end and each half second.

    Args:
        label: what is being done; ``stage`` of the object.
        total: units of the whole.
        unit: as in "tiles".
    """
    last = 0.0

    def write(done: float, note: str = "") -> None:
        nonlocal last
        now = time.monotonic()
        if now - last < EVERY_S_FOR_PROGRAMS and done < total:
            return
        last = now
        told = {"stage": label, "done": round(done, 3), "total": round(total, 3), "unit": unit, "note": note}
        sys.stderr.write(json.dumps(told) + "\n")
        sys.stderr.flush()

    write(0.0)
    return nullcontext(write)


@contextmanager
def progress(label: str, total: float, unit: str, *, quiet: bool = False) -> Iterator[Progress]:
    """A Progress on standard error: a bar on a terminal, else a line every 30 seconds.

    Args:
        label: what is being done.
        total: units of the whole.
        unit: as in "tiles".
        quiet: True says nothing.
    """
    if quiet:
        yield silent
    elif sys.stderr.isatty():
        with _bar(label, total, unit) as bar:
            yield bar
    else:
        yield _write_lines(label, total, unit)


@contextmanager
def _bar(label: str, total: float, unit: str) -> Iterator[Progress]:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as RichProgress

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with RichProgress(*columns, console=Console(stderr=True), transient=True) as rich:
        task = rich.add_task(label, total=total, rate="", note="")

        def update(done: float, note: str = "") -> None:
            speed = rich.tasks[0].speed
            rate = f"{speed:.2f} {unit}/s" if speed else ""
            rich.update(task, completed=done, note=note, rate=rate)

        yield update
