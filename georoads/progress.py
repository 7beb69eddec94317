"""Progress with rate and time left: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Protocol


class Progress(Protocol):
    """Called by a long function to say how far it is."""

    def __call__(self, done: float, note: str = "") -> None:
        """``done`` units of the total are done; ``note`` is shown beside."""
        ...


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


@dataclass
class _Lines:
    """A Progress for logs: a line each ``every`` seconds."""

    label: str
    total: float
    unit: str
    every: float = 30.0
    start: float = 0.0
    started: float = field(default_factory=time.monotonic)
    last: float = 0.0

    def __call__(self, done: float, note: str = "") -> None:
        now = time.monotonic()
        if now - self.last < self.every and done < self.total:
            return
        self.last = now
        rate = (done - self.start) / max(1e-9, now - self.started)
        left = f"{(self.total - done) / rate / 60:.1f} min left" if rate > 0 else ""
        parts = (
            f"{self.label} {done:.0f}/{self.total:.0f} {self.unit}",
            f"{rate:.2f} {self.unit}/s",
            left,
            note,
        )
        sys.stderr.write(", ".join(p for p in parts if p) + "\n")
        sys.stderr.flush()


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
        yield _Lines(label, total, unit)


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
