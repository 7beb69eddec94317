"""One run at a time at one place: a lock that the kernel gives back when its owner dies."""

from __future__ import annotations

import contextlib
import os
import socket
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from georoads.errors import GeoroadsError
from georoads.text import printable

_ITSELF = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
"""Nothing is opened over a link, and a pipe does not keep us waiting."""
_OWNER = b"process "
"""How a lock begins."""
_LOOK_AT_IT = "look at it, and remove it if nobody needs it; or choose another output"
_FAR_OFFSET = 1 << 30
"""Windows locks bytes against reading too: the byte that is locked lies far behind the owner's name."""


@contextmanager
def only_run(path: Path, what: str) -> Iterator[None]:
    """Hold the lock file ``path`` while the block runs; it is removed afterwards.

    The file holds the owner's process and host. A lock of a process that died is taken over, since the
    kernel lets go of it. A link, or a file that is no lock, is left alone. On file systems that know no locks
    (some network drives) the block runs unlocked.

    Args:
        path: of the lock file; its folder exists.
        what: what the owner works on, for the message.

    Raises:
        GeoroadsError: another process holds the lock, or what lies there is no lock.
    """
    descriptor = _acquire(path, what)
    try:
        yield
    finally:
        if sys.platform != "win32":  # while we hold it, so that nobody locks a file that has no name
            path.unlink(missing_ok=True)
        os.close(descriptor)
        if sys.platform == "win32":
            with contextlib.suppress(OSError):
                path.unlink(missing_ok=True)


def _acquire(path: Path, what: str) -> int:
    while True:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | _ITSELF, 0o644)
        except OSError as e:  # also a link
            raise GeoroadsError(f"{printable(path)} cannot be locked: {e.strerror}", _LOOK_AT_IT) from e
        try:
            _refuse_foreign(path, descriptor)
            if not _try_lock(descriptor):
                owner = os.read(descriptor, 200).decode("utf-8", "replace").strip() or "another process"
                raise GeoroadsError(
                    f"{what} is being worked on by {owner}", f"wait for it, or stop it ({printable(path)})"
                )
            # Its last owner may have removed the name between our opening and our locking.
            if _is_named(path, descriptor):
                os.ftruncate(descriptor, 0)
                os.write(descriptor, _OWNER + f"{os.getpid()} on {socket.gethostname()}\n".encode())
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)


def _refuse_foreign(path: Path, descriptor: int) -> None:
    """Refuse what no run has made as its lock: it would be overwritten."""
    status = os.fstat(descriptor)
    is_lock = stat.S_ISREG(status.st_mode) and status.st_nlink <= 1 and status.st_size < 300
    if is_lock:
        begin = os.read(descriptor, len(_OWNER))
        os.lseek(descriptor, 0, os.SEEK_SET)
        is_lock = _OWNER.startswith(begin)
    if not is_lock:
        raise GeoroadsError(f"{printable(path)} is no lock that a run has made", _LOOK_AT_IT)


def _is_named(path: Path, descriptor: int) -> bool:
    """Whether the path names the open file."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _try_lock(descriptor: int) -> bool:
    """False when another process holds the lock; True when it is ours, or the file system has no locks."""
    try:
        if sys.platform == "win32":
            import msvcrt

            os.lseek(descriptor, _FAR_OFFSET, os.SEEK_SET)
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
            os.lseek(descriptor, 0, os.SEEK_SET)
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        os.lseek(descriptor, 0, os.SEEK_SET)
        return False
    except OSError:
        os.lseek(descriptor, 0, os.SEEK_SET)
        return True
    return True
