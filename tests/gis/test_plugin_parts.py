"""The QGIS plugin without QGIS: its description, command lines, runs, environment, zip and licence."""

from __future__ import annotations

import ast
import configparser
import os
import signal
import subprocess
import sys
import time
import tomllib
import zipfile
from pathlib import Path
from typing import Any

import pytest
from documented import module_at
from plugin_parts import PLUGIN, ROOT, plugin_part

from georoads import __version__
from georoads.cli.main import cli

command, environment, offers, run, unfinished = map(
    plugin_part, ("command", "environment", "offers", "run", "unfinished")
)
make_zip = module_at(ROOT / "qgis" / "packaging" / "make_zip.py")
MODULES = sorted(PLUGIN.glob("*.py"))
_, COMMANDS = command.read_description()
OFFERS = {offer.id: offer for offer in offers.OFFERS}


# What it is made of


def test_its_copies_are_fresh() -> None:
    stale = "stale: python qgis/packaging/make_zip.py"
    assert (PLUGIN / "description.json").read_text(encoding="utf-8") == make_zip.description(), stale
    assert f"version={__version__}\n" in (PLUGIN / "metadata.txt").read_text(encoding="utf-8"), stale


@pytest.mark.parametrize("path", MODULES, ids=lambda p: p.stem)
def test_it_imports_qgis_and_itself_only_and_python_3_9_reads_it(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 9))
    imported = {a.name for node in ast.walk(tree) if isinstance(node, ast.Import) for a in node.names}
    imported |= {n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and not n.level}
    others = {name.partition(".")[0] for name in imported} - sys.stdlib_module_names
    assert others <= {"qgis", "processing"}
    assert "SPDX-License-Identifier: GPL-2.0-or-later" in path.read_text(encoding="utf-8").splitlines()[0]


def test_neither_wheel_nor_sdist_hold_it() -> None:
    build = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"]
    assert build["targets"]["wheel"]["packages"] == ["georoads"]
    assert not [name for name in build["targets"]["sdist"]["include"] if name.startswith("qgis")]


def test_the_zip_is_whole_and_the_same_each_time(tmp_path: Path) -> None:
    more = {"repository": "https://example.org/georoads", "email": "roads@example.org"}
    for name in ("a.zip", "b.zip"):
        make_zip.write_zip(tmp_path / name, more)
    assert (tmp_path / "a.zip").read_bytes() == (tmp_path / "b.zip").read_bytes()
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        names = {Path(name).name for name in archive.namelist()}
        stated = configparser.ConfigParser(interpolation=None)
        stated.read_string(archive.read("georoads/metadata.txt").decode())
        licence = archive.read("georoads/LICENSE").decode()
    assert {"LICENSE", "metadata.txt", "constraints.txt", "icon.svg", "description.json"} <= names
    assert {path.name for path in MODULES} <= names
    general = dict(stated["general"])
    assert "GNU GENERAL PUBLIC LICENSE" in licence and "END OF TERMS AND CONDITIONS" in licence
    asked = ("name", "qgisminimumversion", "description", "about", "version", "author", "email", "repository")
    assert all(general[key] for key in asked)
    assert general["hasprocessingprovider"] == "yes"


