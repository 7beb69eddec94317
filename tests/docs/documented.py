"""What README.md and docs/*.md hold: commands, links, headings."""

from __future__ import annotations

import importlib.util
import re
import shlex
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import rasterio
from drawn_rasters import write_raster
from rasterio.windows import Window

ROOT = Path(__file__).resolve().parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
GENERATED = ROOT / "docs" / "cli.md"
_FENCE = re.compile(r"^```.*?$(.*?)^```$", re.M | re.S)
_BLOCK = re.compile(r"^ *```(\w*)$(.*?)^ *```$", re.M | re.S)
_INLINE = re.compile(r"`(georoads [^`]*)`")
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+?) *$", re.M)
_PROGRAMS = (["georoads"], ["rio", "roads"])


def module_at(path: Path) -> ModuleType:
    """A module that lies in no package."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def example_corner(path: Path, size_px: int) -> Path:
    """A corner of the example scene, at the edge of its village."""
    window = Window(980, 520, size_px, size_px)
    with rasterio.open(ROOT / "examples" / "scene.tif") as whole:
        return write_raster(path, whole.read(window=window), whole.window_transform(window), whole.crs)


@dataclass(frozen=True)
class Command:
    """A command line that a page shows; ``words`` are those after the program's name."""

    page: str
    text: str
    words: tuple[str, ...]


def commands(page: Path) -> Iterator[Command]:
    """Every command in fenced blocks that begins with georoads or rio roads."""
    for block in _FENCE.findall(page.read_text(encoding="utf-8")):
        for line in block.replace("\\\n", " ").splitlines():
            for part in re.split(r"&&|\|", line):
                yield from _command(page, part)


def steps(page: Path) -> Iterator[Command | str]:
    """The commands and the Python blocks of a page, in their order; Python as its text."""
    for language, block in _BLOCK.findall(page.read_text(encoding="utf-8")):
        if language == "python":
            yield textwrap.dedent(block)
            continue
        for line in block.replace("\\\n", " ").splitlines():
            yield from _command(page, line)


def mentions(page: Path) -> Iterator[Command]:
    """Every command in running text, in single backticks."""
    for text in _INLINE.findall(_FENCE.sub("", page.read_text(encoding="utf-8"))):
        yield from _command(page, text.split("\\|")[0])


def _command(page: Path, text: str) -> Iterator[Command]:
    if not text.strip().startswith(("georoads ", "rio roads ")):
        return
    words = shlex.split(text, comments=True)
    for program in _PROGRAMS:
        if words[: len(program)] == program:
            rest = words[len(program) :] if program == ["georoads"] else ["extract", *words[len(program) :]]
            yield Command(page.name, shlex.join(words), tuple(rest))


def links(page: Path) -> list[str]:
    """Targets of the relative links and pictures outside fenced blocks."""
    found = _LINK.findall(_FENCE.sub("", page.read_text(encoding="utf-8")))
    return [target for target in found if "://" not in target]


def anchors(page: Path) -> set[str]:
    """Anchors of the headings, as GitHub makes them."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in _HEADING.findall(text)}
