"""A layer's rows as a GeoDataFrame."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from georoads.output.table import Table

if TYPE_CHECKING:
    from geopandas import GeoDataFrame


def frame_of(table: Table) -> GeoDataFrame:
    """The rows of a layer, as geopandas reads them from a file that holds it."""
    import geopandas
    import pandas as pd

    columns: dict[str, Any] = {
        f.name: column for f, column in zip(table.layer.fields, table.columns, strict=True)
    }
    for name, absent in table.absent.items():
        columns[name] = pd.arrays.IntegerArray(columns[name], absent)
    return geopandas.GeoDataFrame(columns, geometry=table.geometry, crs=table.crs)
