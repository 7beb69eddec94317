"""The one decorator under which loops are compiled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile ``function`` with numba and keep the machine code on disk where that is possible.

    Numba refuses to cache when neither the package's folder nor the user's cache folder can be
    written; the code is then compiled again by every process, which is slow but right.
    """
    try:
        return cast(Function, numba.njit(cache=True, nogil=True)(function))
    except RuntimeError:
        return cast(Function, numba.njit(nogil=True)(function))
