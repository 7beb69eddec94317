"""No module imports one that imports it, however far around: not in a function, not for types alone."""

from __future__ import annotations

import ast
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in (ROOT / "georoads").rglob("*.py")
}
# The package itself names what its modules offer and loads each when it is asked for.
del MODULES["georoads"]


def imported_by(module: str) -> set[str]:
    """The modules of georoads that a module's text imports, at the top or anywhere else in it."""
    named = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            named |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports by a relative name"
            # `from package import name` imports the module of that name where there is one, else the package.
            whole = {f"{node.module}.{alias.name}" for alias in node.names}
            named |= whole & MODULES.keys() or {str(node.module)}
    return named & MODULES.keys()


def test_no_module_imports_itself_by_a_detour() -> None:
    try:
        TopologicalSorter({module: imported_by(module) for module in MODULES}).prepare()
    except CycleError as error:
        raise AssertionError(" is imported by ".join(error.args[1])) from None
