"""Folders appear whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest

from georoads.errors import GeoroadsError
from georoads.files.folder import replace_folder_when_complete


def fill(target: Path, text: str = "new", **more: object) -> None:
    with replace_folder_when_complete(target, **more) as part:  # type: ignore[arg-type]
        (part / "sub").mkdir()
        (part / "sub" / "a.txt").write_text(text)
        (part / "made.json").write_text("{}")


def names(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir())


def test_it_appears_when_the_block_ends_well(tmp_path: Path) -> None:
    fill(tmp_path / "d")
    assert names(tmp_path) == ["d"]
    assert (tmp_path / "d" / "sub" / "a.txt").read_text() == "new"


def test_nothing_is_left_when_it_does_not(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), replace_folder_when_complete(tmp_path / "d") as part:
        (part / "half").write_text("x")
        raise KeyboardInterrupt
    assert names(tmp_path) == []


def test_an_empty_folder_is_taken(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    fill(tmp_path / "d")
    assert names(tmp_path / "d") == ["made.json", "sub"]


def test_replacing(tmp_path: Path) -> None:
    fill(tmp_path / "d", "old")
    (tmp_path / "d" / "stale").write_text("x")
    with pytest.raises(GeoroadsError, match="exists"):
        fill(tmp_path / "d", marker="made.json")
    fill(tmp_path / "d", overwrite=True, marker="made.json")
    assert names(tmp_path / "d") == ["made.json", "sub"]
    assert names(tmp_path) == ["d"]


def test_a_folder_of_another_kind_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / "letters.txt").write_text("dear")
    with pytest.raises(GeoroadsError, match=r"holds no made\.json"):
        fill(tmp_path / "d", overwrite=True, marker="made.json")
    assert names(tmp_path / "d") == ["letters.txt"]


def test_places_where_no_folder_can_be(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("x")
    with pytest.raises(GeoroadsError, match="is a file"):
        fill(tmp_path / "f", overwrite=True)
    with pytest.raises(GeoroadsError, match="does not exist"):
        fill(tmp_path / "no" / "d")