@pytest.mark.slow
def test_its_types() -> None:
    pure = ("command", "environment", "offers", "run", "unfinished")
    words = [sys.executable, "-m", "mypy", "--strict", "--explicit-package-bases", "--config-file="]
    words += ["--follow-imports=silent", "--ignore-missing-imports"]  # the others import QGIS
    files = [f"georoads/{name}.py" for name in pure]
    done = subprocess.run(
        [*words, "--cache-dir", str(ROOT / ".mypy_cache" / "qgis"), *files],
        cwd=PLUGIN.parent, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


# From the description to the command line


@pytest.mark.parametrize("offer", OFFERS.values(), ids=OFFERS)
def test_an_offer_names_parameters_that_there_are_and_leaves_out_none_that_must_be(offer: Any) -> None:
    known = {each.name: each for each in COMMANDS[offer.command].parameters}
    named = {*offer.roles, *offer.shown, *offer.left_out, *offer.labels, *filter(None, [offer.output])}
    assert named <= known.keys()
    assert not [name for name in offer.left_out if known[name].required]
    assert {name for name, each in known.items() if each.required} <= set(offer.shown)


def value_for(parameter: Any) -> Any:
    """Some value that the parameter takes and that is not its default."""
    if parameter.type == "choice":
        return next(choice for choice in parameter.choices if choice != parameter.default)
    if parameter.name == "settings":
        return ["network.spur_m=8", "for=osm"]
    named = {"boolean": not parameter.default, "number": 0.123456789012, "integer": 3, "path": "-a b.tif"}
    value = named.get(parameter.type, "1,2,3" if parameter.name == "bidx" else "x.gpkg")
    return [value, f"{value}2"] if parameter.multiple else value


@pytest.mark.parametrize("offer", OFFERS.values(), ids=OFFERS)
def test_click_reads_from_a_command_line_the_values_that_it_was_made_of(offer: Any) -> None:
    described = COMMANDS[offer.command]
    values = {each.name: value_for(each) for each in described.parameters}
    progress, form, name, *words = command.command_line(described, values)
    assert (progress, form, name) == ("--progress", "json", offer.command)
    read = cli.commands[name].make_context(name, words).params
    assert {key: as_told(value) for key, value in read.items() if key in values} == {
        key: as_told(value) for key, value in values.items()
    }


def as_told(value: Any) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(map(as_told, value))
    return str(getattr(value, "path", value))


def test_defaults_and_what_is_left_open_make_no_word() -> None:
    values = {each.name: each.default for each in COMMANDS["score"].parameters} | {"layer": "", "buffer_m": 4}
    assert command.command_line(COMMANDS["score"], values)[3:] == ["--"]
    assert command.command_line(COMMANDS["extract"], {"resume": True, "overwrite": False})[3:] == [
        "--resume", "--",
    ]  # fmt: skip
    assert "--restart" in command.command_line(COMMANDS["extract"], {"resume": False})
    with pytest.raises(KeyError, match="smoth"):
        command.command_line(COMMANDS["extract"], {"smoth": 1})


# Runs

TALKER = """
import signal, sys, time
def say(text): print(text, file=sys.stderr, flush=True)
def stop(number, frame):
    say("stopped; --resume goes on where it was")
    sys.exit(143)
mode = sys.argv[1]
if mode != "kill": signal.signal(signal.SIGTERM, stop if mode == "wait" else signal.SIG_IGN)
say('{"stage": "predict", "done": 1, "total": 4, "unit": "tiles", "note": ""}')
print("a table", flush=True)
say("note: ä {not json")
say("{not json either")
if mode == "refuse":
    say("error: a.tif is none"); say("hint: give one"); sys.exit(1)
if mode == "usage":
    say("Usage: georoads"); say("Error: No such option '--smoth'."); sys.exit(2)
if mode in ("wait", "deaf"):
    say("waiting"); time.sleep(60)
"""


def talk(tmp_path: Path, mode: str) -> tuple[Any, list[str], list[float]]:
    """How the talker ended, its lines and its progress; it is stopped when it says that it waits."""
    script, lines, shares = tmp_path / "talker.py", list[str](), list[float]()
    script.write_text(TALKER, encoding="utf-8")
    ended = run.run(
        [sys.executable, str(script), mode], environment.cleaned(os.environ), on_line=lines.append,
        on_progress=lambda progress: shares.append(progress.percent),
        is_cancelled=lambda: "waiting" in lines,
    )  # fmt: skip
    return ended, lines, shares


def test_progress_notes_and_figures_are_told_apart(tmp_path: Path) -> None:
    ended, lines, shares = talk(tmp_path, "well")
    assert ended.well and not ended.stopped
    assert sorted(lines) == ["a table", "note: ä {not json", "{not json either"]
    assert shares == [25.0]


def test_error_and_hint_are_kept(tmp_path: Path) -> None:
    ended, _, _ = talk(tmp_path, "refuse")
    assert (ended.code, ended.error, ended.hint) == (1, "a.tif is none", "give one")
    assert talk(tmp_path, "usage")[0].error == "No such option '--smoth'."


@pytest.mark.skipif(os.name == "nt", reason="no SIGTERM")
@pytest.mark.parametrize("mode", ["wait", "deaf"])
def test_a_run_is_stopped_and_one_that_does_not_hear_is_killed(
    tmp_path: Path, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "PATIENCE_S", 0.3 if mode == "deaf" else 30)
    began = time.monotonic()
    ended, _, _ = talk(tmp_path, mode)
    assert ended.stopped and not ended.well
    assert ended.code == (143 if mode == "wait" else -signal.SIGKILL)
    assert time.monotonic() - began < 20


@pytest.mark.skipif(os.name == "nt", reason="no SIGTERM")
def test_a_signal_to_this_process_is_a_wish_to_stop_and_handlers_come_back() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with run.signals_heard() as heard:
        assert not heard()
        os.kill(os.getpid(), signal.SIGTERM)
        assert heard()
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_program_that_is_none_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        run.run([str(tmp_path / "none")], {})


# Environments


def program(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("#!/bin/sh\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.mark.skipif(os.name == "nt", reason="programs have a suffix there")
def test_georoads_is_looked_for_in_three_places(tmp_path: Path) -> None:
    home, environ = tmp_path / "home", {"PATH": str(tmp_path / "bin")}
    home.mkdir()
    with pytest.raises(environment.MissingError, match="Set up georoads"):
        environment.find_program("", home, environ)
    on_path = program(tmp_path / "bin" / "georoads")
    assert environment.find_program("", home, environ).path == on_path
    own = program(home / "venv" / "bin" / "georoads")
    assert environment.find_program("", home, environ).path == on_path  # its making was stopped
    assert environment.mark_ready(home).path == own
    assert environment.find_program("", home, environ).path == own
    stated = program(tmp_path / "elsewhere" / "georoads")
    assert environment.find_program(str(stated), home, environ).path == stated
    with pytest.raises(environment.MissingError, match="is no file"):
        environment.find_program(str(tmp_path / "none"), home, environ)
    environment.clear(home)
    assert environment.find_program("", home, environ).path == on_path


@pytest.mark.skipif(os.name == "nt", reason="programs have a suffix there")
def test_an_environment_is_made_by_uv_or_by_venv_and_pip(tmp_path: Path) -> None:
    environ = {"PATH": str(tmp_path)}
    with pytest.raises(environment.MissingError, match="install Python, or uv"):
        environment.setup_steps(tmp_path, "9.9", environ)
    (tmp_path / "python3").symlink_to(sys.executable)
    made, filled = environment.setup_steps(tmp_path, "9.9", environ)
    assert made.words[:3] == (str(tmp_path / "python3"), "-m", "venv")
    assert filled.words[1:4] == ("-m", "pip", "install")
    assert filled.words[-1] == "georoads[openvino]==9.9"
    uv = str(program(tmp_path / "uv"))
    wheel = program(tmp_path / "georoads-9.9-py3-none-any.whl")
    made, filled = environment.setup_steps(tmp_path, "9.9", environ, str(wheel))
    assert made.words[:2] == (uv, "venv")
    assert filled.words[:3] == (uv, "pip", "install")
    assert filled.words[-1] == f"{wheel}[openvino]"
    with pytest.raises(environment.MissingError, match="name a wheel"):
        environment.setup_steps(tmp_path, "9.9", environ, str(tmp_path / "none.whl"))


def test_what_qgis_sets_for_itself_does_not_reach_georoads() -> None:
    of_qgis = {"PYTHONPATH": "a", "PYTHONHOME": "b", "PROJ_LIB": "c", "GDAL_DATA": "d", "HOME": "e"}
    cleaned = environment.cleaned(of_qgis)
    assert cleaned.keys() & of_qgis.keys() == {"HOME"}
    assert cleaned["PYTHONUTF8"] == "1"


# Work towards temporary outputs


def test_the_same_parameters_lead_to_the_same_unfinished_work(tmp_path: Path) -> None:
    first = unfinished.place(tmp_path, ["a=1", "b=2"], ".gpkg")
    assert first == unfinished.place(tmp_path, ["a=1", "b=2"], ".gpkg")
    assert first != unfinished.place(tmp_path, ["a=1", "b=3"], ".gpkg")
    assert first.parent.is_dir() and first.suffix == ".gpkg"


def test_only_old_unfinished_work_is_thrown_away(tmp_path: Path) -> None:
    old, new = tmp_path / "unfinished" / "a.gpkg.work", tmp_path / "unfinished" / "b.gpkg.work"
    for folder in (old, new):
        folder.mkdir(parents=True)
        (folder / "tiles").write_bytes(b"1")
    long_ago = time.time() - 15 * 86400
    for path in (old / "tiles", old):
        os.utime(path, (long_ago, long_ago))
    assert unfinished.forget_old(tmp_path) == 1
    assert (new / "tiles").exists() and not old.exists()
    assert unfinished.forget_old(tmp_path / "none") == 0
