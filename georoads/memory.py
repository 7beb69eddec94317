"""The largest amount of memory that this process has used."""

from __future__ import annotations

import sys


def peak_rss_mb() -> float | None:
    """Largest resident size of this process so far, in MB; None where the system does not tell."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return float(peak) / (1e6 if sys.platform == "darwin" else 1e3)
