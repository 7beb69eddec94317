"""Two processes train together, and judge as one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from drawn_pairs import draw_pairs
from two_ranks import counts_of, tiny

from georoads.training.distributed import join_process_group
from georoads.training.run_folder import read_history

pytestmark = pytest.mark.slow

HERE = Path(__file__).resolve().parent


@pytest.mark.skipif(sys.platform == "win32", reason="torchrun's gloo rendezvous is not tested on Windows")
def test_two_gloo_ranks_train_and_judge_as_one(tmp_path: Path) -> None:
    data = draw_pairs(tmp_path / "d", [f"t{i}" for i in range(14)])
    run, report = tmp_path / "run", tmp_path / "report.json"
    paths = [str(HERE), str(HERE.parent / "data"), str(HERE.parent.parent)]
    environment = os.environ | {
        "OMP_NUM_THREADS": "1",
        "PYTHONFAULTHANDLER": "1",
        "PYTHONPATH": os.pathsep.join(paths),
    }
    done = subprocess.run(
        [
            sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2",
            str(HERE / "two_ranks.py"), str(data), str(run), str(report),
        ],
        env=environment, capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    together = json.loads(report.read_text())
    assert together["world"] == 2
    assert together["counts"] == counts_of(tiny(data), run, join_process_group({}))
    # 13 training pictures of 96² px on two ranks of 2 chips of 64² px: 7 steps an epoch, not 15.
    assert [e.step for e in read_history(run)] == [7, 14]
