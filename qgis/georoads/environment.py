# SPDX-License-Identifier: GPL-2.0-or-later
"""Where georoads is, and how a place for it is made. Imports nothing of QGIS.

georoads and QGIS need other versions of the same libraries; so georoads lies in an environment of its own and
runs as a process, and nothing is ever installed into QGIS's Python.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

CONSTRAINTS = Path(__file__).with_name("constraints.txt")
"""Versions that georoads was tested with; in the plugin's zip."""
EXTRA = "openvino"
"""The light core: what extracts, vectorizes, scores and compares, without torch."""
PYTHONS = ("python3.13", "python3.12", "python3.11", "python3", "python")
OLDEST = (3, 11)
_OF_QGIS = (
    "PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "PROJ_LIB", "PROJ_DATA", "GDAL_DATA", "GDAL_DRIVER_PATH",
    "GEOTIFF_CSV", "VIRTUAL_ENV",
)  # fmt: skip
"""Variables that QGIS sets for its own Python and libraries, and that would mislead another one's."""
_PROBE = "import sys, venv, ensurepip; print(*sys.version_info[:2])"


class MissingError(Exception):
    """Something that is needed is not there; the text says what to do."""


@dataclass(frozen=True)
class Program:
    """georoads, ready to run.

    Attributes:
        path: of the program.
        where: it was found, in words.
    """

    path: Path
    where: str


@dataclass(frozen=True)
class Step:
    """One command of making an environment.

    Attributes:
        what: it does, in words.
        words: the program and what follows it.
    """

    what: str
    words: tuple[str, ...]


def cleaned(environ: Mapping[str, str]) -> dict[str, str]:
    """An environment for georoads: without what QGIS sets for itself, and with text as UTF-8."""
    kept = {name: value for name, value in environ.items() if name.upper() not in _OF_QGIS}
    return {**kept, "PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1", "PYTHONNOUSERSITE": "1"}


def find_program(stated: str, home: Path, environ: Mapping[str, str]) -> Program:
    """georoads: as the options of Processing name it, else the plugin's own, else the one on the PATH.

    Args:
        stated: path of the program in the options; "" where there is none.
        home: folder of the plugin's own files.
        environ: of QGIS.

    Raises:
        MissingError: there is none; what is stated is no file.
    """
    if stated:
        if not Path(stated).is_file():
            raise MissingError(
                f"{stated}, which the options name as georoads, is no file: correct it in Settings, "
                "Options, Processing, Providers, georoads, or empty it"
            )
        return Program(Path(stated), "the one that the options name")
    own = _in_venv(home / "venv", "georoads")
    if _mark(home).exists() and own.is_file():
        return Program(own, "the plugin's own")
    found = shutil.which("georoads", path=environ.get("PATH"))
    if found:
        return Program(Path(found), "the one on the PATH")
    raise MissingError(
        "georoads is not installed: run Set up georoads, an algorithm of this plugin; "
        "or name an installed one in Settings, Options, Processing, Providers, georoads"
    )


def setup_steps(
    home: Path, version: str, environ: Mapping[str, str], source: str = "", python: str = ""
) -> list[Step]:
    """The commands that make the plugin's own environment: by uv where it is installed, else by venv and pip.

    Args:
        home: folder of the plugin's own files.
        version: of georoads, where it comes from the package index.
        environ: of QGIS; uv and Python are looked for on its PATH.
        source: a wheel, or a folder with georoads' source; "": the package index.
        python: the Python to make it with; "": one that is found.

    Raises:
        MissingError: there is no fit Python, and no uv, which would bring one; the source is not there.
    """
    if source and not Path(source).exists():
        raise MissingError(f"{source} is not there: name a wheel of georoads, or the folder of its source")
    what = f"{source}[{EXTRA}]" if source else f"georoads[{EXTRA}]=={version}"
    pinned = ("-c", str(CONSTRAINTS)) if CONSTRAINTS.exists() else ()
    folder = home / "venv"
    inside = str(_in_venv(folder, "python"))
    uv = shutil.which("uv", path=environ.get("PATH"))
    if uv:
        made = Step(
            f"Make an environment in {folder} with uv",
            (uv, "venv", "--python", python or ">=3.11,<3.14", str(folder)),
        )
        filled = Step(
            f"Install {what} into it with uv", (uv, "pip", "install", "--python", inside, *pinned, what)
        )
        return [made, filled]
    found = python or _find_python(environ)
    pip = (inside, "-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--progress-bar=off")
    return [
        Step(f"Make an environment in {folder} with {found}", (found, "-m", "venv", str(folder))),
        Step(f"Install {what} into it with pip", (*pip, *pinned, what)),
    ]


def clear(home: Path) -> None:
    """Remove the plugin's own environment, if there is one.

    Raises:
        OSError: something in it is in use.
    """
    _mark(home).unlink(missing_ok=True)
    if (home / "venv").exists():
        shutil.rmtree(home / "venv")


def mark_ready(home: Path) -> Program:
    """Note that the environment is whole: one whose making was stopped is not taken."""
    _mark(home).touch()
    return Program(_in_venv(home / "venv", "georoads"), "the plugin's own")


def _mark(home: Path) -> Path:
    return home / "venv.ready"


def _in_venv(folder: Path, name: str) -> Path:
    """A program of a virtual environment."""
    return folder / "Scripts" / f"{name}.exe" if sys.platform == "win32" else folder / "bin" / name


def _find_python(environ: Mapping[str, str]) -> str:
    """The first Python on the PATH that is new enough and can make environments."""
    seen = []
    for name in PYTHONS:
        path = shutil.which(name, path=environ.get("PATH"))
        if path is None:
            continue
        version = _version_of((path, "-c", _PROBE), environ)
        if version is not None and version >= OLDEST:
            return path
        seen.append(f"{path} is {'too old' if version else 'without venv (python3-venv) or does not run'}")
    raise MissingError(
        "no Python of 3.11 or newer that can make environments was found "
        f"({'; '.join(seen) or 'none at all'}): install Python, or uv, which brings one"
    )


def _version_of(words: Sequence[str], environ: Mapping[str, str]) -> tuple[int, ...] | None:
    try:
        done = subprocess.run(
            words, env=cleaned(environ), capture_output=True, text=True, timeout=30, check=False
        )
        return tuple(int(part) for part in done.stdout.split()) if done.returncode == 0 else None
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
