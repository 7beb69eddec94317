"""Levels: the probability as it is kept, one byte a pixel: round(254 p), and 255 where no pixel is valid."""

from __future__ import annotations

NODATA = 255
"""The level of a pixel that is not valid."""
FULL = 254
"""The level of p = 1."""
