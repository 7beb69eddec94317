"""What mkdocs does to a page first, so that it reads as it does in the repository."""

from __future__ import annotations

import re
from typing import Any

_OUTWARD = re.compile(r"\[([^\]]*)\]\(\.\./[^)]*\)")
_ITEM = re.compile(r"^ *(?:[-*]|\d+\.) ")


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Links that leave docs/ become their text; lists may follow a line and be indented by two.

    Python-Markdown wants an empty line before a list, and four spaces where others are content with two.
    """
    lines: list[str] = []
    fenced = listed = False
    for line in markdown.split("\n"):
        fenced ^= line.lstrip().startswith("```")
        if not fenced and not line.lstrip().startswith("```"):
            line = _OUTWARD.sub(r"\1", line)
        is_item = bool(_ITEM.match(line)) and not fenced
        if is_item and not listed and lines and lines[-1].strip():
            lines.append("")
        if line.strip():
            after_blank = bool(lines) and not lines[-1].strip()
            listed = is_item or (listed and (line.startswith("  ") or not after_blank))
        if listed and line.startswith("  ") and not line.startswith("    "):
            line = "    " + line.lstrip()
        lines.append(line)
    return "\n".join(lines)
