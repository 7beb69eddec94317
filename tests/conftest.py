"""Helper modules of a test folder (drawings, stubs) are importable from the tests beside them."""

from __future__ import annotations

import sys
from pathlib import Path

for folder in Path(__file__).parent.iterdir():
    if folder.is_dir() and not folder.name.startswith("_") and str(folder) not in sys.path:
        sys.path.append(str(folder))

from postgres_server import address, schema, server  # noqa: E402, F401 (fixtures)
