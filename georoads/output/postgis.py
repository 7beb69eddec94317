"""Road layers to PostGIS: tables, index, comments and provenance, all in one transaction.

psycopg and COPY, not geopandas.to_postgis: that would need SQLAlchemy and GeoAlchemy2 besides, and takes
types from pandas instead of the dictionary. Every name is quoted, every value is a parameter.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import shapely

from georoads.crs import epsg_of, parse_crs
from georoads.errors import LayerError
from georoads.output.address import Database
from georoads.output.dictionary import VALUES, Layer
from georoads.output.geopackage import GEOMETRY_COLUMN
from georoads.output.provenance import Provenance
from georoads.output.server import transaction
from georoads.output.table import Table

if TYPE_CHECKING:
    from psycopg import Cursor

Existing = Literal["refuse", "replace", "append"]
"""What becomes of tables of the same names."""

PROVENANCE_TABLE = "georoads_provenance"
_TYPES = {"int64": "bigint", "int32": "integer", "float64": "double precision", "text": "text"}
_LOCK = "30s"
"""How long other programs may hold the tables."""


def srid_of(crs: str) -> int:
    """The number by which PostGIS knows a CRS: its EPSG code.

    Raises:
        LayerError: it has none.
    """
    epsg = epsg_of(crs)
    if epsg is None:
        raise LayerError(
            f"the CRS {parse_crs(crs).name!r} has no EPSG code, by which PostGIS would know it",
            "write .gpkg, which takes any CRS; ogr2ogr -t_srs EPSG:… loads that into the database",
        )
    return epsg


def check_database(
    database: Database, layers: Sequence[Layer], provenance: Provenance, existing: Existing, crs: str | None
) -> None:
    """Refuse what ``write_database`` could not write: it is done without rows, and undone.

    Args:
        database: the address.
        layers: roads and nodes, under their names in the database.
        provenance: as for ``write_database``.
        existing: as for ``write_database``.
        crs: of the coordinates; None where it is not known yet.

    Raises:
        LayerError: as ``write_database``.
    """
    none = np.empty(0, dtype=np.object_)
    tables = [Table(layer, none, (none,) * len(layer.fields), crs or "") for layer in layers]
    with transaction(database) as cursor:
        _store_tables(cursor, database, tables, provenance, existing)
        cursor.connection.rollback()


def write_database(
    database: Database, tables: Sequence[Table], provenance: Provenance, existing: Existing
) -> None:
    """Write roads and nodes as two tables of the first schema of the search path: both or none.

    Columns are those of the dictionary and ``geom``; the first is the key, a GiST index lies on the last.
    Appended rows are numbered on after those that are there. Where rows come from stands in the table
    ``georoads_provenance``, one row for each run.

    Args:
        database: the address; what it leaves out libpq takes from PGPASSWORD, ~/.pgpass and the like.
        tables: roads and nodes, under their names in the database.
        provenance: of the rows.
        existing: refuse tables of the same names, replace them, or append rows to them.

    Raises:
        LayerError: psycopg is missing; the server cannot be reached or refuses the user; the database lacks
            PostGIS or the right to write; the CRS has no EPSG code; tables exist, or do not fit; another
            program holds them; the server goes away.
    """
    with transaction(database) as cursor:
        _store_tables(cursor, database, tables, provenance, existing)


def _store_tables(
    cursor: Cursor[Any],
    database: Database,
    tables: Sequence[Table],
    provenance: Provenance,
    existing: Existing,
) -> None:
    """Do what ``write_database`` does, within a transaction that is open."""
    schema, postgis = _find_schemas(cursor, database)
    cursor.execute("SELECT set_config('lock_timeout', %s, true)", (_LOCK,))
    # Two runs that append must not take the same numbers; tables are only locked by who may change rows.
    cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", (f"{schema}.{tables[0].layer.name}",))
    there = _find_tables(cursor, database, schema, tables, existing)
    adds = bool(there) and existing == "append"
    if adds:
        for table in tables:
            _check_fits(cursor, database, schema, table)
        tables = _number_on(cursor, schema, tables)
    else:
        _create_tables(cursor, schema, postgis, tables, there)
    for table in tables:
        _copy_rows(cursor, schema, table)
    _note_provenance(cursor, schema, tables[0], provenance, keeps_others=adds)


def _find_schemas(cursor: Cursor[Any], database: Database) -> tuple[str, str]:
    """The schema that is written to, and that of PostGIS."""
    cursor.execute(
        "SELECT current_schema(), (SELECT n.nspname FROM pg_extension e "
        "JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'postgis')"
    )
    schema, postgis = cursor.fetchone() or (None, None)
    if schema is None:
        raise LayerError(
            f"{database} has no schema to write to: none of its search_path exists, or you may use none",
            "CREATE SCHEMA makes one; …?options=-csearch_path%3DSCHEMA at the address chooses it",
        )
    if postgis is None:
        raise LayerError(
            f"{database} has no PostGIS", "its owner or a superuser adds it: CREATE EXTENSION postgis"
        )
    return schema, postgis


def _find_tables(
    cursor: Cursor[Any], database: Database, schema: str, tables: Sequence[Table], existing: Existing
) -> list[str]:
    """The names of these tables that the schema has already, once it is seen that they may stay or go."""
    names = [table.layer.name for table in tables]
    cursor.execute(
        "SELECT c.relname, c.relkind::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = %s AND c.relname = ANY(%s) ORDER BY c.relname",
        (schema, names),
    )
    found = dict(cursor.fetchall())
    others = [name for name, kind in found.items() if kind not in ("r", "p")]
    if others:
        raise LayerError(
            f"{database}: {others[0]!r} in the schema {schema!r} is no table", "give another --layer"
        )
    if found and existing == "refuse":
        raise LayerError(
            f"{database} has a table {next(iter(found))!r} in the schema {schema!r} already",
            "--overwrite replaces it, --append adds rows to it; or give another --layer",
        )
    if existing == "append" and 0 < len(found) < len(names):
        raise LayerError(
            f"{database} has only one of the tables {' and '.join(map(repr, names))}",
            "give another --layer, or rename it",
        )
    return list(found)


def _create_tables(
    cursor: Cursor[Any], schema: str, postgis: str, tables: Sequence[Table], there: Sequence[str]
) -> None:
    """Make the tables with key, index and comments; drop those of the names ``there`` before."""
    from psycopg import sql

    for gone in there:
        cursor.execute(sql.SQL("DROP TABLE {}").format(sql.Identifier(schema, gone)))
    for table in tables:
        layer, name = table.layer, sql.Identifier(schema, table.layer.name)
        columns = [sql.SQL(f"{{}} {_TYPES[f.type]}").format(sql.Identifier(f.name)) for f in layer.fields]
        columns[0] += sql.SQL(" PRIMARY KEY")
        shape = sql.SQL(f"{{}} {{}}.{_geometry_type(table)} NOT NULL")
        columns.append(shape.format(sql.Identifier(GEOMETRY_COLUMN), sql.Identifier(postgis)))
        cursor.execute(sql.SQL("CREATE TABLE {} ({})").format(name, sql.SQL(", ").join(columns)))
        index = sql.SQL("CREATE INDEX ON {} USING gist ({})")
        cursor.execute(index.format(name, sql.Identifier(GEOMETRY_COLUMN)))
        text = f"{layer.title}; where they come from stands in {PROVENANCE_TABLE}"
        cursor.execute(sql.SQL("COMMENT ON TABLE {} IS {}").format(name, sql.Literal(text)))
        for f in layer.fields:
            text = f"{f.title}: {f.description}"
            if f.constraint in VALUES:
                text += "; " + "; ".join(
                    f"{value}: {meaning}" for value, meaning in VALUES[f.constraint].items()
                )
            at = sql.Identifier(schema, layer.name, f.name)
            cursor.execute(sql.SQL("COMMENT ON COLUMN {} IS {}").format(at, sql.Literal(text)))


def _geometry_type(table: Table) -> str:
    """The type of the geometry column, with the SRID once the CRS is known."""
    srid = f",{srid_of(table.crs)}" if table.crs else ""
    return f"geometry({table.layer.geometry}{srid})"


def _check_fits(cursor: Cursor[Any], database: Database, schema: str, table: Table) -> None:
    """Refuse to append to a table that lacks one of our columns, or has it of another type."""
    cursor.execute(
        "SELECT a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a "
        "JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace "
        "WHERE n.nspname = %s AND c.relname = %s AND a.attnum > 0 AND NOT a.attisdropped",
        (schema, table.layer.name),
    )
    # The type is named with its schema where that is not in the search path.
    found = {name: kind.rpartition(".")[2] for name, kind in cursor.fetchall()}
    if not table.crs:
        found[GEOMETRY_COLUMN] = found.get(GEOMETRY_COLUMN, "").partition(",")[0].rstrip(")") + ")"
    expected = {f.name: _TYPES[f.type] for f in table.layer.fields} | {GEOMETRY_COLUMN: _geometry_type(table)}
    for name, kind in expected.items():
        if found.get(name) != kind:
            is_there = f"is {found[name]}" if name in found else "is missing"
            raise LayerError(
                f"{database}: the column {name!r} of the table {table.layer.name!r} {is_there}, "
                f"{kind} is expected",
                "give another --layer; rows are appended to tables of the same columns and CRS",
            )


def _number_on(cursor: Cursor[Any], schema: str, tables: Sequence[Table]) -> list[Table]:
    """Ids go on after the highest that is there; from_node and to_node follow their nodes."""
    from psycopg import sql

    last = {}
    for table in tables:
        key = table.layer.fields[0].name
        query = sql.SQL("SELECT coalesce(max({}), 0) FROM {}")
        cursor.execute(query.format(sql.Identifier(key), sql.Identifier(schema, table.layer.name)))
        (last[key],) = cursor.fetchone() or (0,)
    last |= {"from_node": last["node_id"], "to_node": last["node_id"]}
    return [
        dataclasses.replace(
            table,
            columns=tuple(
                column + last[f.name] if f.name in last else column
                for f, column in zip(table.layer.fields, table.columns, strict=True)
            ),
        )
        for table in tables
    ]


def _copy_rows(cursor: Cursor[Any], schema: str, table: Table) -> None:
    """Send the rows of a table by COPY."""
    from psycopg import sql

    if not len(table.geometry):
        return
    shapes = shapely.to_wkb(table.geometry, hex=True)  # the column gives them its SRID
    names = [*(f.name for f in table.layer.fields), GEOMETRY_COLUMN]
    into = sql.SQL("COPY {} ({}) FROM STDIN").format(
        sql.Identifier(schema, table.layer.name), sql.SQL(", ").join(map(sql.Identifier, names))
    )
    with cursor.copy(into) as copy:
        for row in zip(*(column.tolist() for column in (*table.columns, shapes)), strict=True):
            copy.write_row(row)


def _note_provenance(
    cursor: Cursor[Any], schema: str, roads: Table, provenance: Provenance, *, keeps_others: bool
) -> None:
    """Add the provenance of these roads; that of a table of the same name that is gone goes, too."""
    from psycopg import sql

    notes = sql.Identifier(schema, PROVENANCE_TABLE)
    cursor.execute("SELECT to_regclass(%s) IS NULL", (notes.as_string(cursor),))
    if cursor.fetchone() == (True,):
        columns = "layer text NOT NULL, first_road bigint, last_road bigint, provenance jsonb NOT NULL"
        cursor.execute(sql.SQL(f"CREATE TABLE {{}} ({columns})").format(notes))
    if not keeps_others:
        cursor.execute(sql.SQL("DELETE FROM {} WHERE layer = %s").format(notes), (roads.layer.name,))
    numbers = roads.columns[0].tolist()
    first, last = (numbers[0], numbers[-1]) if numbers else (None, None)
    cursor.execute(
        sql.SQL("INSERT INTO {} VALUES (%s, %s, %s, %s)").format(notes),
        (roads.layer.name, first, last, provenance.as_json()),
    )
