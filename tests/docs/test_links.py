"""Relative links and anchors of README.md and docs/*.md lead somewhere."""

from __future__ import annotations

from pathlib import Path

import pytest
from documented import PAGES, anchors, links


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.name)
def test_links_lead_to_files_and_headings(page: Path) -> None:
    lost = []
    for target in links(page):
        path, _, anchor = target.partition("#")
        file = (page.parent / path).resolve() if path else page
        if not file.exists() or (anchor and anchor not in anchors(file)):
            lost.append(target)
    assert not lost


def test_a_lost_link_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "# A head, line\n[a](other.md) [b](#a-head-line)\n```\n[c](code.md)\n```\n", encoding="utf-8"
    )
    assert links(page) == ["other.md", "#a-head-line"]
    assert anchors(page) == {"a-head-line"}
