"""Write docs/cli.md from the help of every command: python docs/make_cli.py

A test fails when the page is stale.
"""

from __future__ import annotations

from pathlib import Path

import click

from georoads.cli.main import cli

PAGE = Path(__file__).resolve().parent / "cli.md"
WIDTH = 100
HEAD = """# Commands

Made from `--help` by `docs/make_cli.py`. Parameters without an option of their own are set with
`--set section.parameter=value`; `--set help` lists those of a command and says what each means.

Exit codes: 0 done; 1 refused, with a line `error:` and a line `hint:`; 2 wrong usage; 130 and 143 stopped by
a signal (137: killed at a second one); 141 nobody reads the output any more. `--debug`, before or after the
command, or `GEOROADS_DEBUG=1` shows the traceback of an error.

For programs: `--progress json`, before or after the command, tells progress on standard error as an object
a line, with `stage`, `done`, `total`, `unit` and `note`; all other lines there are for people. `--json`
writes the figures, and `georoads describe` prints what each command takes. The [plugin for QGIS](qgis.md)
needs no more than these and the exit codes.

## Completion
Commands and options complete with Tab once the shell has read what click makes for it. In `~/.bashrc`,
`~/.zshrc` or `~/.config/fish/completions/georoads.fish`, by shell:

```sh
eval "$(_GEOROADS_COMPLETE=bash_source georoads)"
eval "$(_GEOROADS_COMPLETE=zsh_source georoads)"
_GEOROADS_COMPLETE=fish_source georoads | source
```
"""


def page() -> str:
    """The whole page."""
    return "\n".join([HEAD, *(_section(name, cli.commands[name]) for name in sorted(cli.commands))])


def _section(name: str, command: click.Command) -> str:
    with (
        click.Context(cli, info_name="georoads", **cli.context_settings) as above,
        click.Context(command, above, info_name=name, terminal_width=WIDTH) as context,
    ):
        text = command.get_help(context)
    return f"## {name}\n\n```text\n{text}\n```\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8", newline="\n")
