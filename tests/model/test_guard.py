"""Importing smp beside a torchvision whose compiled part does not load."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest


@pytest.mark.slow
def test_smp_imports_without_torchvisions_operators(tmp_path: object) -> None:
    # A fresh process in which torchvision's extension cannot be found, as with wheels that do not fit.
    code = """
        import torch
        loaded = torch.ops.load_library
        def refuse(path):
            if "torchvision" in str(path):
                raise OSError("undefined symbol")
            return loaded(path)
        torch.ops.load_library = refuse
        from georoads.model.guard import import_smp, torchvision_is_usable
        assert not torchvision_is_usable()
        smp = import_smp()
        from georoads.model.build import build
        from georoads.model.config import ModelConfig
        with torch.inference_mode():
            out = build(ModelConfig(encoder="resnet18")).eval()(torch.zeros(1, 3, 64, 64))
        print(tuple(out.shape))
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "(1, 1, 64, 64)"
