"""The house rules that tools check: ruff, mypy --strict, import-linter, sizes, examples, light imports."""

from __future__ import annotations

import ast
import doctest
import importlib
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MODULES = sorted((ROOT / "georoads").rglob("*.py"))


def run(*command: str) -> str:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def tool(name: str) -> str:
    path = shutil.which(name, path=sysconfig.get_path("scripts")) or shutil.which(name)
    if path is None:
        pytest.fail(f"{name} is not installed: pip install 'georoads[test]'")
    return path


def test_ruff() -> None:
    run(tool("ruff"), "check", ".")


def test_format() -> None:
    run(tool("ruff"), "format", "--check", ".")


@pytest.mark.slow
def test_mypy() -> None:
    run(tool("mypy"))


@pytest.mark.slow
def test_import_contracts() -> None:
    run(tool("lint-imports"))


def test_no_module_over_400_lines() -> None:
    long = {p.name: n for p in MODULES if (n := len(p.read_text(encoding="utf-8").splitlines())) > 400}
    assert not long


def test_no_body_over_40_lines() -> None:
    long = {f"{name}: {n} lines" for name, n in bodies() if n > 40}
    assert not long


def bodies() -> Iterator[tuple[str, int]]:
    """Every function of the product, and the lines of its body without the docstring."""
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                body = node.body[ast.get_docstring(node) is not None :] or node.body
                lines = (body[-1].end_lineno or 0) - body[0].lineno + 1
                yield f"{path.relative_to(ROOT / 'georoads').as_posix()} {node.name}", lines


def test_public_functions_of_three_or_more_parameters_describe_each() -> None:
    silent = {where for where, n, docstring in documented() if n >= 3 and "Args:" not in docstring}
    assert not silent


def documented() -> Iterator[tuple[str, int, str]]:
    """Every public function and method: where it stands, its parameters besides self, its docstring.

    To a constructor's docstring that of its class is added. The help of a command describes its flags.
    """
    for path in MODULES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        owners: list[ast.Module | ast.ClassDef] = [tree]
        owners += [n for n in tree.body if isinstance(n, ast.ClassDef) and not n.name.startswith("_")]
        for owner in owners:
            for node in owner.body:
                if not isinstance(node, ast.FunctionDef) or is_command(node):
                    continue
                docstring = ast.get_docstring(node) or ""
                if node.name == "__init__":
                    docstring += ast.get_docstring(owner) or ""
                elif node.name.startswith("_"):
                    continue
                given = node.args
                names = [a.arg for a in (*given.posonlyargs, *given.args, *given.kwonlyargs)]
                yield f"{path.name} {node.name}", len({*names} - {"self", "cls"}), docstring


def is_command(node: ast.FunctionDef) -> bool:
    return any("command" in ast.unparse(d) for d in node.decorator_list)


@pytest.mark.parametrize("room", ["network", "output", "scene", "scoring", "view", "walk"])
def test_no_environment_variable_below_the_command_line(room: str) -> None:
    modules = (ROOT / "georoads" / room).rglob("*.py")
    assert not [p.name for p in modules if re.search(r"os\.environ|getenv", p.read_text(encoding="utf-8"))]


EXAMPLES = [p for p in MODULES if ">>>" in p.read_text(encoding="utf-8") and p.name != "api.py"]
"""Modules whose docstrings hold examples; those of the API need a scene and run in test_api."""


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_the_examples_of_docstrings_run(path: Path) -> None:
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    found = doctest.testmod(importlib.import_module(name))
    assert found.attempted
    assert not found.failed


@pytest.mark.parametrize("module", ["georoads"])
def test_light_import(module: str) -> None:
    heavy = ("torch", "rasterio", "geopandas", "skimage", "matplotlib")
    code = f"import sys, {module}; print([m for m in {heavy!r} if m in sys.modules])"
    assert run(sys.executable, "-c", code).strip() == "[]"
