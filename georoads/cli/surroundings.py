"""What a process must be given to work at all, looked at before anything else."""

from __future__ import annotations

import os
from collections.abc import Iterable

from georoads.errors import GeoroadsError
from georoads.text import is_utf8

LEAST_ADDRESS_MB = 1000
"""Below this, libraries crash or hang while they are loaded (measured: at 500 and 800 MB)."""


def check_surroundings(arguments: Iterable[str]) -> None:
    """Refuse to work where libraries would end or hang the process, or could not open what is named.

    Args:
        arguments: of the command line.

    Raises:
        GeoroadsError: the current folder was removed, the address space is too small, or an argument is not
            UTF-8.
    """
    try:
        os.getcwd()  # noqa: PTH109  # Path.cwd() says the same
    except OSError as e:
        raise GeoroadsError("the current folder does not exist any more", "change to another one") from e
    limit_mb = _address_limit_mb()
    if limit_mb is not None and limit_mb < LEAST_ADDRESS_MB:
        raise GeoroadsError(
            f"the address space is limited to {limit_mb:,.0f} MB, too little for the libraries",
            "ulimit -v unlimited, where that is allowed; memory itself is better limited by a container",
        )
    for argument in arguments:
        if not is_utf8(argument):
            raise GeoroadsError(
                f"{argument} is not a name in UTF-8", "rename the file: GDAL could not open it"
            )


def _address_limit_mb() -> float | None:
    try:
        import resource
    except ImportError:  # Windows
        return None
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    return None if limit == resource.RLIM_INFINITY else limit / 1e6
