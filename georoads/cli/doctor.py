"""georoads doctor: what this machine offers, and what is wrong."""

from __future__ import annotations

import click

from georoads.cli import options


@click.command()
def doctor() -> None:
    """Say what georoads would use on this machine and why, and what is broken (then the exit code is 1)."""
    from georoads.doctor import State, examine

    broken = False
    for finding in examine():
        broken |= finding.state is State.BROKEN
        options.say(f"{finding.state.value:>6}  {finding.what}: {finding.seen}")
        if finding.remedy:
            options.say(f"{'':>6}  → {finding.remedy}")
    if broken:
        raise click.exceptions.Exit(1)
