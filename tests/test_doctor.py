"""georoads doctor: a healthy machine, and sick ones."""

from __future__ import annotations

import types
from importlib.metadata import PackageNotFoundError

import pytest
from click.testing import CliRunner

import georoads.doctor as doctor
from georoads.cli.main import cli
from georoads.doctor import Finding, State
from georoads.errors import GeoroadsError


def findings(*checks: object) -> list[Finding]:
    return [finding for check in checks for finding in check()]  # type: ignore[operator]


def test_this_machine_is_well_and_the_runtime_is_named() -> None:
    done = CliRunner().invoke(cli, ["doctor"])
    assert done.exit_code == 0, done.output
    assert "auto takes: " in done.output
    assert "projections: work" in done.output
    assert "BROKEN" not in done.output


def test_a_gpu_that_torch_cannot_use_is_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    if torch.cuda.is_available() or torch.backends.mps.is_available():
        pytest.skip("this machine has a GPU")
    monkeypatch.setattr(doctor, "_driver_is_there", lambda: True)
    (finding,) = findings(doctor._gpu)
    assert finding.state is State.BROKEN
    assert "install a torch build" in finding.remedy
    assert CliRunner().invoke(cli, ["doctor"]).exit_code == 1


def test_a_foreign_proj_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    import pyproj

    class Lost:
        @staticmethod
        def from_crs(*args: object, **how: object) -> object:
            raise pyproj.exceptions.CRSError("proj.db lacks DATABASE.LAYOUT.VERSION")

    monkeypatch.setenv("PROJ_LIB", "/elsewhere/share/proj")
    monkeypatch.setattr(pyproj, "Transformer", Lost)
    (finding,) = findings(doctor._projections)
    assert finding.state is State.BROKEN
    assert "DATABASE.LAYOUT" in finding.seen
    assert finding.remedy == "unset PROJ_LIB"


def test_a_damaged_model_and_a_missing_package_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def damaged() -> object:
        raise GeoroadsError("weights are not those of the card", "copy them again")

    def version(name: str) -> str:
        if name == "rasterio":
            raise PackageNotFoundError
        return "1"

    monkeypatch.setattr(doctor, "version", version)
    monkeypatch.setattr(doctor, "_models", damaged)
    for other in ("_torchvision", "_gpu", "_runtimes", "_projections", "_drivers", "_caches"):
        monkeypatch.setattr(doctor, other, types.FunctionType((lambda: iter(())).__code__, {}))
    broken = [f for f in doctor.examine() if f.state is State.BROKEN]
    assert [(f.what, f.seen) for f in broken] == [
        ("packages", "missing: rasterio"),
        ("damaged", "weights are not those of the card"),
    ]
