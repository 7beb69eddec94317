"""Addresses of databases: told from files, shown without a password."""

from __future__ import annotations

from pathlib import Path

import pytest

from georoads.errors import LayerError
from georoads.output.address import Database, output_of, work_place


@pytest.mark.parametrize(
    ("text", "shown", "name"),
    [
        ("postgresql://h/db", "postgresql://h/db", "db"),
        ("postgres://ann:s3cr3t@h:5433/db", "postgresql://ann@h:5433/db", "db"),
        ("postgresql:///db?host=/run/pg&password=s3cr3t", "postgresql:///db", "db"),
        (
            "postgresql://ann:s3cr3t%40%2F:x@[::1]:5432,b/a%20b",
            "postgresql://ann@[::1]:5432,b/a%20b",
            "a%20b",
        ),
        ("postgresql://:s3cr3t@h/db", "postgresql://h/db", "db"),
    ],
)
def test_addresses_are_shown_without_password(text: str, shown: str, name: str) -> None:
    found = output_of(text)
    assert isinstance(found, Database)
    assert (found.address, found.shown, str(found), found.name) == (text, shown, shown, name)
    assert "s3cr3t" not in repr(found)


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://ann:s3/cr3t@h/db",
        "postgresql://ann:1/s3cr3t@h/db",
        "postgresql://ann:s3cr3t@x@h/db",
        "postgresql://ann:1?s3cr3t@h/db",
        "postgresql://ann:s3cr3t@h",
        "postgresql://ann:s3cr3t@h/",
        "postgresql:/ann:s3cr3t@h/db",
        "POSTGRESQL://ann:s3cr3t@h/db",
        "postgis://ann:s3cr3t@h/db",
        "postgresql+psycopg://ann:s3cr3t@h/db",
        "PG:dbname=db password=s3cr3t",
        "host=h dbname=db password=s3cr3t",
    ],
)
def test_what_is_meant_as_an_address_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(LayerError, match="not as expected") as e:
        output_of(text)
    assert "cr3t" not in e.value.message + e.value.hint and e.value.__cause__ is None


@pytest.mark.parametrize(
    "text", ["roads.gpkg", "/a/postgres.gpkg", "./postgresql://h/db", "p:/roads.gpkg", "ä b"]
)
def test_other_names_are_files(text: str) -> None:
    assert output_of(text) == Path(text)
    assert output_of(Path(text)) == work_place(Path(text)) == Path(text)


def test_the_place_of_unfinished_work() -> None:
    database = output_of("postgresql://ann:s3cr3t@h/gis%2F..%2Fx")
    assert work_place(database, "streets") == Path("gis_2F___2Fx.streets.postgis")
