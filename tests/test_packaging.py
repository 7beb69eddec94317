"""What is published: one version everywhere, whole lists of dependencies, workflows, the bill of models."""

from __future__ import annotations

import importlib.util
import json
import re
import tomllib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from georoads import __version__
from georoads.errors import GeoroadsError
from georoads.files.ledger import open_ledger
from georoads.model.card import read_card
from georoads.model.checkpoint import shipped_models

yaml = pytest.importorskip("yaml", reason="PyYAML comes with the extra docs")

ROOT = Path(__file__).resolve().parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
RECIPE = ROOT / "packaging" / "conda" / "recipe.yaml"
CONDA_NAMES = {"opencv-python-headless": "py-opencv", "torch": "pytorch"}


def parsed(path: Path) -> dict[str, Any]:
    found = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert isinstance(found, dict)
    return found


def test_one_version_everywhere() -> None:
    assert PROJECT["project"]["version"] == __version__
    changes = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.findall(r"^## (\S+)", changes, re.M)[0] == __version__
    assert parsed(ROOT / "CITATION.cff")["version"] == __version__
    assert parsed(RECIPE)["context"]["version"] == __version__
    assert f"georoads-{__version__}-py3-none-any.whl" in (ROOT / "docs" / "install.md").read_text(
        encoding="utf-8"
    )


def test_unfinished_work_of_another_version_is_told_from_ones_own(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger.jsonl"
    open_ledger(ledger, {"version": "0.1.0", "batch": 5}).close()
    with pytest.raises(GeoroadsError, match="version") as refused:
        open_ledger(ledger, {"version": __version__, "batch": 5})
    assert "'0.1.0' then" in refused.value.hint + refused.value.message
    assert __version__ in refused.value.hint + refused.value.message


def names(requirements: list[str]) -> set[str]:
    found = {re.split(r"[\s<>=!\[;]", line.strip())[0] for line in requirements}
    return {CONDA_NAMES.get(name, name) for name in found}


def test_the_recipe_asks_for_what_the_project_asks_for() -> None:
    recipe = parsed(RECIPE)
    light = names(
        PROJECT["project"]["dependencies"] + PROJECT["project"]["optional-dependencies"]["openvino"]
    )
    assert names(recipe["requirements"]["run"]) == light | {"python"}
    assert names(recipe["requirements"]["run_constraints"]) <= names(
        PROJECT["project"]["optional-dependencies"]["train"]
    )
    bounds = {
        line.replace("opencv-python-headless", "py-opencv") for line in PROJECT["project"]["dependencies"]
    }
    assert {line.replace(" ", "") for line in recipe["requirements"]["run"]} >= bounds
    assert recipe["extra"]["recipe-maintainers"] == []


def test_the_bill_of_models_is_up_to_date() -> None:
    maker = module_at(ROOT / "packaging" / "make_items.py")
    cards = [read_card(path) for path in shipped_models().values()]
    written = (ROOT / "packaging" / "models.cdx.json").read_text(encoding="utf-8")
    assert written == maker.as_text(maker.bill_of_models(cards)), "run: python packaging/make_items.py"
    hashes = {c["bom-ref"]: c["hashes"][0]["content"] for c in json.loads(written)["components"]}
    assert hashes == {file: sha256 for card in cards for file, sha256 in card.files.items()}
    assert PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]["sbom-files"] == [
        "packaging/models.cdx.json"
    ]


def module_at(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda p: p.stem)
def test_workflows_are_bounded_and_may_little(path: Path) -> None:
    workflow = parsed(path)
    assert workflow["permissions"] == {"contents": "read"}
    for name, job in workflow["jobs"].items():
        if "uses" in job:
            assert (ROOT / job["uses"]).is_file(), name
            continue
        assert job["timeout-minutes"] <= 90, name
        for step in job["steps"]:
            assert ("uses" in step) != ("run" in step), name
            # A tag or branch is named; nothing of a pull request's text comes into a shell.
            assert "@" in step.get("uses", "@")
            assert "${{ github" not in step.get("run", "")


def test_tests_run_on_all_systems_and_publishing_needs_no_secret() -> None:
    assert {path.stem for path in WORKFLOWS} == {"tests", "package", "release"}
    by_name = {path.stem: parsed(path) for path in WORKFLOWS}
    for job in ("light", "tests"):
        systems = by_name["tests"]["jobs"][job]["strategy"]["matrix"]["os"]
        assert {system.partition("-")[0] for system in systems} == {"ubuntu", "macos", "windows"}
    publish = by_name["release"]["jobs"]["publish"]
    assert publish["permissions"] == {"id-token": "write"} and publish["environment"]
    assert "secrets." not in (ROOT / ".github" / "workflows" / "release.yml").read_text(encoding="utf-8")
    (step,) = (step for step in publish["steps"] if "publish" in step.get("uses", ""))
    assert step["with"]["attestations"] is True


def instructions() -> list[tuple[str, str]]:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    whole = "\n".join(lines).replace("\\\n", " ")
    return [
        (word, rest.strip())
        for word, _, rest in (line.partition(" ") for line in whole.splitlines() if line.strip())
    ]


def test_the_images_are_not_run_by_root() -> None:
    stages: dict[str, tuple[str, list[tuple[str, str]]]] = {}
    for word, rest in instructions():
        if word == "FROM":
            base, _, name = rest.partition(" AS ")
            stages[name] = base, []
        elif stages:
            stages[[*stages][-1]][1].append((word, rest))
    assert [*stages] == ["build", "core", "cuda", "light"]
    for name in ("cuda", "light"):
        base, steps = stages[name]
        assert base == "core"
        users = [rest for word, rest in steps if word == "USER"]
        assert users == ["roads"]
        pips = [rest for word, rest in steps if "pip install" in rest]
        assert len(pips) == 1 and (",train]" in pips[0]) == (name == "cuda")
    assert ("ENTRYPOINT", '["georoads"]') in stages["core"][1]


def test_what_is_left_out_of_the_images_context_is_not_copied() -> None:
    kept = [
        line[1:]
        for line in (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
        if line.startswith("!")
    ]
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    needed = [
        *wheel["packages"],
        *wheel["force-include"],
        *wheel["sbom-files"],
        "pyproject.toml",
        "constraints.txt",
    ]
    assert {*needed, "README.md", "LICENSE"} == {*kept}


def test_no_registry_is_named_by_its_host() -> None:
    hosts = ("pypi" + ".org", "pythonhosted" + ".org", "conda.anaconda" + ".org")
    files = [*WORKFLOWS, RECIPE, ROOT / "Dockerfile", ROOT / "docs" / "install.md", ROOT / "pyproject.toml"]
    assert not [
        (file.name, host) for file in files for host in hosts if host in file.read_text(encoding="utf-8")
    ]
