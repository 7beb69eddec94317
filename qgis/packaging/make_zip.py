"""Build the plugin's zip: python qgis/packaging/make_zip.py

Before that the plugin's copies of what georoads says of itself are made anew: ``description.json`` (what its
commands take) and the version in ``metadata.txt``. A test fails when they are stale.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import zipfile
from pathlib import Path

import click

from georoads import __version__
from georoads.cli.main import cli

ROOT = Path(__file__).resolve().parents[2]
PLUGIN = ROOT / "qgis" / "georoads"
COMMANDS = ("extract", "vectorize", "score", "diff", "view")
"""Those that the plugin offers."""
SUFFIXES = {".py", ".json", ".txt", ".svg", ".md", ""}
EPOCH = (2020, 1, 1, 0, 0, 0)
"""The date of every file in the zip: the same files make the same bytes."""


def description() -> str:
    """What ``georoads describe`` prints of the plugin's commands."""
    from georoads.cli.describe import description_of

    with click.Context(cli, info_name="georoads") as context:
        return json.dumps(description_of(context, COMMANDS), indent=1) + "\n"


def metadata(text: str, more: dict[str, str]) -> str:
    """The plugin's metadata in this version of georoads.

    Args:
        text: as it is.
        more: lines to add, by key.
    """
    text = re.sub(r"^version=.*$", f"version={__version__}", text, flags=re.MULTILINE)
    return text + "".join(f"{key}={value}\n" for key, value in more.items() if value)


def refresh() -> None:
    """Bring the plugin's copies up to date."""
    file = PLUGIN / "metadata.txt"
    file.write_text(metadata(file.read_text(encoding="utf-8"), {}), encoding="utf-8", newline="\n")
    (PLUGIN / "description.json").write_text(description(), encoding="utf-8", newline="\n")


def files() -> dict[str, bytes]:
    """What goes into the zip, by name: the plugin, and the versions that its environment is made of."""
    found = {p.name: p.read_bytes() for p in PLUGIN.iterdir() if p.is_file() and p.suffix in SUFFIXES}
    found["constraints.txt"] = (ROOT / "constraints.txt").read_bytes()
    return {f"georoads/{name}": found[name] for name in sorted(found)}


def write_zip(target: Path, more: dict[str, str]) -> None:
    """Write the zip that QGIS installs.

    Args:
        target: file to write; its folder is made.
        more: lines of metadata to add, by key.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files().items():
            stated = metadata(data.decode(), more).encode() if name.endswith("metadata.txt") else data
            info = zipfile.ZipInfo(name, EPOCH)
            info.external_attr, info.compress_type = 0o644 << 16, zipfile.ZIP_DEFLATED
            archive.writestr(info, stated)


def main() -> None:
    """Refresh, write, and say what is missing for a place among the plugins of QGIS."""
    default = ROOT / "dist" / f"georoads-qgis-{__version__}.zip"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("-o", "--output", type=Path, default=default)
    parser.add_argument("--repository", default="", help="address of the source, for plugins.qgis.org")
    parser.add_argument("--email", default="", help="of whoever answers for it, for plugins.qgis.org")
    given = parser.parse_args()
    refresh()
    more = {"repository": given.repository, "homepage": given.repository, "email": given.email}
    if given.repository:
        more["tracker"] = f"{given.repository.rstrip('/')}/issues"
    write_zip(given.output, more)
    sys.stdout.write(f"{given.output}: {given.output.stat().st_size / 1e3:.0f} kB\n")
    if not (given.repository and given.email):
        sys.stdout.write("plugins.qgis.org asks for --repository and --email besides; QGIS itself does not\n")


if __name__ == "__main__":
    main()
