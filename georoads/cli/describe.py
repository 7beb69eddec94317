"""georoads describe: what commands take, as JSON, for programs that make dialogs of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import click

from georoads import __version__
from georoads.cli.programs import SettingsAsked, ask_for_settings
from georoads.errors import GeoroadsError
from georoads.settings import listed

FORMAT = 1
"""Of the description; a key that goes, or changes its meaning, makes it a later one."""
_TYPES = {"float": "number", "float range": "number", "integer range": "integer", "filename": "path"}
"""What click's types are called here; those that are not listed keep their name, and ours are "text"."""
_KNOWN_TYPES = ("boolean", "choice", "integer", "number", "path", "text")


@click.command()
@click.argument("names", metavar="[COMMAND]...", nargs=-1)
def describe(names: tuple[str, ...]) -> None:
    """Print as JSON what each COMMAND takes (default: all): parameters, settings and purposes.

    For programs that call georoads, such as its plugin for QGIS: with --progress json and the exit codes it
    is all that they need.
    """
    context = click.get_current_context().find_root()
    click.echo(json.dumps(description_of(context, names), indent=1))


def description_of(context: click.Context, names: Iterable[str] = ()) -> dict[str, Any]:
    """What ``georoads describe`` prints.

    Args:
        context: of the group of commands.
        names: of the commands to describe; none: all.

    Raises:
        click.UsageError: there is no command of such a name.
    """
    assert isinstance(context.command, click.Group)
    commands = context.command.commands
    chosen = [*names] or sorted(commands)
    strange = [name for name in chosen if name not in commands]
    if strange:
        raise click.UsageError(f"no command {strange[0]!r}; there are {', '.join(sorted(commands))}")
    described = {name: _described(commands[name], context) for name in chosen}
    return {"format": FORMAT, "georoads": __version__, "commands": described}


def _described(command: click.Command, above: click.Context) -> dict[str, Any]:
    """A command's help and what it takes, in the order of its page of help."""
    from georoads.purposes.purpose import shipped_purposes

    shown = [p for p in command.params if not getattr(p, "hidden", False)]
    sections = _sections(command, above)
    purposes = {
        purpose.name: purpose.about
        for purpose in shipped_purposes().values()
        if purpose.values.keys() <= sections.keys()
    }
    paragraphs = (command.help or "").split("\n\n")
    return {
        "help": "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs),
        "parameters": [_parameter(each, click.Context(command, above)) for each in shown],
        "settings": [
            {"name": each.name, "default": each.value, "help": each.meaning}
            for section, params in sections.items()
            for each in listed(section, params)
        ],
        "purposes": purposes,
    }


def _parameter(parameter: click.Parameter, context: click.Context) -> dict[str, Any]:
    """One argument or option."""
    kind = _TYPES.get(parameter.type.name, parameter.type.name)
    default = parameter.get_default(context)
    plain = isinstance(default, bool | int | float | str)
    option = parameter if isinstance(parameter, click.Option) else None
    return {
        "name": parameter.name,
        "flags": [] if option is None else option.opts,
        "off_flags": [] if option is None else option.secondary_opts,
        "type": kind if kind in _KNOWN_TYPES else "text",
        "choices": [*parameter.type.choices] if isinstance(parameter.type, click.Choice) else [],
        "metavar": parameter.metavar or "",
        "required": parameter.required,
        "multiple": parameter.nargs == -1 or bool(option and option.multiple),
        "default": default if plain else None,
        "help": " ".join((option.help or "").split()) if option else "",
    }


def _sections(command: click.Command, above: click.Context) -> Mapping[str, Any]:
    """The sections of ``--set``, each with its parameters: what the command itself would list.

    None where the command has no such option, or what it needs is not installed.
    """
    if not any(parameter.name == "settings" for parameter in command.params):
        return {}
    words = ["--set", "help"]
    for parameter in command.params:
        if parameter.required:
            words += [parameter.opts[0], "x.gpkg"] if isinstance(parameter, click.Option) else ["x"]
    try:
        with command.make_context(command.name, words, parent=above) as context:
            ask_for_settings(context)
            command.invoke(context)
    except SettingsAsked as asked:
        return asked.known
    except GeoroadsError:
        return {}
    raise AssertionError("a command with --set answers --set help")
