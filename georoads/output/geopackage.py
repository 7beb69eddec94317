"""What a GeoPackage holds beside its layers: style, data dictionary, provenance.

Written by plain SQL after GDAL has closed the file; every value is a bound parameter. Tables and columns are
those of the standard (OGC 12-128r17, GeoPackage 1.3: F.8 metadata, F.9 schema) and of QGIS (layer_styles).
"""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from georoads.errors import LayerError
from georoads.output.dictionary import CONFIDENCE_CONSTRAINT, Layer
from georoads.output.provenance import Provenance
from georoads.text import printable

GEOMETRY_COLUMN = "geom"

DAMAGED = sqlite3.Error, UnicodeDecodeError
"""What reading a damaged file raises: SQLite's own words about it may be no text."""

_TABLES = """
CREATE TABLE IF NOT EXISTS gpkg_data_columns (
  table_name TEXT NOT NULL, column_name TEXT NOT NULL, name TEXT, title TEXT, description TEXT,
  mime_type TEXT, constraint_name TEXT,
  CONSTRAINT pk_gdc PRIMARY KEY (table_name, column_name),
  CONSTRAINT gdc_tn UNIQUE (table_name, name));
CREATE TABLE IF NOT EXISTS gpkg_data_column_constraints (
  constraint_name TEXT NOT NULL, constraint_type TEXT NOT NULL, value TEXT,
  min NUMERIC, min_is_inclusive BOOLEAN, max NUMERIC, max_is_inclusive BOOLEAN, description TEXT,
  CONSTRAINT gdcc_ntv UNIQUE (constraint_name, constraint_type, value));
CREATE TABLE IF NOT EXISTS gpkg_metadata (
  id INTEGER CONSTRAINT m_pk PRIMARY KEY ASC NOT NULL, md_scope TEXT NOT NULL DEFAULT 'dataset',
  md_standard_uri TEXT NOT NULL, mime_type TEXT NOT NULL DEFAULT 'text/xml',
  metadata TEXT NOT NULL DEFAULT '');
CREATE TABLE IF NOT EXISTS gpkg_metadata_reference (
  reference_scope TEXT NOT NULL, table_name TEXT, column_name TEXT, row_id_value INTEGER,
  timestamp DATETIME NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
  md_file_id INTEGER NOT NULL, md_parent_id INTEGER,
  CONSTRAINT crmr_mfi_fk FOREIGN KEY (md_file_id) REFERENCES gpkg_metadata(id),
  CONSTRAINT crmr_mpi_fk FOREIGN KEY (md_parent_id) REFERENCES gpkg_metadata(id));
CREATE TABLE IF NOT EXISTS layer_styles (
  id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, f_table_catalog TEXT(256), f_table_schema TEXT(256),
  f_table_name TEXT(256), f_geometry_column TEXT(256), styleName TEXT(30), styleQML TEXT, styleSLD TEXT,
  useAsDefault BOOLEAN, description TEXT, owner TEXT(30), ui TEXT(30),
  update_time DATETIME DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')));
CREATE TABLE IF NOT EXISTS gpkg_extensions (
  table_name TEXT, column_name TEXT, extension_name TEXT NOT NULL, definition TEXT NOT NULL,
  scope TEXT NOT NULL, CONSTRAINT ge_tce UNIQUE (table_name, column_name, extension_name));
"""

_VIEWS = (
    "SELECT name FROM sqlite_master WHERE type = 'view' AND (name = ? COLLATE NOCASE "
    "OR name LIKE 'gpkg!_%' ESCAPE '!' OR name LIKE 'rtree!_%' ESCAPE '!')"
)
_SPEC = "http://www.geopackage.org/spec130/#extension_"
_EXTENSIONS = (
    ("gpkg_data_columns", "gpkg_schema", f"{_SPEC}schema"),
    ("gpkg_data_column_constraints", "gpkg_schema", f"{_SPEC}schema"),
    ("gpkg_metadata", "gpkg_metadata", f"{_SPEC}metadata"),
    ("gpkg_metadata_reference", "gpkg_metadata", f"{_SPEC}metadata"),
)
_RESERVED = {"layer_styles", "qgis_projects", "spatial_ref_sys", "geometry_columns"}
_RESERVED_BEGINNINGS = ("gpkg", "rtree", "sqlite", "ogr")
_STATED = ("model", "model_sha256", "model_terms", "model_use", "scene", "area", "imagery")
_PROVENANCE_URI = "urn:georoads:provenance:1"


