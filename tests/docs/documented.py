"""What README.md and docs/*.md hold: commands, links, headings."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
GENERATED = ROOT / "docs" / "cli.md"
_FENCE = re.compile(r"^```.*?$(.*?)^```$", re.M | re.S)
_INLINE = re.compile(r"`(georoads [^`]*)`")
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_HEADING = re.compile(r"^#+ +(.+?) *$", re.M)
_PROGRAMS = (["georoads"], ["rio", "roads"])


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
