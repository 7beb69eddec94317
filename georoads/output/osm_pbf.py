"""Roads of an extract of OpenStreetMap (.osm.pbf), read by GDAL's driver with a configuration of ours.

What must be kept of the nodes is held in memory up to a limit and beyond it in a temporary file.
"""

from __future__ import annotations

import tempfile
import warnings
from pathlib import Path

import numpy as np
import shapely

from georoads.errors import LayerError
from georoads.output.box import Box
from georoads.output.osm import TAGS, OsmRoads
from georoads.output.osm_blobs import doubt_of
from georoads.output.plain_path import plain_path
from georoads.text import printable

_MEMORY_MB = "64"
"""Nodes beyond this many megabytes go to a temporary file."""
_LINES = f"""[lines]
osm_id=yes
osm_version=no
osm_timestamp=no
osm_uid=no
osm_user=no
osm_changeset=no
attributes={",".join(TAGS)},area
other_tags=no
"""
_SQL = (
    f"SELECT osm_id, {', '.join(TAGS)} FROM lines "
    "WHERE highway IS NOT NULL AND (area IS NULL OR area <> 'yes')"
)


def read_pbf(path: Path, box: Box | None = None) -> OsmRoads:
    """Read the roads of an extract of OpenStreetMap: ways with the tag ``highway`` that are no areas.

    Args:
        path: the file.
        box: roads that lie beyond it are left out.

    Raises:
        LayerError: it is damaged, ends within a blob, or is packed in a way that is not read.
    """
    doubt = doubt_of(path)
    try:
        return _read(path, box, doubt, "YES")
    except _OrderError:  # of ids below 0, as ours are for editors
        return _read(path, box, doubt, "NO")


class _OrderError(Exception):
    """GDAL's own index of nodes wants ids above 0 that grow; without it GDAL takes longer."""


def _read(path: Path, box: Box | None, doubt: str, own_index: str) -> OsmRoads:
    """Read it by GDAL, with its own index of nodes or without."""
    import pyogrio
    from pyogrio import raw
    from pyogrio.errors import DataLayerError, DataSourceError

    with tempfile.TemporaryDirectory(prefix="georoads-") as folder, plain_path(path) as plain:
        config = Path(folder) / "osmconf.ini"
        config.write_text(_LINES, encoding="utf-8")
        wanted = {
            "OSM_CONFIG_FILE": str(config), "OSM_MAX_TMPFILE_SIZE": _MEMORY_MB, "CPL_TMPDIR": folder,
            "OSM_USE_CUSTOM_INDEXING": own_index,
        }  # fmt: skip
        before = {name: pyogrio.get_gdal_config_option(name) for name in wanted}
        pyogrio.set_gdal_config_options(wanted)
        try:
            bounds = None if box is None else box.bounds_in("EPSG:4326")
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", RuntimeWarning)  # of ways without all of their nodes
                meta, _, wkb, values = raw.read(plain, sql=_SQL, sql_dialect="OGRSQL", bbox=bounds)
        except (DataLayerError, DataSourceError) as e:
            if "OSM_USE_CUSTOM_INDEXING" in str(e) and own_index == "YES":
                raise _OrderError from e
            raise LayerError(f"{printable(path)} cannot be read: {e}", "fetch it anew") from e
        finally:
            pyogrio.set_gdal_config_options(before)
    columns = dict(zip(map(str, meta["fields"]), values, strict=True))
    return OsmRoads(np.asarray(shapely.from_wkb(wkb), dtype=np.object_), columns, "", doubt)