@dataclass(frozen=True)
class StyledLayer:
    """What a GeoPackage says of one of its layers.

    Attributes:
        layer: its name and fields.
        qml: its default style in QGIS.
        values: the values that a field may have and what each means, by name of the field's constraint.
        others: its other styles, by the word that ends their name.
    """

    layer: Layer
    qml: str
    values: Mapping[str, Mapping[str, str]]
    others: Mapping[str, str] = field(default_factory=dict)


def finish_geopackage(path: Path, layers: Sequence[StyledLayer], provenance: Provenance) -> None:
    """Add styles, data dictionary and provenance to a GeoPackage that GDAL has written layers to.

    What the file says of other layers stays as it is.

    Args:
        path: the file.
        layers: those that were written, with what is said of them.
        provenance: where they come from.

    Raises:
        LayerError: SQLite cannot write the file.
    """
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute("BEGIN")
            for statement in _TABLES.split(";"):
                db.execute(statement)
            _add_extensions(db)
            _add_dictionary(db, layers)
            _add_provenance(db, layers, provenance)
            _add_styles(db, layers, provenance.timestamp)
            db.execute("COMMIT")
    except sqlite3.Error as e:
        raise LayerError(
            f"{printable(path)} cannot be written: {e}", "free some space, or write to another disk"
        ) from e


def check_layer_name(name: str) -> None:
    """Refuse a name of a layer that SQL or other programs would stumble over.

    Raises:
        LayerError: it is no plain word of letters, digits and _, or is reserved.
    """
    hint = "use up to 50 letters (a to z), digits and _, beginning with a letter, as in --layer roads_2020"
    if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]{0,49}", name):
        raise LayerError(f"{name!r} cannot be the name of a layer", hint)
    if name.casefold() in _RESERVED or name.casefold().startswith(_RESERVED_BEGINNINGS):
        raise LayerError(f"{name!r} is reserved by GeoPackage or QGIS", hint)
    try:
        with closing(sqlite3.connect(":memory:")) as db:
            db.execute(f"CREATE TABLE {name} (a)")  # SQLite knows its own words best
    except sqlite3.Error as e:
        raise LayerError(f"{name!r} is a word of SQL", hint) from e


def check_takes_layers(path: Path, names: Sequence[str]) -> None:
    """Refuse to add layers to a file that is no GeoPackage or has one of these names.

    Raises:
        LayerError: the file is no sound GeoPackage, or a name is taken.
    """
    with path.open("rb") as file:
        if file.read(16) != b"SQLite format 3\0":
            raise LayerError(f"{printable(path)} is no GeoPackage", "choose another output")
    check_no_view(path)
    present = tables_of(path)
    try:
        with closing(sqlite3.connect(path)) as db:
            taken = {str(name).casefold() for (name,) in db.execute("SELECT name FROM sqlite_master")}
    except DAMAGED as e:
        raise LayerError(f"{printable(path)} is no sound GeoPackage: {e}", "choose another output") from e
    for name in names:
        if name.casefold() in taken:
            raise LayerError(
                f"{printable(path)} has a layer {name!r} already",
                f"give another --layer; layers: {', '.join(map(printable, present))}",
            )


