"""Where converted and compiled models are kept."""

from __future__ import annotations

from pathlib import Path

import platformdirs
import pytest

from georoads.model.cache import cache_folder


@pytest.fixture(autouse=True)
def nowhere_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GEOROADS_CACHE", raising=False)


def test_the_cache_lies_where_the_system_keeps_such_folders_or_where_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(platformdirs, "user_cache_path", lambda name, appauthor: tmp_path / "usual" / name)
    assert cache_folder() == tmp_path / "usual" / "georoads"
    monkeypatch.setenv("GEOROADS_CACHE", str(tmp_path / "mine"))
    assert cache_folder() == tmp_path / "mine"
    assert (tmp_path / "mine").is_dir()


def test_without_a_home_the_cache_is_temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def without_home(name: str, appauthor: bool) -> Path:
        raise RuntimeError("could not determine the home directory")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    for found in (without_home, lambda name, appauthor: Path("~/.cache") / name):
        monkeypatch.setattr(platformdirs, "user_cache_path", found)
        assert cache_folder().name.startswith("georoads-")
    assert not (tmp_path / "~").exists()
