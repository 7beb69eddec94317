"""How long until the command line answers, beside what importing torch alone takes; medians of five."""

from __future__ import annotations

import statistics
import subprocess
import sys
import time


def seconds(*arguments: str) -> float:
    """Median wall time of a fresh Python process, after one that warms the disk cache."""
    times = []
    for _ in range(6):
        started = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
        times.append(time.perf_counter() - started)
    return statistics.median(times[1:])


if __name__ == "__main__":
    ours = seconds("-m", "georoads", "--help")
    torch = seconds("-c", "import torch")
    print(f"georoads --help {ours:.2f} s, import torch {torch:.2f} s, ratio {ours / torch:.2f}")
