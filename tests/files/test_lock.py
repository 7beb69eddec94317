"""One run at a time; a dead owner's lock is taken over."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from georoads.errors import GeoroadsError
from georoads.files.lock import only_run

ROOT = Path(__file__).resolve().parents[2]
OWNER = """
import sys, time
from pathlib import Path
from georoads.files.lock import only_run
with only_run(Path(sys.argv[1]), "it"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_run_is_refused_with_the_first_ones_name_and_a_dead_ones_lock_is_taken(
    tmp_path: Path,
) -> None:
    lock = tmp_path / "x.lock"
    with subprocess.Popen(
        [sys.executable, "-c", OWNER, str(lock)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        assert owner.stdout.readline().strip() == "held"
        said = f"the data .* by process {owner.pid} on "
        with pytest.raises(GeoroadsError, match=said) as caught, only_run(lock, "the data"):
            pytest.fail("two owners")
        assert "x.lock" in caught.value.hint
        owner.kill()
    assert lock.exists()
    with only_run(lock, "the data"):
        assert str(os.getpid()) in lock.read_text()
    assert not lock.exists()


def test_the_lock_goes_when_the_work_fails(tmp_path: Path) -> None:
    lock = tmp_path / "x.lock"
    with pytest.raises(ValueError, match="work"), only_run(lock, "it"):
        raise ValueError("work")
    assert not lock.exists()
    with only_run(lock, "it"):
        pass
