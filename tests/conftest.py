"""Helper modules of a test folder (drawings, stubs) are importable from the tests beside them."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from hypothesis import settings

# The same examples on every machine and day: a gate must not fail by luck. New ones are looked for with
# HYPOTHESIS_PROFILE=default, and in number by benchmarks/fuzz.py.
settings.register_profile("gate", derandomize=True)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "gate"))

for folder in Path(__file__).parent.iterdir():
    if folder.is_dir() and not folder.name.startswith("_") and str(folder) not in sys.path:
        sys.path.append(str(folder))

from postgres_server import address, schema, server  # noqa: E402, F401 (fixtures)
