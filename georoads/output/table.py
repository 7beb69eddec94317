"""A road network as the rows of its two layers, the same for every format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from georoads.crs import find_way, parse_crs, same_places
from georoads.errors import LayerError
from georoads.grid import Points
from georoads.network.types import Carriageway, NodeKind, RoadNetwork
from georoads.output.dictionary import NODES, ROADS, Layer
from georoads.ragged import owners

_NUMPY = {"int64": np.int64, "int32": np.int32, "float64": np.float64, "text": np.object_}


@dataclass(frozen=True)
class Table:
    """A layer ready to be written.

    Attributes:
        layer: its name, geometry type and fields.
        geometry: (N,) shapely geometries.
        columns: one array (N,) per field of the layer, in its order and of its type.
        crs: of the coordinates, x then y.
        absent: (N,) bool, where whole numbers have no value, by name of the field. Floats are NaN where they
            have none, texts None.
    """

    layer: Layer
    geometry: NDArray[np.object_]
    columns: tuple[NDArray[Any], ...]
    crs: str
    absent: Mapping[str, NDArray[np.bool_]] = dataclass_field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.columns) != len(self.layer.fields):
            raise ValueError(f"{self.layer.name}: {len(self.columns)} columns for its fields")
        if any(len(column) != len(self.geometry) for column in self.columns):
            raise ValueError(f"{self.layer.name}: columns and geometries differ in length")

    def column(self, name: str) -> NDArray[Any]:
        """(N,) the values of a field."""
        return self.columns[[field.name for field in self.layer.fields].index(name)]


def road_table(network: RoadNetwork, crs: str, sources: tuple[str, ...]) -> Table:
    """The lines, numbered in reading order of their first point (in the grid: by row, then by column).

    Args:
        network: the roads.
        crs: of the coordinates in the table.
        sources: file names of the scenes, for the field ``source``.

    Raises:
        LayerError: they cannot be transformed to ``crs``.
    """
    first = network.points[network.offsets[:-1]]
    order = np.lexsort((first[:, 0], first[:, 1]))
    n = network.n_edges
    values: dict[str, Any] = {
        "road_id": np.arange(1, n + 1),
        "from_node": network.edge_nodes[order, 0],
        "to_node": network.edge_nodes[order, 1],
        "carriageway": _labels(Carriageway)[network.carriageway[order]],
        "source": np.full(n, "; ".join(sources), dtype=np.object_),
    }
    for field in ROADS.fields:
        if field.type == "float64":
            values[field.name] = np.round(getattr(network, field.name)[order], field.decimals)
    points = _project_points(network, network.points, crs)
    lines = shapely.linestrings(points, indices=owners(network.offsets)) if n else ()
    lines = np.asarray(lines, dtype=np.object_)
    return _make_table(ROADS, lines[order], values, crs)


def node_table(network: RoadNetwork, crs: str) -> Table:
    """The nodes, in the order of their ids.

    Raises:
        LayerError: they cannot be transformed to ``crs``.
    """
    values = {
        "node_id": network.node_id,
        "degree": network.degree() if network.n_nodes else np.empty(0),
        "kind": _labels(NodeKind)[network.node_kind],
    }
    points = np.asarray(shapely.points(_project_points(network, network.node_xy, crs)), dtype=np.object_)
    return _make_table(NODES, points, values, crs)


def _labels(values: type[NodeKind | Carriageway]) -> NDArray[np.object_]:
    """The texts of all values, by number."""
    return np.array([value.label for value in values], dtype=np.object_)


def _make_table(layer: Layer, geometry: NDArray[np.object_], values: dict[str, Any], crs: str) -> Table:
    """A table of values by field, brought into the order and the types of the layer's fields."""
    columns = tuple(np.asarray(values[f.name]).astype(_NUMPY[f.type]) for f in layer.fields)
    return Table(layer, geometry, columns, crs)


def _project_points(network: RoadNetwork, points_px: Points, crs: str) -> Points:
    """Pixel coordinates to coordinates of ``crs``, both (N, 2)."""
    xy = network.grid.to_crs(points_px)
    if not same_places(parse_crs(network.grid.crs), parse_crs(crs)):
        xy = np.column_stack(find_way(network.grid.crs, crs).transform(xy[:, 0], xy[:, 1]))
    if not np.isfinite(xy).all():
        name = parse_crs(crs).name
        raise LayerError(f"roads cannot be transformed to {name}", "choose a CRS that covers them")
    return xy
