"""Stopping by Ctrl-C and SIGTERM: at the first signal in good order, at a second one within a second.

Python runs its handlers between two of its own instructions only: while a library computes, none of them
comes. But at each signal the interpreter writes the signal's number to a socket at once. What reads it is a
thread, which runs wherever the library has let go of Python's lock; and, where processes can be forked, a
process beside this one, which kills it where the library holds that lock. Elsewhere (Windows) such a library
has to return first.
"""

from __future__ import annotations

import os
import select
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from threading import Thread
from typing import NoReturn

SIGNALS = (signal.SIGINT, signal.SIGTERM)
SAME_WISH_S = 0.3
"""timeout and schedulers signal a process, and its group, which it belongs to, right afterwards."""
GRACE_S = 0.4
"""Time for the thread, after a second signal, until the process beside kills."""


@contextmanager
def stoppable() -> Iterator[None]:
    """In the block, the first SIGINT raises KeyboardInterrupt, the first SIGTERM SystemExit.

    A second signal ends the process: with 128 + its number, or, where not even a thread can run, by SIGKILL.
    """
    before = [(number, signal.signal(number, _stop)) for number in SIGNALS]
    reader, writer = socket.socketpair()
    writer.setblocking(False)
    former = signal.set_wakeup_fd(writer.fileno(), warn_on_full_buffer=False)
    _keep_signals_of_children_apart()
    watcher = Thread(target=_end_at_second, args=(reader, writer, _fork_guard(reader)), daemon=True)
    watcher.start()
    ours = os.getpid()
    try:
        yield
    finally:
        if os.getpid() == ours:  # a forked process would shut this one's socket
            signal.set_wakeup_fd(former)
            writer.shutdown(socket.SHUT_RDWR)
            watcher.join()
            reader.close()
            writer.close()
            for number, handler in before:
                signal.signal(number, handler)


def _stop(number: int, frame: object) -> NoReturn:
    """What is finished is noted on the way out."""
    for each in SIGNALS:
        signal.signal(each, _leave_to_watcher)
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    sys.exit(128 + number)


def _leave_to_watcher(number: int, frame: object) -> None:
    """A handler there must be, or nothing is written to the socket."""


def _end_at_second(reader: socket.socket, writer: socket.socket, is_guarded: bool) -> None:
    """In a thread: end this process at the second signal, of which the guard tells where there is one."""
    if is_guarded:
        select.select([writer], [], [])
        told = writer.recv(1)
        number = told[0] if told else 0
    else:
        number = _second_signal(reader)
    if number:
        os._exit(128 + number)


def _second_signal(reader: socket.socket) -> int:
    """Wait for the second signal, and return its number; 0 when the process has ended."""
    first = None
    while told := reader.recv(64):
        for number in told:
            if number not in SIGNALS:  # torch listens to its children's ends, for one
                continue
            now = time.monotonic()
            if first is None:
                first = now
            elif now - first > SAME_WISH_S:
                return number
    return 0


def _fork_guard(reader: socket.socket) -> bool:
    """Start the process beside this one; False where none can be."""
    # A process that has threads, as numpy starts them, must not be forked.
    if not hasattr(os, "fork") or "numpy" in sys.modules:
        return False
    parent = os.getpid()
    try:
        if os.fork():
            reader.close()
            return True
    except OSError:  # no more processes are allowed
        return False
    try:
        _guard(reader, parent)
    finally:
        os._exit(0)


def _guard(reader: socket.socket, parent: int) -> None:
    """In the process beside: tell the parent of the second signal, and kill it when it does not end."""
    for each in SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    # Who waits until our output is closed must not wait for this process.
    os.closerange(0, reader.fileno())
    os.closerange(reader.fileno() + 1, 1024)
    number = _second_signal(reader)
    if number:
        reader.send(bytes([number]))
        reader.settimeout(GRACE_S)
        try:
            while reader.recv(64):
                pass
        except TimeoutError:
            if os.getppid() == parent:
                os.kill(parent, signal.SIGKILL)


@cache
def _keep_signals_of_children_apart() -> None:
    """A forked process has the same socket: what it is sent must not count as sent to this one."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=lambda: signal.set_wakeup_fd(-1))
