"""The words of the glossary are those of the code, and the pages for contributors name what there is."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from documented import ROOT

DOCS, PACKAGE = ROOT / "docs", ROOT / "georoads"
MODULES = sorted(PACKAGE.rglob("*.py"))
_CODE = re.compile(r"`([^`]+)`")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


def rows() -> list[list[str]]:
    """The rows of the glossary: word, meaning, other words."""
    lines = (DOCS / "glossary.md").read_text(encoding="utf-8").splitlines()
    return [line.split("|")[1:-1] for line in lines if line.startswith("| **")]


def avoided() -> set[str]:
    """The words in ``code`` in the last column of the glossary."""
    return {word for row in rows() for word in _CODE.findall(row[2])}


def words_of(name: str) -> set[str]:
    """The name, and the words that it is made of, in lower case: ``RayPool``, ray and pool."""
    return {name, *(word.lower() for word in _WORD.findall(name))}


def names_in(source: str) -> Iterator[str]:
    """Every name that a module defines: of functions, classes, parameters, variables and attributes."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.arg):
            yield node.arg
        elif isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.id if isinstance(node, ast.Name) else node.attr


@pytest.mark.parametrize("module", MODULES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_no_name_has_a_word_that_the_glossary_avoids(module: Path) -> None:
    names = {module.stem, *names_in(module.read_text(encoding="utf-8"))}
    strange = {name for name in names if words_of(name) & avoided()}
    assert not strange, f"docs/glossary.md has other words: {sorted(strange)}"


def test_an_avoided_word_is_found() -> None:
    assert {"feel", "crew"} <= avoided()
    (name,) = names_in("class RayCrew: pass")
    assert words_of(name) & avoided()
    assert not words_of("feeling") & avoided()


def test_every_word_is_explained_once() -> None:
    words = [word for row in rows() for word in row[0].split("**")[1::2]]
    assert {len(row) for row in rows()} == {3}
    assert len(words) > 60
    assert sorted(words) == sorted(set(words))


def test_the_architecture_names_every_room_and_module_outside_one() -> None:
    text = (DOCS / "architecture.md").read_text(encoding="utf-8")
    tops = {module.relative_to(PACKAGE).parts[0] for module in MODULES} - {"__init__.py", "__main__.py"}
    lost = sorted(top for top in tops if f"`{top if top.endswith('.py') else top + '/'}`" not in text)
    assert not lost


def test_files_that_contributors_are_sent_to_exist() -> None:
    text = (DOCS / "where-to-change.md").read_text(encoding="utf-8")
    named = {name for name in _CODE.findall(text) if "/" in name and " " not in name}
    assert len(named) > 20
    lost = sorted(name for name in named if not ((ROOT / name).exists() or (PACKAGE / name).exists()))
    assert not lost
