"""Changing frozen dataclasses by ``name=value`` texts, as ``--set`` and recipes do."""

from __future__ import annotations

import contextlib
import inspect
import json
import re
import textwrap
import types
import typing
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from georoads.errors import GeoroadsError

T = TypeVar("T")
_LARGEST = 10**300
"""JSON knows whole numbers beyond any float."""


def with_values(params: T, values: Mapping[str, Any], where: str) -> T:
    """A copy with some fields replaced, each checked against the field's type.

    Args:
        params: a dataclass of parameters.
        values: the new values by the field's name.
        where: the section that messages name, as ``vectorize``.

    Raises:
        GeoroadsError: naming an unknown field, or the value and the type it should have.
    """
    assert is_dataclass(params) and not isinstance(params, type)
    hints = typing.get_type_hints(type(params))
    known = _settable(params)
    changed = {}
    for name, value in values.items():
        if name not in known:
            raise GeoroadsError(f"{where} has no parameter {name!r}", f"known: {', '.join(known)}")
        changed[name] = _fit(value, hints[name], f"{where}.{name}")
    try:
        return typing.cast(T, replace(params, **changed))
    except ValueError as e:
        raise GeoroadsError(f"{where}: {e}", "see --set help") from e


def parse_assignments(texts: Iterable[str]) -> dict[str, dict[str, Any]]:
    """``section.parameter=value`` texts to {section: {parameter: value}}; a value is JSON where it can be.

    Raises:
        GeoroadsError: for a text of another form.
    """
    parsed: dict[str, dict[str, Any]] = {}
    for text in texts:
        target, equals, value = text.partition("=")
        section, dot, name = target.strip().partition(".")
        if not (equals and dot and section and name):
            raise GeoroadsError(
                f"--set {text!r} is not section.parameter=value", "as in --set network.spur_m=8"
            )
        parsed.setdefault(section, {})[name] = _literal(value.strip())
    return parsed


def describe(section: str, params: Any) -> list[str]:
    """For ``--set help``: ``section.parameter=value`` of each field, and below it what it means."""
    means = meanings(type(params))
    lines = []
    for name in _settable(params):
        lines.append(f"{section}.{name}={json.dumps(getattr(params, name), default=str)}")
        lines += textwrap.wrap(means.get(name, ""), 100, initial_indent="    ", subsequent_indent="    ")
    return lines


def meanings(kind: type) -> dict[str, str]:
    """What the section ``Attributes`` of a dataclass's docstring says of each of its fields."""
    section = (inspect.getdoc(kind) or "").partition("Attributes:\n")[2].partition("\n\n")[0]
    # An entry is "name, name: text", indented by four; its text goes on in lines that are indented by more.
    entries = re.findall(r"^    (\w[\w, ]*): (.*(?:\n {5,}.*)*)", section, re.MULTILINE)
    means: dict[str, str] = {}
    for names, text in entries:
        means |= dict.fromkeys(names.split(", "), " ".join(text.replace("``", "").split()))
    return means


def _settable(params: Any) -> list[str]:
    """Names of the fields, but for those that are sections of their own."""
    return [f.name for f in fields(params) if not is_dataclass(getattr(params, f.name))]


def _literal(text: str) -> Any:
    """A text as JSON, or as numbers with commas or spaces between them; else as it stands."""
    parts = text.replace(",", " ").split()
    with contextlib.suppress(ValueError):
        return json.loads(text)
    with contextlib.suppress(ValueError):
        return [float(part) for part in parts] if len(parts) > 1 else text
    return text


def _fit(value: Any, hint: Any, where: str) -> Any:
    options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    for option in options:
        kind = typing.get_origin(option) or option
        if option is type(None) and value is None:
            return None
        if kind is float and isinstance(value, int | float) and not isinstance(value, bool):
            if isinstance(value, int) and abs(value) > _LARGEST:
                continue
            return float(value)
        if kind is tuple and isinstance(value, list | tuple):
            return tuple(value)
        if kind is int and isinstance(value, bool):
            continue
        if isinstance(kind, type) and isinstance(value, kind):
            return value
    wanted = " or ".join(getattr(o, "__name__", str(o)) for o in options)
    raise GeoroadsError(f"{where} is {value!r}", f"it must be {wanted}")
