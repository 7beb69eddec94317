"""Road networks as Overture Maps keeps them: segments and connectors of its theme transportation.

After the published schema (https://docs.overturemaps.org/schema/, types segment and connector). A road is a
segment, a node of the network is a connector; each type has a file of its own, as in Overture's releases.
Coordinates are WGS 84 with 7 decimals, and both ends of a segment equal their connectors.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray

from georoads.errors import LayerError
from georoads.files.atomic import replace_when_complete
from georoads.files.work import alone_at
from georoads.output.coordinates import Geometries, run_on
from georoads.output.drivers import gdal_errors
from georoads.output.formats import suffix_of
from georoads.output.places import PER_DEGREE, place_ids
from georoads.output.plain_path import plain_path
from georoads.output.provenance import Provenance
from georoads.output.table import Table
from georoads.text import printable

_VERSION = 1
"""How often a feature was changed, which begins anew with each file."""
_AT_ONCE = 1 << 14
"""Rows that are Python's dicts at a time, some 4 kB each, and a row group of the file."""
_BOX = ("xmin", "ymin", "xmax", "ymax")

Row = dict[str, Any]
"""The id, the geometry and the properties of a feature; None for a property that it does not have."""


@dataclass(frozen=True)
class OvertureRoads:
    """A road network as segments and connectors.

    Attributes:
        segments: (N,) shapely LineStrings, in degrees.
        connectors: (M,) shapely Points, in degrees.
        segment_ids, connector_ids: (N,) and (M,) UUIDs.
        ends: (N, 2) int64, rows of the connectors at the first and the last point of each segment.
        road_id, node_id: (N,) and (M,) int64.
        width_m, confidence: (N,) float64; NaN where it is not known.
    """

    segments: Geometries
    connectors: Geometries
    segment_ids: list[str]
    connector_ids: list[str]
    ends: NDArray[np.int64]
    road_id: NDArray[np.int64]
    node_id: NDArray[np.int64]
    width_m: NDArray[np.float64]
    confidence: NDArray[np.float64]

    @classmethod
    def of(cls, roads: Table, nodes: Table) -> OvertureRoads:
        """The segments and connectors of a network.

        Args:
            roads: the lines, in degrees; their ends lie on their nodes.
            nodes: the nodes, in degrees, by rising id.
        """
        node_id = nodes.column("node_id")
        lines = _rounded(run_on(roads.geometry, roads.crs))
        named = np.column_stack((roads.column("from_node"), roads.column("to_node")))
        ends = np.searchsorted(node_id, named)
        places = shapely.get_coordinates(nodes.geometry)
        for row, end in ((ends[:, 0], 0), (ends[:, 1], -1)) if len(lines) else ():
            # Longitudes of lines may run on beyond the antimeridian, and their nodes go with them.
            places[row] = shapely.get_coordinates(shapely.get_point(lines, end))
        points = _rounded(np.asarray(shapely.points(places), dtype=np.object_))
        return cls(
            lines, points, place_ids("segment", lines), place_ids("connector", points), ends,
            roads.column("road_id"), node_id, roads.column("width_m"), roads.column("confidence"),
        )  # fmt: skip


def _rounded(geometry: Geometries) -> Geometries:
    """Geometries on whole 1e-7 degrees."""
    rounded = shapely.transform(geometry, lambda xy: np.rint(xy * PER_DEGREE) / PER_DEGREE)
    return np.asarray(rounded, dtype=np.object_)


def write_overture(
    path: Path,
    beside: Path,
    roads: OvertureRoads,
    provenance: Provenance,
    *,
    license_name: str = "",
    overwrite: bool,
) -> None:
    """Write segments and connectors; the suffix chooses GeoJSON or GeoParquet.

    The connectors appear once the segments are written and have been read again, and before these do.

    Args:
        path: the file of the segments.
        beside: that of the connectors.
        roads: both.
        provenance: goes into both files; model and date also into ``sources`` of each feature.
        license_name: of the lines, for ``sources``; "" where none is stated.
        overwrite: True when existing files may be replaced.

    Raises:
        LayerError: a file does not hold what was written; another run makes it.
        GeoroadsError: as ``replace_when_complete``.
    """
    about = _source_of(provenance, license_name)
    write = _write_parquet if suffix_of(path).endswith(".parquet") else _write_geojson
    segments, connectors = _segment_rows(roads, about), _connector_rows(roads, about)
    with replace_when_complete(path, overwrite=overwrite) as part:
        write(part, "segment", segments, provenance)
        _verify(part, len(roads.segments))
        verify = partial(_verify, expected=len(roads.connectors))
        with alone_at(beside), replace_when_complete(beside, overwrite=overwrite, verify=verify) as other:
            write(other, "connector", connectors, provenance)


def _source_of(provenance: Provenance, license_name: str) -> Row:
    """What ``sources`` says of all features alike."""
    date = provenance.date.astimezone(UTC)
    return {
        "property": "",
        "dataset": f"georoads {provenance.model}".strip(),
        "license": license_name or None,
        "update_time": date.strftime("%Y-%m-%dT%H:%M:%SZ") if date.timestamp() > 0 else None,
    }


