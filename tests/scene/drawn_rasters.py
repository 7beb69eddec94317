"""GeoTIFFs that tests draw."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from affine import Affine


def north_up(step_m: float, west: float = 500_000, north: float = 1_500_000) -> Affine:
    """The transform of square pixels whose upper left corner lies at a place."""
    return Affine(step_m, 0, west, 0, -step_m, north)


HALF_METRE = north_up(0.5)


def write_raster(
    path: Path,
    values: np.ndarray[Any, Any],
    transform: Affine = HALF_METRE,
    crs: str | None = "EPSG:32647",
    **profile: Any,
) -> Path:
    """Write values (bands, H, W) as a GeoTIFF."""
    count, height, width = values.shape
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        with rasterio.open(
            path, "w", driver="GTiff", width=width, height=height, count=count, dtype=values.dtype, crs=crs,
            transform=transform, **profile,
        ) as out:  # fmt: skip
            out.write(values)
    return path
