"""A PostgreSQL server: one transaction, and what it refuses, each with its way out; no password is shown."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from georoads.errors import LayerError
from georoads.extras import require_extra
from georoads.output.address import Database

if TYPE_CHECKING:
    from psycopg import Cursor, Error

_CONNECT_S = "10"
"""How long a server may be silent before it counts as gone."""


@contextmanager
def transaction(database: Database) -> Iterator[Cursor[Any]]:
    """A cursor of one transaction: kept when the block ends well, else undone.

    Raises:
        GeoroadsError: psycopg is not installed.
        LayerError: the server cannot be reached, or refuses the user or what is asked.
    """
    require_extra("postgis", f"{database}: writing to PostGIS", ("psycopg",), "or write .gpkg")
    import psycopg
    from psycopg.conninfo import conninfo_to_dict, make_conninfo

    parts = {"connect_timeout": _CONNECT_S, "fallback_application_name": "georoads"}
    try:
        parts |= {key: str(value) for key, value in conninfo_to_dict(database.address).items()}
    except psycopg.Error:  # it quotes what it cannot read, which may be the password
        raise LayerError(
            f"{database}: libpq cannot read the address, or its part behind the ?",
            "write signs as in a URL, % as %25; parameters are those of libpq, as in ?sslmode=require",
        ) from None
    try:
        connection = psycopg.connect(make_conninfo(**parts | {"client_encoding": "UTF8"}))
    except psycopg.OperationalError as e:
        raise _explain_unreached(database, e) from e
    try:
        with connection, connection.cursor() as cursor:
            yield cursor
    except psycopg.Error as e:
        raise _explain_refused(database, e) from e


def _explain_unreached(database: Database, e: Error) -> LayerError:
    """That no connection was made, with the way out for its reason."""
    said = str(e).removeprefix("connection failed: ")
    if e.pgconn is not None and e.pgconn.needs_password:
        return LayerError(
            f"{database} asks for a password: {said}",
            "put it into ~/.pgpass or PGPASSWORD (others see what stands in a command)",
        )
    if e.pgconn is not None and e.pgconn.used_password:
        return LayerError(
            f"{database} refuses the user or the password: {said}",
            "check both; the password is that of the address, of PGPASSWORD or of ~/.pgpass, in this order",
        )
    return LayerError(
        f"{database} cannot be reached: {said}",
        "check host, port, user and the name of the database, and whether the server runs (psql tells)",
    )


def _explain_refused(database: Database, e: Error) -> LayerError:
    """What the server says, with the way out for its kind."""
    from psycopg import OperationalError, errors

    hints = (
        (
            errors.InsufficientPrivilege,
            "the owner can GRANT the right; …?options=-csearch_path%3DSCHEMA writes to a schema of your own",
        ),
        (errors.LockNotAvailable, "close the program that changes the tables, or wait for it"),
        (
            errors.DependentObjectsStillExist,
            "drop the views that use the table, or --append to it, or give another --layer",
        ),
        (errors.DiskFull, "free some space on the server"),
        (OperationalError, "see whether the server runs, then run again (extract goes on with --resume)"),
    )
    hint = next((hint for kind, hint in hints if isinstance(e, kind)), "write .gpkg instead")
    return LayerError(f"{database} cannot be written: {e.diag.message_primary or e}", hint)
