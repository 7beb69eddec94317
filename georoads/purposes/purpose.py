"""Purposes: several parameters that are set at once by ``--set for=NAME|FILE``.

A purpose is a TOML file with a text ``about`` and a table for each section of parameters, as a recipe of a
training is. It sets nothing that ``--set`` could not, and stands in the provenance by its values.
"""

from __future__ import annotations

import textwrap
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from georoads.errors import GeoroadsError
from georoads.settings import with_values
from georoads.text import printable

T = TypeVar("T")


@dataclass(frozen=True)
class Purpose:
    """What several parameters are set to.

    Attributes:
        name: of the purpose, or of its file.
        about: what it is for.
        values: by section and parameter.
    """

    name: str
    about: str
    values: Mapping[str, Mapping[str, Any]]

    def on(self, section: str, params: T) -> T:
        """Parameters with what the purpose sets of them.

        Args:
            section: of the parameters, as ``network``.
            params: a dataclass.

        Raises:
            GeoroadsError: it sets a parameter that they do not have, or to what does not fit.

        Example:
            >>> from georoads.network.params import VectorizeParams
            >>> find_purpose("osm").on("network", VectorizeParams(spur_m=20)).simplify_m
            1.0
        """
        return with_values(params, self.values.get(section, {}), section)

    def described(self) -> list[str]:
        """For ``--set help``: the name, what it is for, and all that it sets."""
        lines = [f"for={self.name}"]
        lines += textwrap.wrap(self.about, 100, initial_indent="    ", subsequent_indent="    ")
        for section, values in self.values.items():
            lines += [f"    {section}.{name}={_as_typed(value)}" for name, value in values.items()]
        return lines


def shipped_purposes() -> dict[str, Purpose]:
    """The purposes that come with georoads, by name."""
    folder = resources.files("georoads.purposes")
    files = sorted((p for p in folder.iterdir() if p.name.endswith(".toml")), key=lambda p: p.name)
    texts = {p.name.removesuffix(".toml"): p.read_text(encoding="utf-8") for p in files}
    return {name: _parse(name, text) for name, text in texts.items()}


def find_purpose(name_or_file: str | Path) -> Purpose:
    """A purpose by its name, or from a TOML file.

    Raises:
        GeoroadsError: there is none of this name; the file cannot be read or is none.
    """
    shipped, path = shipped_purposes(), Path(name_or_file)
    if str(name_or_file) in shipped:
        return shipped[str(name_or_file)]
    if path.suffix.lower() != ".toml":
        raise GeoroadsError(
            f"no purpose {str(name_or_file)!r}", f"known: {', '.join(shipped)}; or the path of a .toml file"
        )
    try:
        return _parse(path.stem, path.read_text(encoding="utf-8"), printable(path))
    except (OSError, UnicodeDecodeError) as e:
        raise GeoroadsError(
            f"{printable(path)} cannot be read: {e}", "check its path; save it as UTF-8"
        ) from e


def _parse(name: str, text: str, where: str = "") -> Purpose:
    where = where or f"the purpose {name}"
    try:
        tables = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as e:
        raise GeoroadsError(f"{where} is not TOML: {e}", "see docs/purposes.md") from e
    about = tables.pop("about", "")
    strange = [section for section, values in tables.items() if not isinstance(values, dict)]
    if strange or not isinstance(about, str):
        raise GeoroadsError(
            f"{where}: {strange[0] if strange else 'about'} is neither a section nor a text about it",
            "parameters stand in sections, as [network]",
        )
    return Purpose(name, about, tables)


def _as_typed(value: Any) -> str:
    """A value as ``--set`` takes it."""
    return str(value).lower() if isinstance(value, bool) else str(value)
