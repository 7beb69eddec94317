"""A PostgreSQL server with PostGIS of the tests' own: in a temporary folder, on a socket, stopped at the end.

Its fixtures are ``server``, ``schema`` and ``address``. They skip where psycopg, PostgreSQL
or PostGIS is missing.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

PASSWORD = "s3cr3t/w%rd@x"
"""Of the user ``ann``; its signs must be written as %2F, %25 and %40."""
NUMBER = count(1)


class Server:
    """A running server; ``admin`` may do all without a password, others need one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def address(
        self, database: str = "gis", schema: str = "", user: str = "admin", password: str = ""
    ) -> str:
        """The address of a database; with a schema, that comes first in the search path."""
        secret = f":{quote(password, safe='')}" if password else ""
        path = f"&options=-csearch_path%3D{schema},public" if schema else ""
        return f"postgresql://{user}{secret}@/{database}?host={quote(str(self.folder), safe='')}{path}"

    def ask(self, query: str, database: str = "gis", schema: str = "") -> list[tuple[Any, ...]]:
        """The rows of a query by ``admin``, or nothing where it has none."""
        import psycopg

        with psycopg.connect(self.address(database, schema)) as connection:
            cursor = connection.execute(query)
            return cursor.fetchall() if cursor.description else []


def program(name: str) -> str:
    """Of the newest PostgreSQL; Debian does not put servers into PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda p: int(p.parts[-3]))
    path = shutil.which(name) or (str(found[-1]) if found else "")
    if not path:
        pytest.skip(f"{name} is not installed: Debian's packages are postgresql and postgresql-15-postgis-3")
    return path


@contextmanager
def running() -> Iterator[Server]:
    """Start a server with a database ``gis`` with PostGIS and ``plain`` without; skip where there is none."""
    initdb, postgres = program("initdb"), program("pg_ctl")
    owner = "postgres" if hasattr(os, "geteuid") and os.geteuid() == 0 else None  # refuses to run as root
    # Short: the name of a socket has about a hundred bytes.
    with tempfile.TemporaryDirectory(prefix="pg", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if owner:
            try:
                shutil.chown(folder, owner)
            except LookupError:
                pytest.skip("there is no user postgres to run the server")
        quietly = partial(subprocess.run, user=owner, cwd=folder, check=True, capture_output=True)
        data = str(folder / "data")
        as_admin = ["-U", "admin", "-A", "trust", "-E", "UTF8", "--no-locale", "--no-sync"]
        quietly([initdb, "-D", data, *as_admin])
        (folder / "data" / "pg_hba.conf").write_text("local all admin trust\nlocal all all scram-sha-256\n")
        settings = f"-k {folder} -c listen_addresses= -c fsync=off -c shared_buffers=16MB"
        control = [postgres, "-D", data, "-w"]
        quietly([*control, "-o", settings, "-l", str(folder / "log"), "start"])
        try:
            server = Server(folder)
            prepare(server)
            yield server
        finally:
            quietly([*control, "-m", "immediate", "stop"])


def prepare(server: Server) -> None:
    """Make the user and the databases."""
    import psycopg

    with psycopg.connect(server.address("postgres"), autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_available_extensions WHERE name = 'postgis'").fetchone():
            pytest.skip("PostGIS is not installed: Debian's package is postgresql-15-postgis-3")
        connection.execute("CREATE DATABASE plain")
        connection.execute("CREATE DATABASE gis")
        connection.execute(f"CREATE ROLE ann LOGIN PASSWORD '{PASSWORD}'")
    server.ask("CREATE EXTENSION postgis")


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    pytest.importorskip("psycopg", reason="pip install 'georoads[postgis]'")
    with running() as found:
        yield found


@pytest.fixture
def schema(server: Server) -> str:
    """A schema of the test's own."""
    name = f"test{next(NUMBER)}"
    server.ask(f"CREATE SCHEMA {name}")
    return name


@pytest.fixture
def address(server: Server, schema: str) -> str:
    """Of the database ``gis``, for the user ``admin``, who writes to the schema."""
    return server.address(schema=schema)
