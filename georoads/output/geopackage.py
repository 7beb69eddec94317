"""What a GeoPackage holds beside its layers: style, data dictionary, provenance.

Written by plain SQL after GDAL has closed the file; every value is a bound parameter. Tables and columns are
those of the standard (OGC 12-128r17, GeoPackage 1.3: F.8 metadata, F.9 schema) and of QGIS (layer_styles).
"""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from georoads.errors import LayerError
from georoads.jobs.atomic import printable
from georoads.output.dictionary import (
    CONFIDENCE_CONSTRAINT,
    KIND_CONSTRAINT,
    KINDS,
    LAYERS,
)
from georoads.output.provenance import Provenance
from georoads.output.style import nodes_qml, roads_qml

GEOMETRY_COLUMN = "geom"

_TABLES = """
CREATE TABLE gpkg_data_columns (
  table_name TEXT NOT NULL, column_name TEXT NOT NULL, name TEXT, title TEXT, description TEXT,
  mime_type TEXT, constraint_name TEXT,
  CONSTRAINT pk_gdc PRIMARY KEY (table_name, column_name),
  CONSTRAINT gdc_tn UNIQUE (table_name, name));
CREATE TABLE gpkg_data_column_constraints (
  constraint_name TEXT NOT NULL, constraint_type TEXT NOT NULL, value TEXT,
  min NUMERIC, min_is_inclusive BOOLEAN, max NUMERIC, max_is_inclusive BOOLEAN, description TEXT,
  CONSTRAINT gdcc_ntv UNIQUE (constraint_name, constraint_type, value));
CREATE TABLE gpkg_metadata (
  id INTEGER CONSTRAINT m_pk PRIMARY KEY ASC NOT NULL, md_scope TEXT NOT NULL DEFAULT 'dataset',
  md_standard_uri TEXT NOT NULL, mime_type TEXT NOT NULL DEFAULT 'text/xml',
  metadata TEXT NOT NULL DEFAULT '');
CREATE TABLE gpkg_metadata_reference (
  reference_scope TEXT NOT NULL, table_name TEXT, column_name TEXT, row_id_value INTEGER,
  timestamp DATETIME NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')),
  md_file_id INTEGER NOT NULL, md_parent_id INTEGER,
  CONSTRAINT crmr_mfi_fk FOREIGN KEY (md_file_id) REFERENCES gpkg_metadata(id),
  CONSTRAINT crmr_mpi_fk FOREIGN KEY (md_parent_id) REFERENCES gpkg_metadata(id));
CREATE TABLE layer_styles (
  id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL, f_table_catalog TEXT(256), f_table_schema TEXT(256),
  f_table_name TEXT(256), f_geometry_column TEXT(256), styleName TEXT(30), styleQML TEXT, styleSLD TEXT,
  useAsDefault BOOLEAN, description TEXT, owner TEXT(30), ui TEXT(30),
  update_time DATETIME DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now')));
"""

_EXTENSIONS_TABLE = """
CREATE TABLE IF NOT EXISTS gpkg_extensions (
  table_name TEXT, column_name TEXT, extension_name TEXT NOT NULL, definition TEXT NOT NULL,
  scope TEXT NOT NULL, CONSTRAINT ge_tce UNIQUE (table_name, column_name, extension_name))
"""
_SPEC = "http://www.geopackage.org/spec130/#extension_"
_EXTENSIONS = (
    ("gpkg_data_columns", "gpkg_schema", f"{_SPEC}schema"),
    ("gpkg_data_column_constraints", "gpkg_schema", f"{_SPEC}schema"),
    ("gpkg_metadata", "gpkg_metadata", f"{_SPEC}metadata"),
    ("gpkg_metadata_reference", "gpkg_metadata", f"{_SPEC}metadata"),
)
_PROVENANCE_URI = "urn:georoads:provenance:1"


