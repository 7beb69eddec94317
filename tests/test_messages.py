"""Errors read well: each says what is wrong and gives a way out. ``pytest -s`` on this file lists them all.

Messages are read from the source, so that those count, too, that are hard to bring about.
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from pathlib import Path

import georoads.errors

ROOT = Path(georoads.errors.__file__).parent
ERRORS = {name for name in vars(georoads.errors) if name.endswith("Error")}
PROPER = ("DeepLab", "GeoJSON", "GeoPackage", "GeoParquet", "ImageNet", "Kaggle", "OpenVINO", "PostGIS")
"""What a message may begin with, besides fields and words all in capitals."""


@dataclass(frozen=True)
class Told:
    """An error in the source: where, and its texts with fields in braces; None: made elsewhere."""

    where: str
    message: str | None
    hint: str | None


def text(node: ast.expr, known: dict[str, ast.expr]) -> str | None:
    """The text of an expression, with {…} for what is filled in; None where it is no text."""
    match node:
        case ast.Constant(value=str(value)):
            return value
        case ast.JoinedStr(values=parts):
            return "".join(
                str(part.value) if isinstance(part, ast.Constant) else f"{{{ast.unparse(part.value)}}}"
                for part in parts
                if isinstance(part, ast.Constant | ast.FormattedValue)
            )
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            return f"{text(left, known) or '{…}'}{text(right, known) or '{…}'}"
        case ast.IfExp(body=body, orelse=other):
            return f"{text(body, known)} | {text(other, known)}"
        case ast.Name(id=name) if name in known:
            return text(known[name], known)
    return None


def errors() -> list[Told]:
    """All of the package, by file and line."""
    found = []
    for path in sorted(ROOT.rglob("*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        known = {
            target.id: node.value
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign)
            for target in node.targets
            if isinstance(target, ast.Name)
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in ERRORS:
                where = f"{path.relative_to(ROOT)}:{node.lineno}"
                assert len(node.args) == 2 and not node.keywords, f"{where}: message and hint are expected"
                if not any(isinstance(a, ast.Starred) for a in node.args):
                    found.append(Told(where, *(text(a, known) for a in node.args)))
    return sorted(found, key=lambda told: told.where)


def test_errors_say_what_is_wrong_and_give_a_way_out() -> None:
    told = errors()
    assert len(told) > 150
    for one in told:
        print(f"{one.where}\n    {one.message}\n    -> {one.hint}")
    bad = [
        f"{one.where}: {why}: {part!r}"
        for one in told
        for part in (one.message, one.hint)
        if part is not None
        for why in faults(part)
    ]
    assert not bad, "\n" + "\n".join(bad)


def faults(part: str) -> list[str]:
    """What is wrong with a message or hint."""
    found = {
        "it is empty": not part.strip(),
        "it begins with a capital letter": re.match(r"[A-Z][a-z ]", part) and not part.startswith(PROPER),
        "it ends with a full stop": part.endswith((".", "!")) and not part.endswith("…"),
        "it says that something failed, not what": re.search(r"(?i)\b(failed|failure|unable) to\b", part),
        "it calls something invalid and does not say what is expected": re.search(r"(?i)\binvalid\b", part),
        "it begs": re.search(r"(?i)\b(please|sorry|oops)\b", part),
    }
    return [why for why, is_so in found.items() if is_so]


def test_the_rules_find_what_they_forbid() -> None:
    good = "roads.gpkg has no layer 'a'", "{file} is open in another program (QGIS?)", "GeoJSON is WGS 84"
    assert [faults(part) for part in good] == [[], [], []]
    for bad in ("", "Roads are missing", "no layer.", "failed to open {file}", "invalid CRS", "please wait"):
        assert len(faults(bad)) == 1, bad


def test_every_error_that_is_raised_is_read() -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in ROOT.rglob("*.py"))
    raised = len(re.findall(rf"\braise (?:{'|'.join(ERRORS)})\(", source))
    assert raised <= len(errors())
