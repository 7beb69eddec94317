"""``georoads demo``: the first run of a newcomer."""

from __future__ import annotations

import webbrowser
from pathlib import Path

import pytest
from command_line import refused, typed

from georoads.output.read import read_roads

pytestmark = pytest.mark.slow


def test_a_newcomer_sees_roads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    folder = tmp_path / "first"
    ended = typed("demo", "-o", folder)
    assert ended.code == 0, ended.err
    assert sorted(p.name for p in folder.iterdir()) == ["map.html", "probability.tif", "roads.gpkg"]
    assert len(read_roads(folder / "roads.gpkg").lines) > 50
    assert opened == [(folder / "map.html").resolve().as_uri()]
    assert "georoads extract scene.tif -o roads.gpkg" in ended.out
    # A second run replaces the first; nothing is opened where that is not wanted.
    assert typed("demo", "-o", folder, "--no-browser", "-q").code == 0
    assert len(opened) == 1


def test_a_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused("demo", "-o", tmp_path / "file" / "x", "--no-browser", says="cannot be made", hint="-o FOLDER")
