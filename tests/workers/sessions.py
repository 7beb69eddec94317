"""Sessions for the tests of engines: each item says what happens to it. Imported by the workers, too."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from georoads.errors import GeoroadsError, SceneError


@dataclass(frozen=True)
class Task:
    """An item.

    Attributes:
        number: comes back.
        does: nothing; waits (until ``file`` is there); dies (once, or always without ``file``); is killed
            (once); refuses; stumbles.
        file: of the test; a line is added each time that the task is begun.
    """

    number: int
    does: str = "nothing"
    file: Path | None = None

    def __str__(self) -> str:
        return f"task {self.number}"


@dataclass(frozen=True)
class Done:
    """The result of a task: its number, and the process that did it."""

    number: int
    process: int


class TaskSession:
    """Does tasks."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __call__(self, task: Task) -> Done:
        if task.does == "waits":
            assert task.file is not None
            while not task.file.exists():
                time.sleep(0.01)
        elif task.does != "nothing":
            self._fail(task)
        return Done(task.number, os.getpid())

    def _fail(self, task: Task) -> None:
        was_begun = task.file is not None and task.file.exists()
        if task.file is not None:
            with task.file.open("a") as lines:
                lines.write("begun\n")
        if task.does == "refuses":
            raise SceneError("scene.tif is torn", "copy it again")
        if task.does == "stumbles":
            raise KeyError("no such thing")
        if not was_begun and task.does == "dies":
            os._exit(1)
        if not was_begun and task.does == "is killed":
            os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True)
class TaskSessions:
    """Opens sessions that do tasks.

    Attributes:
        folder: of the test; the first session that opens there is of the kind "first", others are not, if
            ``differ``.
        fails: "", "dies" or "refuses".
    """

    folder: Path | None = None
    differ: bool = False
    fails: str = ""

    @contextmanager
    def __call__(self, threads: int) -> Iterator[TaskSession]:
        if self.fails == "dies":
            os._exit(1)
        if self.fails == "refuses":
            raise GeoroadsError("there is no device 'cuda'", "--device cpu")
        kind = f"plain, threads: {threads}"
        if self.differ:
            assert self.folder is not None
            try:
                (self.folder / "first").mkdir()
                kind = "first"
            except FileExistsError:
                kind = "other"
        yield TaskSession(kind)


@dataclass(frozen=True)
class Adder:
    """A function for a ``ParallelMap``: adds what is in a file, which is read where the work is done."""

    file: Path

    def __reduce__(self) -> tuple[Callable[[Path], Adder], tuple[Path]]:
        return opened_adder, (self.file,)

    def __call__(self, number: int) -> tuple[int, int]:
        return number + int(self.file.read_text()), os.getpid()


def opened_adder(file: Path) -> Adder:
    """As files of ours do it, which are opened when they are unpickled."""
    if not file.exists():
        raise SceneError(f"{file} is not there")
    return Adder(file)
