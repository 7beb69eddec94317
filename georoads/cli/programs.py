"""What commands tell programs that call georoads: progress as lines of JSON, and what ``--set`` takes."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import Any

import click

from georoads.progress import Watch, json_lines, progress


class SettingsAsked(Exception):  # noqa: N818  # it is no error
    """Raised in place of the answer to ``--set help`` where a program asks (see ``cli/describe.py``).

    Attributes:
        known: the sections of the command, each with its parameters.
    """

    def __init__(self, known: Mapping[str, Any]) -> None:
        super().__init__()
        self.known = known


_PROGRESS, _ASKS = "georoads.progress", "georoads.asks"
"""Keys of what contexts of click share: how progress is told; that a program asks for the settings."""


def _keep_progress(context: click.Context, option: click.Parameter, value: str | None) -> None:
    if value is not None:
        context.meta[_PROGRESS] = value


def progress_option(*, hidden: bool = False) -> click.Option:
    """How progress is told: an option of the group and, unseen, of each command; ``watched`` heeds it."""
    return click.Option(
        ["--progress"], type=click.Choice(["auto", "json"]), hidden=hidden, expose_value=False,
        callback=_keep_progress,
        help="How progress is told: a bar or lines (auto), or an object a line, for programs (json).",
    )  # fmt: skip


def watched(quiet: bool) -> Watch:
    """What tells the progress of the command that runs, on standard error, as ``--progress`` says."""
    if not quiet and click.get_current_context().meta.get(_PROGRESS) == "json":
        return json_lines
    return functools.partial(progress, quiet=quiet)


def ask_for_settings(context: click.Context) -> None:
    """Have the command of a context raise SettingsAsked where it would answer ``--set help``."""
    context.meta[_ASKS] = True


def is_asked_by_program() -> bool:
    """Whether it is a program that asks the running command for its settings."""
    return bool(click.get_current_context().meta.get(_ASKS))
