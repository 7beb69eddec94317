# SPDX-License-Identifier: GPL-2.0-or-later
"""What georoads says of its commands, and the command line made of values. Imports nothing of QGIS."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

DESCRIPTION = Path(__file__).with_name("description.json")
"""What ``georoads describe`` printed when the plugin was made, so that dialogs open without georoads."""
FORMAT = 1


@dataclass(frozen=True)
class Parameter:
    """An argument (without flags) or an option of a command.

    Attributes:
        name: as the description has it.
        flags: spellings of the option; empty: an argument.
        off_flags: spellings that say no, as ``--restart``.
        type: boolean, choice, integer, number, path or text.
        choices: the values of a choice.
        required: it must be given.
        multiple: it may be given several times.
        default: None where there is none.
        help: what it means.
    """

    name: str
    flags: tuple[str, ...]
    off_flags: tuple[str, ...]
    type: str
    choices: tuple[str, ...]
    required: bool
    multiple: bool
    default: Any
    help: str


@dataclass(frozen=True)
class Command:
    """A command of georoads.

    Attributes:
        name: as it is typed.
        help: its page of help, a paragraph after the other.
        parameters: in the order of that page.
        settings: what ``--set`` takes: name, default and meaning of each.
        purposes: what ``--set for=`` takes, each with what it is for.
    """

    name: str
    help: str
    parameters: tuple[Parameter, ...]
    settings: tuple[tuple[str, Any, str], ...]
    purposes: Mapping[str, str]

    def parameter(self, name: str) -> Parameter:
        """The parameter of this name.

        Raises:
            KeyError: there is none.
        """
        found = {each.name: each for each in self.parameters}
        return found[name]

    def has(self, name: str) -> bool:
        """Whether there is a parameter, or a setting, of this name."""
        return any(each.name == name for each in self.parameters) or any(s[0] == name for s in self.settings)


def read_description(file: Path = DESCRIPTION) -> tuple[str, dict[str, Command]]:
    """Version of georoads that described itself, and its commands by name.

    Raises:
        ValueError: the description has another format than this plugin reads.
    """
    told = json.loads(file.read_text(encoding="utf-8"))
    if told["format"] != FORMAT:
        raise ValueError(f"{file.name} has format {told['format']}, the plugin reads {FORMAT}")
    return told["georoads"], {name: _command(name, each) for name, each in told["commands"].items()}


def _command(name: str, told: Mapping[str, Any]) -> Command:
    parameters = tuple(_parameter(each) for each in told["parameters"])
    settings = tuple((each["name"], each["default"], each["help"]) for each in told["settings"])
    return Command(name, told["help"], parameters, settings, told["purposes"])


def _parameter(told: Mapping[str, Any]) -> Parameter:
    known = {key: told[key] for key in Parameter.__dataclass_fields__}
    values: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in known.items()}
    return Parameter(**values)


def command_line(command: Command, values: Mapping[str, Any]) -> list[str]:
    """The words behind the program's name that run a command.

    Args:
        command: what it takes.
        values: by the parameter's name: text, number, True or False, or a list where it may be given several
            times. None, an empty text, and what is the default already are left out.

    Raises:
        KeyError: the command has no parameter of that name.

    Example:
        >>> score = read_description()[1]["score"]
        >>> command_line(score, {"roads": "a.gpkg", "reference": "b.gpkg", "buffer_m": 6.0})[3:]
        ['--buffer', '6', '--', 'a.gpkg', 'b.gpkg']
    """
    strange = values.keys() - {each.name for each in command.parameters}
    if strange:
        raise KeyError(f"georoads {command.name} has no parameter {min(strange)}")
    options: list[str] = []
    arguments: list[str] = []
    for each in command.parameters:
        value = values.get(each.name)
        if value is None or value == "" or value == each.default:
            continue
        several = list(value) if isinstance(value, (list, tuple)) else [value]
        if not each.flags:
            arguments += map(_word, several)
        elif each.type == "boolean":
            options += [each.flags[-1] if value else each.off_flags[-1]]
        else:
            options += [word for one in several for word in (each.flags[-1], _word(one))]
    # What follows -- is no option, whatever it begins with.
    return ["--progress", "json", command.name, *options, "--", *arguments]


def _word(value: Any) -> str:
    """A value as it is typed: whole numbers without a point, others with all their digits."""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return str(value)
