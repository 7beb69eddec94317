"""Warnings of rasterio that say nothing to us, left out by one thread at a time."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock

_filters = RLock()
"""Python's filters are those of all threads: two that put them back may leave them as neither found them."""


@contextmanager
def without(category: type[Warning]) -> Iterator[None]:
    """In the block, warnings of a category are not shown."""
    with _filters, warnings.catch_warnings():
        warnings.simplefilter("ignore", category)
        yield
