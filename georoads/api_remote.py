"""Fetching for Python; a module of its own beside ``api``, which is long enough."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from georoads.output.area import Area
    from georoads.remote.params import RemoteParams
    from georoads.remote.save import Saved


def fetch(
    address: str,
    output: str | Path,
    area: str | Area | None = None,
    *,
    gsd_m: float = 0.5,
    params: RemoteParams | None = None,
    overwrite: bool = False,
    resume: bool | None = None,
) -> Saved:
    """Fetch imagery from a server to a cloud-optimized GeoTIFF, for ``extract`` (docs/remote.md).

    Args:
        address: of tiles (``https://HOST/{z}/{x}/{y}.png``), of a WMS or WMTS (with ``layers=``), of a
            GeoTIFF, or of a STAC item. ``${NAME}`` in it is a value of the environment.
        output: the GeoTIFF.
        area: what of it: west,south,east,north in degrees, a file of polygons, or what ``read_area`` read.
        gsd_m: metres per pixel to come near: those of the model.
        params: level, limits and choices.
        overwrite: True when an existing file may be replaced.
        resume: True goes on with the work that a stopped run has left, False throws it away.

    Raises:
        GeoroadsError: address, area or output are not usable; the server refuses, or is given up.
    """
    from georoads.output.area import read_area
    from georoads.remote.fetch import FetchRequest
    from georoads.remote.params import RemoteParams
    from georoads.remote.save import save_scene

    request = FetchRequest(
        addresses=(address,),
        area=read_area(area) if isinstance(area, str) else area,
        model_gsd_m=gsd_m,
        params=params or RemoteParams(),
        keys=os.environ,
    )
    return save_scene(request, Path(output), overwrite=overwrite, resume=resume)
