"""The command line in this process, as a user meets it: exit code and what is printed, never a traceback."""

from __future__ import annotations

import hashlib
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from unittest import mock

from click.testing import CliRunner

from georoads.cli.main import main


@dataclass(frozen=True)
class Ended:
    """How a command ended: exit code, standard output, standard error."""

    code: int
    out: str
    err: str


def typed(*arguments: str | Path) -> Ended:
    """Run ``georoads ARGUMENTS`` through its main function; what main does not catch is raised here."""
    before = signal.getsignal(signal.SIGTERM)
    with (
        mock.patch.object(sys, "argv", ["georoads", *map(str, arguments)]),
        CliRunner().isolation() as (out, err, _),
    ):
        try:
            main()
        except SystemExit as e:
            code = int(e.code or 0)
        finally:
            signal.signal(signal.SIGTERM, before)
        sys.stdout.flush()
        sys.stderr.flush()
        return Ended(code, out.getvalue().decode(), err.getvalue().decode())


def refused(*arguments: str | Path, says: str, hint: str = "") -> Ended:
    """Run a command that must be refused in two lines: ``says`` and ``hint`` stand in them."""
    ended = typed(*arguments)
    assert ended.code == 1, ended
    *before, error, way_out = ended.err.splitlines()  # before: notes and progress
    assert not any(line.startswith(("error: ", "hint: ", "Traceback")) for line in before), ended.err
    assert error.startswith("error: ") and says in error, ended.err
    assert way_out.startswith("hint: ") and hint in way_out and len(way_out) > len("hint: "), ended.err
    return ended


@contextmanager
def unchanged(folder: Path) -> Iterator[None]:
    """Every file below the folder is the same after the block as before, and none has come or gone."""
    before = contents(folder)
    yield
    assert contents(folder) == before


def contents(folder: Path) -> dict[str, str]:
    """sha256 of each file below a folder, by path; folders with an empty one."""
    return {
        str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() if p.is_file() else ""
        for p in sorted(folder.rglob("*"))
    }
