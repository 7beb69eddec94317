"""Each row of docs/faults.md has a test of its number, and each numbered test a row."""

from __future__ import annotations

import re
from pathlib import Path

FOLDER = Path(__file__).parent
TABLE = FOLDER.parents[1] / "docs" / "faults.md"


def test_every_row_has_a_test_and_every_test_a_row() -> None:
    rows = [int(n) for n in re.findall(r"^\| (\d+) \|", TABLE.read_text(encoding="utf-8"), re.MULTILINE)]
    tested = {
        int(n)
        for file in FOLDER.glob("test_*.py")
        for n in re.findall(r"^def test_(\d{2,3})_", file.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert rows == [*range(1, len(rows) + 1)]
    assert set(rows) == tested