def verify_geopackage(path: Path, counts: Mapping[str, int]) -> None:
    """Check that SQLite finds no damage in a GeoPackage, and that its layers have these numbers of rows.

    Raises:
        LayerError: it is damaged or incomplete.
    """
    try:
        with closing(sqlite3.connect(path)) as db:
            (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
            found = {name: _count_rows(db, name) for name in counts}
    except DAMAGED as e:
        raise LayerError(
            f"{printable(path)} is damaged: {e}",
            "the disk may be full or failing: free some space, or write to another one",
        ) from e
    if verdict != "ok" or found != counts:
        raise LayerError(
            f"{printable(path)} is damaged: {verdict}, rows {found}",
            "the disk may be failing: write to another one",
        )


def tables_of(path: Path) -> dict[str, int]:
    """The tables that a GeoPackage lists, and the number of rows of each.

    Raises:
        LayerError: the file is no GeoPackage, or is damaged.
    """
    try:
        with closing(sqlite3.connect(path)) as db:
            names = [
                str(name) for (name,) in db.execute("SELECT table_name FROM gpkg_contents ORDER BY rowid")
            ]
            return {name: _count_rows(db, name) for name in names if _is_table(db, name)}
    except DAMAGED as e:
        raise LayerError(f"{printable(path)} is no sound GeoPackage: {e}", "choose another output") from e


def check_no_view(path: Path, layer: str = "") -> None:
    """Refuse a GeoPackage in which a layer, or a table of the format, is a view: reading one may never end.

    Args:
        path: the file.
        layer: the layer that will be read; "" where it is not chosen yet.

    Raises:
        LayerError: it is a view; the file cannot be read.
    """
    failure: Exception | None = None
    # With a write-ahead log in a folder that cannot be written to, a file is read as one that never changes.
    for mode in ("mode=ro", "immutable=1"):
        try:
            with closing(sqlite3.connect(f"{path.resolve().as_uri()}?{mode}", uri=True)) as db:
                found = db.execute(_VIEWS, (layer,)).fetchone()
            break
        except DAMAGED as e:
            failure = failure or e
    else:
        raise LayerError(
            f"{printable(path)} cannot be read: {failure}", "export it anew as .gpkg"
        ) from failure
    if found is not None:
        name = printable(found[0])
        raise LayerError(
            f"{printable(path)}: {name!r} is a view, which may never end",
            f"make a table of it: ogr2ogr -nln roads OUT.gpkg {printable(path.name)} {name}",
        )


def check_not_open(path: Path) -> None:
    """Refuse a GeoPackage that another program (QGIS) has open: replacing it would tear its journal off.

    A journal that a crash left behind is worked into the file first, as SQLite would do on opening it.

    Raises:
        LayerError: the file is in use.
    """
    if not path.is_file():
        return
    try:
        with closing(sqlite3.connect(path, timeout=0, isolation_level=None)) as db:
            if path.with_name(path.name + "-wal").exists():
                db.execute("PRAGMA journal_mode=DELETE")  # needs the file for itself
            db.execute("BEGIN EXCLUSIVE")  # which works a crash's journal in; one that is left is void
            path.with_name(path.name + "-journal").unlink(missing_ok=True)
            db.execute("ROLLBACK")
    except sqlite3.OperationalError as e:
        if "locked" in str(e) or "busy" in str(e):
            raise LayerError(
                f"{printable(path)} is open in another program (QGIS?)",
                "remove the layer there or close the program, or choose another output",
            ) from e
    except sqlite3.DatabaseError:
        return  # no SQLite at all: nobody holds it as one


def _count_rows(db: sqlite3.Connection, table: str) -> int:
    quoted = table.replace('"', '""')
    (rows,) = db.execute(f'SELECT count(*) FROM "{quoted}"').fetchone()
    return int(rows)


def _is_table(db: sqlite3.Connection, name: str) -> bool:
    # A view may call functions that only its program knows.
    found = db.execute(
        "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ? COLLATE NOCASE", (name,)
    )
    return found.fetchone() is not None


def _add_extensions(db: sqlite3.Connection) -> None:
    # The table's own constraint does not help: its NULLs differ from each other.
    db.executemany(
        "INSERT INTO gpkg_extensions SELECT ?1, NULL, ?2, ?3, 'read-write' WHERE NOT EXISTS "
        "(SELECT 1 FROM gpkg_extensions WHERE table_name = ?1 AND extension_name = ?2)",
        _EXTENSIONS,
    )


def _add_dictionary(db: sqlite3.Connection, layers: Sequence[StyledLayer]) -> None:
    # The constraints come first: GDAL looks them up by name.
    db.executemany(
        "INSERT OR IGNORE INTO gpkg_data_column_constraints VALUES (?, 'enum', ?, NULL, NULL, NULL, NULL, ?)",
        [
            (constraint, value, meaning)
            for styled in layers
            for constraint, meanings in styled.values.items()
            for value, meaning in meanings.items()
        ],
    )
    fields = [(styled.layer, field) for styled in layers for field in styled.layer.fields]
    if any(field.constraint == CONFIDENCE_CONSTRAINT for _, field in fields):
        db.execute(
            "INSERT INTO gpkg_data_column_constraints SELECT ?1, 'range', NULL, 0, 1, 1, 1, ?2 "
            "WHERE NOT EXISTS (SELECT 1 FROM gpkg_data_column_constraints WHERE constraint_name = ?1)",
            (CONFIDENCE_CONSTRAINT, "probability, 0 to 1"),
        )
    db.executemany(
        "INSERT OR REPLACE INTO gpkg_data_columns VALUES (?, ?, ?, ?, ?, NULL, ?)",
        [
            (layer.name, field.name, field.title, field.title, field.description, field.constraint or None)
            for layer, field in fields
        ],
    )


def _add_provenance(db: sqlite3.Connection, layers: Sequence[StyledLayer], provenance: Provenance) -> None:
    """The provenance of the whole file where it holds nothing else, else of each layer."""
    (number,) = db.execute("SELECT coalesce(max(id), 0) + 1 FROM gpkg_metadata").fetchone()
    db.execute(
        "INSERT INTO gpkg_metadata VALUES (?, 'dataset', ?, 'application/json', ?)",
        (number, _PROVENANCE_URI, provenance.as_json()),
    )
    names = {styled.layer.name for styled in layers}
    others = {str(name) for (name,) in db.execute("SELECT table_name FROM gpkg_contents")} - names
    scopes: list[tuple[str, str | None]] = [("geopackage", None)]
    if others:
        scopes = [("table", styled.layer.name) for styled in layers]
    db.executemany(
        "INSERT INTO gpkg_metadata_reference VALUES (?, ?, NULL, NULL, ?, ?, NULL)",
        [(scope, table, provenance.timestamp, number) for scope, table in scopes],
    )


def provenance_in(path: Path) -> Provenance | None:
    """What a GeoPackage of ours says of where it comes from; None where it says nothing, or is none."""
    query = "SELECT metadata FROM gpkg_metadata WHERE md_standard_uri = ? ORDER BY id DESC LIMIT 1"
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as db:
            found = db.execute(query, (_PROVENANCE_URI,)).fetchone()
        record = json.loads(found[0]) if found else None
    except (*DAMAGED, ValueError, RecursionError, TypeError):
        return None
    if not isinstance(record, dict):
        return None
    texts = {name: record.get(name) for name in _STATED}
    said: dict[str, Any] = {name: value for name, value in texts.items() if isinstance(value, str)}
    return Provenance(parameters=json.dumps(record.get("parameters", {})), **said)


def style_name(layer: str, word: str = "") -> str:
    """The name of a style in QGIS: that of a layer's default, or of another one that ends in a word."""
    return f"georoads {layer} {word}".rstrip()


def _add_styles(db: sqlite3.Connection, layers: Sequence[StyledLayer], timestamp: str) -> None:
    db.executemany(
        "INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, f_geometry_column, "
        "styleName, styleQML, styleSLD, useAsDefault, description, owner, update_time) "
        "VALUES ('', '', ?, ?, ?, ?, '', ?, ?, '', ?)",
        [
            (s.name, GEOMETRY_COLUMN, style_name(s.name, word), qml, not word, s.title, timestamp)
            for s, styles in ((of.layer, {"": of.qml, **of.others}) for of in layers)
            for word, qml in styles.items()
        ],
    )
    db.execute(
        "INSERT OR IGNORE INTO gpkg_contents (table_name, data_type, identifier, description, last_change) "
        "VALUES ('layer_styles', 'attributes', 'layer_styles', '', ?)",
        (timestamp,),
    )
