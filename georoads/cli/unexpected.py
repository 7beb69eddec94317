"""What libraries and the system throw that no room has foreseen, as a message and a hint."""

from __future__ import annotations

import errno
import traceback

from georoads.text import printable, without_secrets

DEBUG_HINT = "--debug shows where; if the input is sound, report it with what that prints"
_OF_PYTHON = OSError, RuntimeError, MemoryError, ImportError, ValueError, ArithmeticError, EOFError
_OURS = ("builtins", "click", "georoads")
_WAYS_OUT = {
    errno.ENOSPC: "free some space",
    errno.EDQUOT: "free some space",
    errno.EACCES: "change its permissions, or choose another place",
    errno.EPERM: "change its permissions, or choose another place",
    errno.EROFS: "choose another place",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.ELOOP: "its links lead in a ring: name the file itself",
    errno.EMFILE: "raise the limit of open files: ulimit -n 4096",
    errno.ENOMEM: "close other programs, or give a smaller input",
}
_OUT_OF_MEMORY = (
    "cannot allocate memory", "out of memory", "bad_alloc", "bad allocation", "failed to map segment",
    "can't start new thread",
)  # fmt: skip
_OUT_OF_MEMORY_HINT = "close other programs, raise its limit (ulimit -v), or give a smaller input"


def thrown() -> tuple[type[Exception], ...]:
    """The classes of errors that the system and the libraries that are loaded throw.

    Others, such as KeyError, are faults of this program: Python's excepthook gets them.
    """
    of_libraries = (e for e in Exception.__subclasses__() if not e.__module__.startswith(_OURS))
    return (
        OSError,
        RuntimeError,
        MemoryError,
        ImportError,
        ValueError,
        ArithmeticError,
        EOFError,
        *of_libraries,
    )


def explain(error: BaseException) -> tuple[str, str]:
    """Message and hint of such an error."""
    said = " ".join(str(error).split())
    if isinstance(error, MemoryError) or any(part in said.lower() for part in _OUT_OF_MEMORY):
        return "there is not enough memory for this", _OUT_OF_MEMORY_HINT
    if isinstance(error, OSError) and error.strerror:
        name = f"{error.filename}: " if error.filename is not None else ""
        return f"{name}{error.strerror}", _WAYS_OUT.get(error.errno or 0, DEBUG_HINT)
    kind = type(error)
    who = (
        "this is a fault of georoads"
        if not isinstance(error, thrown())
        else kind.__module__.partition(".")[0]
    )
    who = "a library" if who == "builtins" else who
    return f"{who}: {kind.__name__}: {said[:400]}", DEBUG_HINT


def trace_of(error: BaseException) -> str:
    """The traceback, as ``--debug`` shows it: without what a terminal would obey, and without secrets."""
    lines = "".join(traceback.format_exception(error)).splitlines()
    return "\n".join(printable(without_secrets(line)) for line in lines)
