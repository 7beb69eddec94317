"""Ending a training in good order when a signal asks for it: between two steps, after the state is saved."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class StopRequest:
    """Whether a signal has asked the training to end.

    Attributes:
        reason: what the program's own handler raised for the signal, to be raised when all is saved.
    """

    def __init__(self) -> None:
        self.reason: BaseException | None = None
        self.is_postponed = True

    @contextmanager
    def raised_at_once(self) -> Iterator[None]:
        """In the block a signal raises where it comes: for long work after which nothing has to be saved."""
        self.is_postponed = False
        try:
            if self.reason is not None:
                raise self.reason
            yield
        finally:
            self.is_postponed = True


@contextmanager
def postpone_stops() -> Iterator[StopRequest]:
    """Keep the first SIGINT or SIGTERM until the work in the block comes to a good moment.

    The program's own handlers are asked what the signal means, so that exit codes are theirs, and a second
    signal is theirs alone. Nothing changes for signals without a handler, and outside the main thread.
    """
    stop = StopRequest()
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def note(number: int, frame: FrameType | None) -> None:
        handler = before[signal.Signals(number)]
        assert callable(handler)
        try:
            handler(number, frame)
        except (KeyboardInterrupt, SystemExit) as e:
            if stop.reason is not None or not stop.is_postponed:
                raise
            # Without its traceback, whose frames would keep the chips' workers alive.
            stop.reason = e.with_traceback(None)

    is_main = threading.current_thread() is threading.main_thread()
    noted = [number for number, handler in before.items() if is_main and callable(handler)]
    for number in noted:
        signal.signal(number, note)
    try:
        yield stop
    except RuntimeError as e:  # of a worker that the same signal ended before it could ignore it
        if stop.reason is None:
            raise
        raise stop.reason from e
    finally:
        for number in noted:
            if signal.getsignal(number) is note:  # else the handler has made way for one that ends at once
                signal.signal(number, before[number])


def leave_stops_to_the_parent() -> None:
    """In a worker: a signal to the whole process group is for the process that saves; it ends its workers."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
