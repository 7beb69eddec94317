"""Road networks to files (GeoPackage, GeoJSON, FlatGeobuf, GeoParquet, OSM XML, Overture) and to PostGIS."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from georoads.crs import find_way, parse_crs
from georoads.errors import LayerError
from georoads.files.atomic import check_output, replace_when_complete
from georoads.network.types import RoadNetwork
from georoads.output.address import Database, Output, output_of
from georoads.output.area import Area
from georoads.output.clip import clip_network
from georoads.output.dictionary import LAYERS, NODES, ROADS, VALUES
from georoads.output.drivers import (
    gdal_errors,
    verify_crs,
    write_with_gdal,
)
from georoads.output.format_params import FormatParams
from georoads.output.formats import IN_DEGREES, check_parquet, driver_of_roads, suffix_of
from georoads.output.geopackage import (
    StyledLayer,
    check_layer_name,
    check_not_open,
    check_takes_layers,
    finish_geopackage,
    tables_of,
    verify_geopackage,
)
from georoads.output.one_layer import check_held, write_one_layer
from georoads.output.osm_write import verify_osm, write_osm
from georoads.output.overture import OvertureRoads, write_overture
from georoads.output.postgis import Existing, check_database, write_database
from georoads.output.provenance import Provenance
from georoads.output.style import (
    CHECK_STYLE,
    WIDE_STYLE,
    check_nodes_qml,
    check_roads_qml,
    nodes_qml,
    roads_qml,
    wide_roads_qml,
)
from georoads.output.table import Table, node_table, road_table
from georoads.text import printable

_WGS84 = "EPSG:4326"
_OVERTURE = ("Overture GeoJSON", "Overture Parquet")


@dataclass(frozen=True)
class WriteOptions:
    """How a network is written.

    Attributes:
        provenance: goes into the file; its date is the file's date. ``extract`` and ``vectorize`` fill it in,
            and ``sources``.
        crs: of the written coordinates; None for the network's own (``extract``: the scene's).
        layer: name of the roads in a GeoPackage or database, whose nodes are then ``NAME_nodes``; None for
            ``roads`` and ``nodes``.
        holds: what a format with one layer holds.
        sources: file names of the scenes, for the field ``source``.
        overwrite: True when an existing file may be replaced, or tables of a database.
        append: True when the layers are added to an existing GeoPackage, or rows to the tables of a
            database; what is there stays as it is.
        area: where roads are wanted; None for all of the scene.
        formats: what the formats leave open.
    """

    provenance: Provenance = field(default_factory=Provenance)
    crs: str | None = None
    layer: str | None = None
    holds: Literal["roads", "nodes"] = "roads"
    sources: tuple[str, ...] = ()
    overwrite: bool = False
    append: bool = False
    area: Area | None = None
    formats: FormatParams = field(default_factory=FormatParams)

    def __post_init__(self) -> None:
        if self.holds not in ("roads", "nodes"):
            raise ValueError(f"holds must be roads or nodes, not {self.holds!r}")

    @property
    def layer_names(self) -> tuple[str, str]:
        """Names of the layers of roads and of nodes in a GeoPackage or database."""
        if self.layer is None or self.layer == ROADS.name:
            return ROADS.name, NODES.name
        return self.layer, f"{self.layer}_{NODES.name}"

    @property
    def existing(self) -> Existing:
        """What becomes of tables of the same names in a database."""
        return "replace" if self.overwrite else "append" if self.append else "refuse"


def check_road_output(path: str | Output, options: WriteOptions, *, inputs: tuple[Path, ...] = ()) -> None:
    """Refuse an output that ``write_roads`` could not write, before the work is done.

    Args:
        path: the file, or the address of a database.
        options: as for ``write_roads``; of a database, what is not known yet may be left out.
        inputs: files that the work reads; the output must not be one of them.

    Raises:
        LayerError: unknown suffix; CRS or layer that is none or does not fit the format; missing library;
            file in use; it cannot be appended to; as ``write_database``.
        GeoroadsError: as ``files.atomic.check_output``.
    """
    target = output_of(path)
    driver = _check_options(target, options)
    if isinstance(target, Database):
        layers = [dataclasses.replace(la, name=n) for la, n in zip(LAYERS, options.layer_names, strict=True)]
        check_database(target, layers, options.provenance, options.existing, options.crs)
        return
    # A GeoPackage that exists has one more way out, which _check_existing tells.
    check_output(target, overwrite=options.overwrite or driver == "GPKG", inputs=inputs)
    for path in files_beside(target, options):
        check_output(path, overwrite=options.overwrite, inputs=inputs, outputs=(target,))
    _check_existing(target, driver, options)


def files_beside(target: Output, options: WriteOptions) -> tuple[Path, ...]:
    """The file of the nodes (of Overture's connectors) beside that of the roads, where there is one.

    Raises:
        LayerError: roads are not written to files with this suffix.
    """
    driver = "" if isinstance(target, Database) else driver_of_roads(target)
    if isinstance(target, Database) or driver in ("GPKG", "OSM"):
        return ()
    asked = options.formats.nodes and options.holds == "roads"
    what = "connectors" if driver in _OVERTURE else NODES.name if asked else ""
    suffix = target.name[-len(suffix_of(target)) :]
    return (target.with_name(f"{target.name.removesuffix(suffix)}_{what}{suffix}"),) if what else ()


def check_crs_of_grid(path: str | Output, options: WriteOptions, crs: str) -> None:
    """Refuse an output that cannot hold roads of this CRS, once it is known and before the work is done.

    Args:
        path: the file or database.
        options: how it is written; its own CRS has been checked.
        crs: of the grid of the roads.

    Raises:
        LayerError: the format cannot hold it; as ``check_road_output`` for a database.
        CrsError: no way leads from it to that of the output.
    """
    target = output_of(path)
    if isinstance(target, Database):
        check_road_output(target, dataclasses.replace(options, crs=options.crs or crs))
    elif options.crs is None:
        check_held(crs, driver_of_roads(target))
    else:
        find_way(crs, options.crs)


def _check_options(target: Output, options: WriteOptions) -> str:
    """The driver that writes the target, once it is seen that the options fit it."""
    driver = "PostGIS" if isinstance(target, Database) else driver_of_roads(target)
    if options.crs is not None:
        _check_crs(options.crs, driver)
    if options.append and options.overwrite:
        raise LayerError("--append keeps what is there, --overwrite replaces it", "give one of them")
    if isinstance(target, Path) and driver != "GPKG":
        _check_one_layer(target, driver, options)
    elif options.layer is not None:
        check_layer_name(options.layer)
    if isinstance(target, Path) and driver in ("Parquet", "Overture Parquet"):
        check_parquet(target)
    return driver


def _check_existing(target: Path, driver: str, options: WriteOptions) -> None:
    """Refuse a GeoPackage that is there and may not be replaced, or takes no layers more."""
    if driver != "GPKG" or not target.is_file():
        return
    if not (options.overwrite or options.append):
        raise LayerError(
            f"{printable(target)} exists",
            "--overwrite replaces it; --append with a new --layer adds to it; or choose another name",
        )
    check_not_open(target)
    if options.append:
        check_takes_layers(target, options.layer_names)


def layer_crs(output: str | Output | None, options: WriteOptions, network: RoadNetwork) -> str:
    """The CRS of the coordinates that ``write_roads`` writes.

    Args:
        output: path or address; None: no layer is written, and only the options count.
        options: whose ``crs`` is taken unless the format has a CRS of its own, as GeoJSON and .osm have.
        network: whose grid's CRS is taken where the options name none.
    """
    target = None if output is None else output_of(output)
    if isinstance(target, Path) and driver_of_roads(target) in IN_DEGREES:
        return _WGS84
    return options.crs or network.grid.crs


def clipped(network: RoadNetwork, options: WriteOptions) -> RoadNetwork:
    """The part of a network inside the area of the options; all of it where there is none.

    Raises:
        LayerError: the area misses the grid of the network.
    """
    return network if options.area is None else clip_network(network, options.area.on(network.grid))


def write_roads(network: RoadNetwork, path: str | Output, options: WriteOptions) -> RoadNetwork:
    """Write a road network; the suffix chooses the format. It appears whole or not at all.

    ``.gpkg`` holds the layers ``roads`` and ``nodes`` (see ``WriteOptions.layer``) with style, data
    dictionary and provenance; ``.geojson`` and ``.json`` (RFC 7946: WGS 84, 7 decimals), ``.fgb``,
    ``.parquet`` and ``.geoparquet`` (GeoParquet 1.1) hold ``options.holds``, and the nodes are in a second
    file where that is asked for (see ``files_beside``); ``.osm`` holds nodes and ways (see ``osm_write``);
    ``.overture.geojson`` and ``.overture.parquet`` are two files (see ``overture``); the address of a
    database takes two tables (see ``postgis``). Rows, their order and values are the same in all of them, but
    that FlatGeobuf sorts its rows by its spatial index, and .osm keeps widths only, those for Overture widths
    and confidence. The same network and options give the same bytes with the same libraries.

    Args:
        network: the roads, in pixel coordinates of their grid.
        path: the file, or the address of a database.
        options: CRS, layer, area, sources, provenance.

    Returns:
        The network as written: of ``network`` the part inside the area.

    Raises:
        LayerError: the format, CRS or layer cannot be written; the file is in use; the area misses the grid
            of the network; as ``write_database``.
        GeoroadsError: the output exists or its folder cannot be written to; the disk is full.
    """
    target = output_of(path)
    driver = _check_options(target, options)
    if isinstance(target, Path):
        _check_existing(target, driver, options)
        check_crs_of_grid(target, options, network.grid.crs)
    provenance, crs = options.provenance, layer_crs(target, options, network)
    if options.area is not None:
        provenance = dataclasses.replace(provenance, area=options.area.name)
    network = clipped(network, options)
    roads, nodes = road_table(network, crs, options.sources), node_table(network, crs)
    tables = roads, nodes
    if isinstance(target, Database):
        write_database(target, _renamed(tables, options.layer_names), provenance, options.existing)
        return network
    if driver == "GPKG":
        _write_geopackage(target, _renamed(tables, options.layer_names), options, provenance)
    elif driver == "OSM":
        _write_osm(target, roads, nodes, options, provenance)
    elif driver in _OVERTURE:
        _write_overture(target, roads, nodes, options, provenance)
    else:
        table = roads if options.holds == "roads" else nodes
        beside = dict.fromkeys(files_beside(target, options), nodes)
        write_one_layer(target, table, provenance, overwrite=options.overwrite, beside=beside)
    return network


def _write_geopackage(
    target: Path, tables: Sequence[Table], options: WriteOptions, provenance: Provenance
) -> None:
    """Both layers to a new file, or to a copy of the old one, which then takes its place."""
    appends = options.append and target.exists()
    before = tables_of(target) if appends else {}
    state = _state(target) if appends else None
    counts = {name: rows for name, rows in before.items() if name != "layer_styles"}
    counts |= {table.layer.name: len(table.geometry) for table in tables}

    def verify(part: Path) -> None:
        verify_geopackage(part, counts)
        for table in tables:
            verify_crs(part, table)
        check_not_open(target)  # it may have been opened while the work was done
        if state is not None and _state(target) != state:
            raise LayerError(
                f"{printable(target)} was changed meanwhile", "run again when nothing writes to it"
            )

    overwrite = options.overwrite or appends
    with replace_when_complete(target, overwrite=overwrite, verify=verify) as part:
        if appends:
            shutil.copyfile(target, part)
        with gdal_errors(target):
            for number, table in enumerate(tables):
                write_with_gdal(part, "GPKG", table, provenance, append=appends or number > 0)
        styles = (roads_qml(), nodes_qml())
        others = (
            {WIDE_STYLE: wide_roads_qml(), CHECK_STYLE: check_roads_qml()},
            {CHECK_STYLE: check_nodes_qml()},
        )
        styled = [
            StyledLayer(table.layer, qml, VALUES, more)
            for table, qml, more in zip(tables, styles, others, strict=True)
        ]
        finish_geopackage(part, styled, provenance)


def _write_osm(
    target: Path, roads: Table, nodes: Table, options: WriteOptions, provenance: Provenance
) -> None:
    """Roads and nodes to a new file, which is read again before it takes its place."""
    with replace_when_complete(target, overwrite=options.overwrite) as part:
        verify_osm(part, write_osm(part, roads, nodes, options.formats, provenance))


def _write_overture(
    target: Path, roads: Table, nodes: Table, options: WriteOptions, provenance: Provenance
) -> None:
    """Segments and connectors to their files."""
    (beside,) = files_beside(target, options)
    write_overture(
        target, beside, OvertureRoads.of(roads, nodes), provenance,
        license_name=options.formats.overture_license, overwrite=options.overwrite,
    )  # fmt: skip


def _renamed(tables: Sequence[Table], names: Sequence[str]) -> list[Table]:
    return [
        dataclasses.replace(table, layer=dataclasses.replace(table.layer, name=name))
        for table, name in zip(tables, names, strict=True)
    ]


def _state(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


def _check_one_layer(target: Path, driver: str, options: WriteOptions) -> None:
    if options.layer is not None:
        raise LayerError(
            f"{printable(target)}: {driver} has no named layers, so none can be called {options.layer!r}",
            "leave --layer out, or write .gpkg",
        )
    if options.append:
        raise LayerError(
            f"{printable(target)}: layers are added to a GeoPackage only, not to {driver}",
            "write .gpkg; or leave --append out and choose another name",
        )


def _check_crs(crs: str, driver: str) -> None:
    """Refuse a CRS of the user's that is none, or that the format cannot hold."""
    from pyproj.exceptions import CRSError

    try:
        parsed = parse_crs(crs)
    except CRSError as e:
        raise LayerError(f"{crs!r} is no CRS", "give one as in EPSG:32633") from e
    if driver in IN_DEGREES and not parsed.equals(parse_crs(_WGS84), ignore_axis_order=True):
        raise LayerError(f"{driver} is always WGS 84, not {crs}", "leave the CRS out, or write .gpkg or .fgb")
    check_held(crs, driver)
