"""How long to wait for a server, and for how many attempts: the same for every download."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

CONNECT_S, SILENCE_S = 20.0, 60.0
"""How long a connection may take, and how long a server may be silent."""
ATTEMPTS = 6
"""So many failures in a row end a download."""
LONGEST_PAUSE_S = 60.0
"""The pause doubles from a second up to this; a server may ask for more than the pause, but not than this."""
BUSY = (408, 425, 429, 500, 502, 503, 504)
"""Answers after which another attempt may help."""


class PassingError(Exception):
    """The connection broke or the server is busy: another attempt may help.

    Args:
        reason: for the user.
        after_s: seconds that the server asks for before the next attempt.
    """

    def __init__(self, reason: str, after_s: float = 0.0) -> None:
        super().__init__(reason)
        self.reason = reason
        self.after_s = after_s


def asked_pause_s(retry_after: str, now: datetime | None = None) -> float:
    """Seconds that a server asks us to wait: its header Retry-After (RFC 9110, 10.2.3); 0 for none.

    Args:
        retry_after: the header's value, seconds or a date; "" where there is none.
        now: the present time; None: that of the system.

    Example:
        >>> asked_pause_s("7"), asked_pause_s("soon"), asked_pause_s("")
        (7.0, 0.0, 0.0)
    """
    text = retry_after.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9])
    try:
        until = parsedate_to_datetime(text)
    except (ValueError, TypeError):
        return 0.0
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max(0.0, (until - (now or datetime.now(UTC))).total_seconds())


def pause_s(failures: int, asked_s: float, first_s: float = 1.0) -> float:
    """Seconds to wait before the next attempt.

    Args:
        failures: in a row, so far.
        asked_s: what the server asks for.
        first_s: the pause after the first failure, from which it doubles.

    Example:
        >>> [pause_s(n, 0) for n in (1, 2, 3, 9)], pause_s(1, 5)
        ([1.0, 2.0, 4.0, 60.0], 5)
    """
    return min(LONGEST_PAUSE_S, max(asked_s, first_s * 2.0 ** (failures - 1)))
