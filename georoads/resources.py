"""Whether a machine has the memory and the disk that a job needs, seen before the work begins."""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

from georoads.errors import GeoroadsError
from georoads.text import printable

_LESS = "close other programs, or --set predict.batch=1"
"""What to do where memory is short."""


@dataclass(frozen=True)
class Needs:
    """Megabytes that a job takes at most, by estimate, and those that are there; None: not known.

    Attributes:
        memory_mb, free_memory_mb: resident memory.
        disk_mb, free_disk_mb: on the disk of the output, besides the output itself.
    """

    memory_mb: float
    free_memory_mb: float | None
    disk_mb: float
    free_disk_mb: float | None

    def check(self, output: Path) -> None:
        """Refuse a job that cannot end well.

        Raises:
            GeoroadsError: with the numbers.
        """
        for what, needed, there, hint in (
            ("memory", self.memory_mb, self.free_memory_mb, _LESS),
            ("disk", self.disk_mb, self.free_disk_mb, "free some space, or write to another disk"),
        ):
            if there is not None and needed > there:
                raise GeoroadsError(
                    f"{printable(output)}: the work takes about {needed:,.0f} MB of {what}, "
                    f"{there:,.0f} MB are free",
                    hint,
                )


def check_memory(what: str, needed_mb: float) -> None:
    """Refuse work that takes more memory than is free.

    Args:
        what: is done, for the message.
        needed_mb: by estimate, MB.

    Raises:
        GeoroadsError: with the numbers.
    """
    free = free_memory_mb()
    if free is not None and needed_mb > free:
        raise GeoroadsError(
            f"{what} takes about {needed_mb:,.0f} MB of memory, {free:,.0f} MB are free", _LESS
        )


def check_address_space(what: str, needed_mb: float) -> None:
    """Refuse work that takes more address space than a limit (``ulimit -v``) leaves: libraries would crash.

    Args:
        what: is done, for the message.
        needed_mb: resident memory by estimate, MB; a quarter more is mapped.

    Raises:
        GeoroadsError: with the numbers.
    """
    left, needed_mb = _address_space_mb(), 1.25 * needed_mb
    if left is not None and needed_mb > left:
        raise GeoroadsError(
            f"{what} takes about {needed_mb:,.0f} MB of address space, {max(0, left):,.0f} MB are left",
            "raise the limit (ulimit -v), or --set predict.batch=1",
        )


def needs_beside(output: Path, memory_mb: float, disk_mb: float) -> Needs:
    """The needs of a job whose work lies beside its output, next to what is there.

    Args:
        output: its folder exists.
        memory_mb: resident memory by estimate, MB.
        disk_mb: of the work by estimate, MB.
    """
    return Needs(
        memory_mb=memory_mb,
        free_memory_mb=free_memory_mb(),
        disk_mb=disk_mb,
        free_disk_mb=shutil.disk_usage(output.resolve().parent).free / 1e6,
    )


def free_memory_mb() -> float | None:
    """Memory that this process can still get, MB: of the machine, or of its container if that has less.

    None where the system does not tell.
    """
    free = [f for f in (_machine_mb(), _container_mb()) if f is not None]
    return min(free, default=None)


def _machine_mb() -> float | None:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) / 1e3
    except OSError:
        pass
    if sys.platform == "win32" or "SC_AVPHYS_PAGES" not in os.sysconf_names:
        return None
    return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e6


def _address_space_mb() -> float | None:
    """What a limit of this process leaves; None where there is none, or the system does not tell."""
    if sys.platform != "linux":
        return None
    import resource

    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit == resource.RLIM_INFINITY:
        return None
    used_pages = int(Path("/proc/self/statm").read_text().split()[0])
    return (limit - used_pages * os.sysconf("SC_PAGE_SIZE")) / 1e6


def _container_mb() -> float | None:
    """What is left of the limit of a control group (version 2, else 1)."""
    for folder, limit, used in (
        ("/sys/fs/cgroup", "memory.max", "memory.current"),
        ("/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes"),
    ):
        try:
            most, now = ((Path(folder) / name).read_text().strip() for name in (limit, used))
        except OSError:
            continue
        return (int(most) - int(now)) / 1e6 if most.isdigit() and int(most) < 2**60 else None
    return None
