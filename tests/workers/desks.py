"""Desks for the tests of engines: what an item does is written in it. Imported by the workers, too."""

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
class Errand:
    """An item.

    Attributes:
        number: comes back.
        does: nothing; waits (until ``file`` is there); dies (once, or always without ``file``); is killed
            (once); refuses; stumbles.
        file: of the test; a line is added each time that the errand is begun.
    """

    number: int
    does: str = "nothing"
    file: Path | None = None

    def __str__(self) -> str:
        return f"errand {self.number}"


@dataclass(frozen=True)
class Done:
    """What came of an errand, and in which process."""

    number: int
    process: int


class Runner:
    """Does errands."""

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __call__(self, errand: Errand) -> Done:
        if errand.does == "waits":
            assert errand.file is not None
            while not errand.file.exists():
                time.sleep(0.01)
        elif errand.does != "nothing":
            self._fail(errand)
        return Done(errand.number, os.getpid())

    def _fail(self, errand: Errand) -> None:
        was_here = errand.file is not None and errand.file.exists()
        if errand.file is not None:
            with errand.file.open("a") as lines:
                lines.write("begun\n")
        if errand.does == "refuses":
            raise SceneError("scene.tif is torn", "copy it again")
        if errand.does == "stumbles":
            raise KeyError("no such thing")
        if not was_here and errand.does == "dies":
            os._exit(1)
        if not was_here and errand.does == "is killed":
            os.kill(os.getpid(), signal.SIGKILL)


@dataclass(frozen=True)
class Doors:
    """An opening.

    Attributes:
        folder: of the test; the first to open there is of the kind "first", others are not, if ``differ``.
        fails: "", "dies" or "refuses".
    """

    folder: Path | None = None
    differ: bool = False
    fails: str = ""

    @contextmanager
    def __call__(self) -> Iterator[Runner]:
        if self.fails == "dies":
            os._exit(1)
        if self.fails == "refuses":
            raise GeoroadsError("there is no device 'cuda'", "--device cpu")
        kind = "plain"
        if self.differ:
            assert self.folder is not None
            try:
                (self.folder / "first").mkdir()
                kind = "first"
            except FileExistsError:
                kind = "other"
        yield Runner(kind)


@dataclass(frozen=True)
class Adder:
    """Work for ``each``: adds what is in a file that is read where the work is done."""

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
