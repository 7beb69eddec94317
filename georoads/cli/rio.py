"""rio roads: georoads extract as a command of rasterio's rio."""

from __future__ import annotations

from typing import Any

import click

from georoads.cli.extract import extract
from georoads.errors import GeoroadsError


class _Told(click.Command):
    """A command whose expected failures are one line and a hint in rio too, with exit code 1."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except GeoroadsError as e:
            raise click.ClickException(str(e)) from e


roads = _Told("roads", callback=extract.callback, params=extract.params, help=extract.help)
