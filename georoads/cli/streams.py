"""Standard streams that may be closed or full: what cannot be said is not said, and the work goes on."""

from __future__ import annotations

import errno
import io
import os
import sys
from contextlib import suppress


class _Told(io.TextIOWrapper):
    """Standard error; it turns to the null device at the first write that fails.

    Where its reader has gone it fails on: then nobody reads standard output either, as a rule.
    """

    def write(self, text: str) -> int:
        try:
            return super().write(text)
        except OSError as e:
            _say_no_more(e)
            return len(text)

    def flush(self) -> None:
        try:
            super().flush()
        except OSError as e:
            _say_no_more(e)


def _say_no_more(error: OSError) -> None:
    if error.errno == errno.EPIPE:
        raise error
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    os.close(nowhere)


def open_standard_streams() -> None:
    """Make standard streams usable that are closed, or that do not know every sign of the text.

    A file that a library opened would else become standard error, and get its warnings.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        with suppress(OSError):
            os.fstat(number)
            continue
        opened = os.open(os.devnull, os.O_RDWR)  # the lowest free number: this one
        if opened == number:
            setattr(sys, name, os.fdopen(number, "r" if number == 0 else "w", closefd=False))
    error = sys.stderr
    if error is sys.__stderr__ and isinstance(error, io.TextIOWrapper):
        sys.stderr = _Told(
            io.BufferedWriter(io.FileIO(error.fileno(), "w", closefd=False)),
            encoding=error.encoding, errors=error.errors, line_buffering=True,
        )  # fmt: skip
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # not every terminal or pipe knows every sign
