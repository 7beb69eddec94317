"""Changing frozen dataclasses by ``name=value`` texts, as ``--set`` and recipes do."""

from __future__ import annotations

import contextlib
import inspect
import json
import re
import textwrap
import types
import typing
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from typing import Any, TypeVar

from georoads.errors import GeoroadsError

T = TypeVar("T")
_LARGEST = 1e300
"""JSON knows whole numbers beyond any float; and no parameter is infinite, or no number (NaN)."""
_LARGEST_WHOLE = 2**63
"""So large whole numbers do not fit where they are used."""
_WORDS = {
    float: "a finite number", int: "a whole number", str: "a text", bool: "true or false", dict: "a table",
    type(None): "null",
}  # fmt: skip
"""What types are called in messages."""


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
        # Most say which parameter it is, by beginning with its name.
        is_named = str(e).partition(" ")[0] in known
        raise GeoroadsError(f"{where}{'.' if is_named else ': '}{e}", "--set help says what it means") from e


def check_ranges(params: Any, ranges: Mapping[str, tuple[float, float]]) -> None:
    """Refuse numbers that are out of range, from the ``__post_init__`` of a dataclass of parameters.

    Args:
        params: the dataclass; fields that are None pass.
        ranges: least and largest value, by name of the field.

    Raises:
        ValueError: naming the field, its range and the value.
    """
    for name, (least, most) in ranges.items():
        value = getattr(params, name)
        if value is not None and not least <= value <= most:  # NaN is in no range
            raise ValueError(f"{name} must be {least:,} to {most:,}, not {value}")


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


@dataclass(frozen=True)
class Setting:
    """One parameter of ``--set``.

    Attributes:
        name: section.parameter.
        value: what it is, as JSON has it.
        meaning: of it, from the docstring of its dataclass; "" where that says nothing.
    """

    name: str
    value: Any
    meaning: str


def listed(section: str, params: Any) -> list[Setting]:
    """The parameters of a section, in their order.

    Example:
        >>> from georoads.network.params import VectorizeParams
        >>> [each.value for each in listed("network", VectorizeParams()) if each.name == "network.spur_m"]
        [10.0]
    """
    means = meanings(type(params))
    return [
        Setting(f"{section}.{name}", getattr(params, name), means.get(name, "")) for name in _settable(params)
    ]


def describe(section: str, params: Any) -> list[str]:
    """For ``--set help``: ``section.parameter=value`` of each field, and below it what it means."""
    lines = []
    for each in listed(section, params):
        lines.append(f"{each.name}={json.dumps(each.value, default=str)}")
        lines += textwrap.wrap(each.meaning, 100, initial_indent="    ", subsequent_indent="    ")
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
    """The value in the type of its field.

    Raises:
        GeoroadsError: it has another type, or is no finite number where one is wanted.
    """
    options = typing.get_args(hint) if isinstance(hint, types.UnionType) else (hint,)
    for option in options:
        kind = typing.get_origin(option) or option
        if option is type(None) and value is None:
            return None
        if kind is float and type(value) in (int, float) and -_LARGEST < value < _LARGEST:
            return float(value)
        largest = _LARGEST if float in options else _LARGEST_WHOLE  # a float would lose digits
        if kind is int and type(value) is int and -largest < value < largest:
            return value
        if kind is tuple and isinstance(value, list | tuple) and _fits_each(value, option, where):
            return tuple(value)
        if kind not in (float, int, tuple) and isinstance(value, kind):
            return value
    wanted = " or ".join(_wanted(option) for option in options)
    raise GeoroadsError(f"{where} is {repr(value)[:80]}", f"it must be {wanted}")


def _fits_each(values: Sequence[Any], option: Any, where: str) -> bool:
    """Whether values are those of a tuple: so many, each of its type."""
    kinds = typing.get_args(option)
    if kinds[-1] is Ellipsis:
        kinds = kinds[:1] * len(values)
    if len(values) != len(kinds):
        return False
    try:
        return [_fit(value, kind, where) for value, kind in zip(values, kinds, strict=True)] == [*values]
    except GeoroadsError:
        return False


def _wanted(option: Any) -> str:
    """What a type asks for, in words."""
    kinds = typing.get_args(option)
    if typing.get_origin(option) is tuple:
        count = "" if kinds[-1] is Ellipsis else f" of {len(kinds)}"
        return f"a list{count}, each {_wanted(kinds[0])}"
    return _WORDS.get(option, getattr(option, "__name__", str(option)))
