"""georoads demo: nothing in, the example scene's roads and a page that shows them out."""

from __future__ import annotations

from pathlib import Path

import click

from georoads.cli import options
from georoads.cli.programs import watched


@click.command()
@click.option(
    "-o",
    "--output",
    "folder",
    type=options.PATH,
    default=Path("georoads-demo"),
    show_default=True,
    help="Folder to write to.",
)
@click.option("--no-browser", is_flag=True, help="Do not open the page.")
@options.quiet
def demo(folder: Path, no_browser: bool, quiet: bool) -> None:
    """Extract the roads of the example scene, and open a page with them in the browser.

    Needs no file of yours and no network. The very first run takes half a minute more: it compiles its loops.
    """
    from georoads.walk.demo import demo as make_demo

    made = make_demo(folder, watch=watched(quiet))
    if not quiet:
        options.say(
            f"{made.roads}: {made.summary.roads} roads, {made.summary.length_km:.2f} km; drag it into QGIS"
        )
        options.say(f"{made.page}: the same in a browser; press c for what to check, r to repair")
        options.say(f"Now yours:  georoads extract scene.tif -o roads.gpkg    (this was {made.scene})")
    if not no_browser:
        import webbrowser

        webbrowser.open(made.page.resolve().as_uri())
