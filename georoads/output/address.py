"""Where roads go: to a file, or to a database that an address names."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from georoads.errors import LayerError

# A sign out of place could move a part of the password to where it is shown: such an address is refused.
_HOST = r"(?:\[[0-9A-Fa-f:.]+\]|[^\s:/?@,\[\]]*)(?::\d*)?"
_ADDRESS = re.compile(
    r"postgres(?:ql)?://(?:(?P<user>[^\s:/?@]*)(?::[^\s/?@]*)?@)?"
    rf"(?P<hosts>{_HOST}(?:,{_HOST})*)/(?P<name>[^\s/?@]+)(?:\?[^\s@]*)?"
)
_MEANT = re.compile(r"(?:postg\w*|pg)(?:\+\w+)?(?::|//)|.*\bpassword\s*=", re.IGNORECASE | re.DOTALL)


@dataclass(frozen=True)
class Database:
    """A PostgreSQL database. As text it is ``shown``: nothing that is printed or stored holds the password.

    Attributes:
        address: as it was typed, for libpq; it may hold the password.
        shown: the address without password and parameters.
        name: of the database.
    """

    address: str = field(repr=False)
    shown: str
    name: str

    def __str__(self) -> str:
        return self.shown


Output = Path | Database
"""What a road layer is written to."""


def output_of(text: str | Output) -> Output:
    """The file or database that a text names.

    Raises:
        LayerError: it is meant as the address of a database, but is none, or names no database.

    Example:
        >>> print(output_of("postgresql://ann:secret@db.example.org/gis?sslmode=require"))
        postgresql://ann@db.example.org/gis
        >>> output_of("roads.gpkg").name
        'roads.gpkg'
    """
    if not isinstance(text, str):
        return text
    found = _ADDRESS.fullmatch(text)
    if found is None and _MEANT.match(text):
        raise LayerError(
            "the address of the database is not as expected (it is not shown: it may hold a password)",
            "it is postgresql://USER@HOST/DATABASE; in a password write / as %2F, ? as %3F, @ as %40; "
            "a file of such a name is ./NAME",
        )
    if found is None:
        return Path(text)
    user = f"{found['user']}@" if found["user"] else ""
    return Database(text, f"postgresql://{user}{found['hosts']}/{found['name']}", found["name"])


def work_place(output: Output, layer: str = "") -> Path:
    """The path beside which unfinished work lies: that of the file; for a database DATABASE.LAYER.postgis in
    the current folder."""
    if isinstance(output, Path):
        return output
    return Path(re.sub(r"[^A-Za-z0-9_-]", "_", output.name)[:60] + f".{layer}.postgis")