def _segment_rows(roads: OvertureRoads, about: Row) -> Iterator[Row]:
    for row, (first, last) in enumerate(roads.ends.tolist()):
        width_m, confidence = float(roads.width_m[row]), float(roads.confidence[row])
        ends = ((roads.connector_ids[first], 0.0), (roads.connector_ids[last], 1.0))
        of_line: Row = {"record_id": str(roads.road_id[row])}
        of_line |= {"confidence": confidence} if 0 <= confidence <= 1 else {}
        yield _feature("segment", roads.segment_ids[row], roads.segments[row], about | of_line) | {
            "subtype": "road",
            "class": "unknown",
            "connectors": [{"connector_id": connector, "at": at} for connector, at in ends],
            "width_rules": [{"value": width_m}] if width_m > 0 else None,
        }


def _connector_rows(roads: OvertureRoads, about: Row) -> Iterator[Row]:
    for row, (connector_id, point) in enumerate(zip(roads.connector_ids, roads.connectors, strict=True)):
        of_node = {"record_id": str(roads.node_id[row])}
        yield _feature("connector", connector_id, point, about | of_node)


def _feature(kind: str, feature_id: str, geometry: shapely.Geometry, source: Row) -> Row:
    """What both types have."""
    return {
        "id": feature_id,
        "geometry": geometry,
        "theme": "transportation",
        "type": kind,
        "version": _VERSION,
        "sources": [{name: value for name, value in source.items() if value is not None}],
    }


def _write_geojson(path: Path, kind: str, rows: Iterator[Row], provenance: Provenance) -> None:
    about = json.dumps(provenance.as_json(), ensure_ascii=False)
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(f'{{"type":"FeatureCollection","name":"{kind}","description":{about},"features":[\n')
        for number, row in enumerate(rows):
            geometry = row.pop("geometry")
            feature = {
                "type": "Feature",
                "id": row.pop("id"),
                "geometry": {
                    "type": geometry.geom_type,
                    "coordinates": _nested(geometry),
                },
                "properties": {name: value for name, value in row.items() if value is not None},
            }
            text = json.dumps(feature, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
            file.write(f"{',' if number else ''}{text}\n")
        file.write("]}\n")


def _nested(geometry: shapely.Geometry) -> list[Any]:
    """The coordinates of a line or a point as GeoJSON nests them."""
    places: list[Any] = shapely.get_coordinates(geometry).tolist()
    return places[0] if geometry.geom_type == "Point" else places


def _write_parquet(path: Path, kind: str, rows: Iterator[Row], provenance: Provenance) -> None:
    """GeoParquet 1.1 with a column of boxes, whose CRS is OGC:CRS84, as that of Overture's files."""
    import pyarrow
    from pyarrow import parquet

    schema = _schema(kind)
    geo = {
        "version": "1.1.0",
        "primary_column": "geometry",
        "columns": {
            "geometry": {
                "encoding": "WKB",
                "geometry_types": ["Point" if kind == "connector" else "LineString"],
                "covering": {"bbox": {side: ["bbox", side] for side in _BOX}},
            }
        },
    }
    metadata = {"geo": json.dumps(geo), "georoads": provenance.as_json()}
    with parquet.ParquetWriter(path, schema.with_metadata(metadata), compression="zstd") as file:
        while some := list(islice(rows, _AT_ONCE)):
            geometry = np.array([row["geometry"] for row in some], dtype=np.object_)
            boxes = shapely.bounds(geometry).tolist()
            flat = [
                row | {"geometry": wkb, "bbox": dict(zip(_BOX, box, strict=True))}
                for row, wkb, box in zip(some, shapely.to_wkb(geometry), boxes, strict=True)
            ]
            file.write_batch(pyarrow.RecordBatch.from_pylist(flat, schema=file.schema))


def _schema(kind: str) -> Any:
    """The columns of a type, named as Overture's are."""
    import pyarrow as pa

    def many(**of: Any) -> Any:
        return pa.list_(pa.struct(of))

    text, number = pa.string(), pa.float64()
    source: Mapping[str, Any] = {
        "property": text, "dataset": text, "license": text, "record_id": text, "update_time": text,
        "confidence": number,
    }  # fmt: skip
    columns = {
        "id": text, "geometry": pa.binary(), "bbox": pa.struct(dict.fromkeys(_BOX, number)), "theme": text,
        "type": text, "version": pa.int32(), "sources": many(**source),
    }  # fmt: skip
    if kind == "segment":
        columns |= {
            "subtype": text,
            "class": text,
            "connectors": many(connector_id=text, at=number),
            "width_rules": many(value=number),
        }
    return pa.schema(columns)


def _verify(path: Path, expected: int) -> None:
    """Reopen a file: it must hold so many features.

    Raises:
        LayerError: it does not, or it cannot be read.
    """
    if path.suffix.lower() == ".parquet":
        from pyarrow import ArrowException, parquet

        try:
            found = int(parquet.read_metadata(path).num_rows)
        except (ArrowException, OSError) as e:
            raise LayerError(f"{printable(path)} is damaged: {e}", "write to another disk") from e
    else:
        import pyogrio

        with gdal_errors(path), plain_path(path) as plain:
            found = int(pyogrio.read_info(plain, force_feature_count=True)["features"])
    if found != expected:
        raise LayerError(
            f"{printable(path)} holds {found} of {expected} features",
            "the disk may be failing: write to another one",
        )
