"""The page of commands is fresh; the site builds without a warning and asks nobody for anything."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from documented import GENERATED, ROOT, module_at

from georoads import __version__

pytestmark = pytest.mark.slow


def test_the_page_of_commands_is_fresh() -> None:
    found = GENERATED.read_text(encoding="utf-8")
    assert found == module_at(ROOT / "docs" / "make_cli.py").page(), "stale: python docs/make_cli.py"


@pytest.mark.parametrize(
    ("text", "reshaped"),
    [
        ("see [the recipe](../a/b.toml) and [lines](lines.md)", "see the recipe and [lines](lines.md)"),
        ("```\n[a](../b)\n```", "```\n[a](../b)\n```"),
        ("head\n- a\n  more\n- b\n\n  | t |\n\nend", "head\n\n- a\n    more\n- b\n\n    | t |\n\nend"),
    ],
)
def test_links_out_of_the_docs_become_their_text_and_lists_are_read_as_elsewhere(
    text: str, reshaped: str
) -> None:
    assert module_at(ROOT / "docs" / "site_hooks.py").on_page_markdown(text) == reshaped


def test_the_site_builds_strictly_and_asks_nobody(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="pip install 'georoads[docs]'")
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "-d", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    pages = list((tmp_path / "site").rglob("*.html"))
    assert {"index.html", "cli.html", "faq.html"} <= {page.name for page in pages}
    loads = re.compile(r"<(?:script|link|img|iframe)\b[^>]*(?:src|href)=[\"']?(?:https?:)?//[^\s>]*")
    for page in pages:
        assert not loads.findall(page.read_text(encoding="utf-8")), page.name
    for style in (tmp_path / "site").rglob("*.css"):
        assert not re.findall(r"(?:@import|url\()\s*[\"']?(?:https?:)?//", style.read_text(encoding="utf-8"))


def test_the_citation_is_of_this_version() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    assert citation["version"] == __version__