def finish_geopackage(path: Path, provenance: Provenance) -> None:
    """Add style, data dictionary and provenance to a GeoPackage with the layers ``roads`` and ``nodes``.

    Raises:
        LayerError: SQLite cannot write the file.
    """
    try:
        with closing(sqlite3.connect(path, isolation_level=None)) as db:
            db.execute("BEGIN")
            for statement in _TABLES.split(";"):
                db.execute(statement)
            db.execute(_EXTENSIONS_TABLE)
            db.executemany("INSERT INTO gpkg_extensions VALUES (?, NULL, ?, ?, 'read-write')", _EXTENSIONS)
            _add_dictionary(db)
            _add_provenance(db, provenance)
            _add_styles(db, provenance.timestamp)
            db.execute("COMMIT")
    except sqlite3.Error as e:
        raise LayerError(f"{printable(path)} cannot be written: {e}", "is the disk full?") from e


def verify_geopackage(path: Path, counts: Sequence[tuple[str, int]]) -> None:
    """Check that a closed GeoPackage is sound and that its layers have the given numbers of rows.

    Raises:
        LayerError: naming what is wrong.
    """
    try:
        with closing(sqlite3.connect(path)) as db:
            (verdict,) = db.execute("PRAGMA quick_check(1)").fetchone()
            found = [(name, db.execute(_COUNT[name]).fetchone()[0]) for name, _ in counts]
    except sqlite3.Error as e:
        raise LayerError(f"{printable(path)} is damaged: {e}", "is the disk full or failing?") from e
    if verdict != "ok" or found != list(counts):
        raise LayerError(f"{printable(path)} is damaged: {verdict}, rows {found}", "is the disk failing?")


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
            db.execute("BEGIN EXCLUSIVE")
            db.execute("ROLLBACK")
    except sqlite3.OperationalError as e:
        if "locked" in str(e) or "busy" in str(e):
            raise LayerError(
                f"{printable(path)} is open in another program (QGIS?)",
                "remove the layer there or close the program, or choose another output",
            ) from e
    except sqlite3.DatabaseError:
        return  # no SQLite at all: nobody holds it as one


_COUNT = {layer.name: f'SELECT count(*) FROM "{layer.name}"' for layer in LAYERS}


def _add_dictionary(db: sqlite3.Connection) -> None:
    # The constraints come first: GDAL looks them up by name.
    db.executemany(
        "INSERT INTO gpkg_data_column_constraints VALUES (?, 'enum', ?, NULL, NULL, NULL, NULL, ?)",
        [(KIND_CONSTRAINT, kind, meaning) for kind, meaning in KINDS.items()],
    )
    db.execute(
        "INSERT INTO gpkg_data_column_constraints VALUES (?, 'range', NULL, 0, 1, 1, 1, ?)",
        (CONFIDENCE_CONSTRAINT, "probability, 0 to 1"),
    )
    db.executemany(
        "INSERT INTO gpkg_data_columns VALUES (?, ?, ?, ?, ?, NULL, ?)",
        [
            (layer.name, field.name, field.title, field.title, field.description, field.constraint or None)
            for layer in LAYERS
            for field in layer.fields
        ],
    )


def _add_provenance(db: sqlite3.Connection, provenance: Provenance) -> None:
    db.execute(
        "INSERT INTO gpkg_metadata VALUES (1, 'dataset', ?, 'application/json', ?)",
        (_PROVENANCE_URI, provenance.as_json()),
    )
    db.execute(
        "INSERT INTO gpkg_metadata_reference VALUES ('geopackage', NULL, NULL, NULL, ?, 1, NULL)",
        (provenance.timestamp,),
    )


def _add_styles(db: sqlite3.Connection, timestamp: str) -> None:
    for number, (layer, qml) in enumerate(zip(LAYERS, (roads_qml(), nodes_qml()), strict=True), start=1):
        db.execute(
            "INSERT INTO layer_styles VALUES (?, '', '', ?, ?, ?, ?, '', 1, ?, '', NULL, ?)",
            (number, layer.name, GEOMETRY_COLUMN, f"georoads {layer.name}", qml, layer.title, timestamp),
        )
    db.execute(
        "INSERT INTO gpkg_contents (table_name, data_type, identifier, description, last_change) "
        "VALUES ('layer_styles', 'attributes', 'layer_styles', '', ?)",
        (timestamp,),
    )
