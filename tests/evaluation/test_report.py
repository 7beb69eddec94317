from __future__ import annotations

import csv
import dataclasses
import json
from html.parser import HTMLParser
from pathlib import Path

import pytest
from drawn_evaluation import CARD, BrightIsRoad, drawn_samples

from georoads.errors import GeoroadsError
from georoads.evaluation.evaluate import EvaluateParams, Evaluation, evaluate_samples
from georoads.evaluation.gallery import Gallery
from georoads.evaluation.report import FILES, About, check_report, metrics, write_report

EVIL = "<script>alert('1')</script>&\"$tiles\n"
VOID = {"meta", "link", "img", "br"}


class Page(HTMLParser):
    """Checks that tags close in order; collects tags, attributes and text."""

    def __init__(self, content: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(content)
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def evaluated(folder: Path, names: list[str], subset: str = "val") -> tuple[Evaluation, About, Gallery]:
    samples = drawn_samples(folder, names)
    gallery, how = Gallery(2), EvaluateParams(subset)
    found = evaluate_samples(samples, CARD, BrightIsRoad(150), how, on_tile=gallery.consider)
    return found, About("roads", "random", CARD, "stub cpu fp32", 0.25, how), gallery


def test_the_folder_holds_what_it_promises(tmp_path: Path) -> None:
    found, about, gallery = evaluated(tmp_path / "data", ["a", "b,c", "d"])
    write_report(tmp_path / "report", found, about, gallery)
    report = tmp_path / "report"
    assert {p.name for p in report.iterdir()} == set(FILES)
    for name in ("pr_curve.png", "calibration.png"):
        assert (report / name).read_bytes().startswith(b"\x89PNG")
    figures = json.loads((report / "metrics.json").read_text(encoding="utf-8"))
    assert figures == json.loads(json.dumps(metrics(found, about)))
    with (report / "tiles.csv").open(newline="", encoding="utf-8") as f:
        rows = list(csv.DictReader(f))
    assert [r["name"] for r in rows] == ["a", "b,c", "d"]
    figures = [float(rows[1][name]) for name in ("iou", "cldice", "cldice_precision")]
    score, topology = found.tiles[1].score, found.tiles[1].cldice
    assert figures == pytest.approx([score.iou, topology.cldice, topology.precision], abs=1e-6)
    assert rows[0]["valid_pixels"] == str(96 * 96)


def test_metrics_have_the_names_that_others_read(tmp_path: Path) -> None:
    found, about, _ = evaluated(tmp_path, ["a", "b"])
    figures = metrics(found, about)
    assert figures["road_iou"] == figures["at_threshold"]["iou"] == found.at_threshold.iou
    assert (figures["subset"], figures["tiles"], figures["threshold"]) == ("val", 2, CARD.threshold)
    assert figures["per_tile"].keys() == {"a", "b"}
    topology = figures["cldice"], figures["cldice_precision"], figures["cldice_sensitivity"]
    assert topology == (found.cldice.cldice, found.cldice.precision, found.cldice.sensitivity)
    for name in ("relaxed_f1", "average_precision", "ece", "pooled_two_class_iou", "mean_dice_loss"):
        assert 0 <= figures[name] <= 1
    assert len(figures["reliability"]) == 10


def test_the_page_is_whole_asks_for_nothing_and_escapes_names(tmp_path: Path) -> None:
    found, about, gallery = evaluated(tmp_path / "data", [EVIL, "b", "c"])
    card = dataclasses.replace(CARD, name=EVIL, terms=EVIL)
    about = dataclasses.replace(about, dataset=EVIL, split=EVIL, card=card, runtime=EVIL)
    write_report(tmp_path / "report", found, about, gallery)
    content = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    page = Page(content)
    assert "<script" not in content
    assert page.text.count("<script>alert('1')</script>&\"$tiles") >= 8
    addresses = [a[k] for _, a in page.tags for k in ("src", "href") if a.get(k)]
    assert len(addresses) == 1 + 2 + 4 * 3  # icon, figures, three pictures by four
    assert all(str(a).startswith("data:") for a in addresses)
    assert not any(t in ("script", "iframe", "object") for t, _ in page.tags)
    assert not any(word in content for word in ("http:", "https:", "url(", "@import"))
    for figure in (found.at_threshold.iou, found.cldice.sensitivity, found.cldice.cldice):
        assert f"{figure:.4f}" in page.text
    assert "best road IoU" in page.text and "temperature of" in page.text


def test_on_test_nothing_is_fitted(tmp_path: Path) -> None:
    found, about, gallery = evaluated(tmp_path / "data", ["a", "b"], "test")
    figures = metrics(found, about)
    assert figures["best"] is None and figures["temperature"] is None
    write_report(tmp_path / "report", found, about, gallery)
    text = Page((tmp_path / "report" / "report.html").read_text(encoding="utf-8")).text
    assert "best road IoU" not in text and "temperature of" not in text
    assert "looked for on val only" in text


def test_a_report_is_replaced_only_when_asked(tmp_path: Path) -> None:
    found, about, gallery = evaluated(tmp_path / "data", ["a", "b"])
    report = tmp_path / "report"
    write_report(report, found, about, gallery)
    before = {p.name: p.read_bytes() for p in report.iterdir()}
    with pytest.raises(GeoroadsError, match="exists"):
        check_report(report)
    other = dataclasses.replace(about, dataset="other")
    with pytest.raises(GeoroadsError, match="exists"):
        write_report(report, found, other, gallery)
    assert {p.name: p.read_bytes() for p in report.iterdir()} == before
    write_report(report, found, other, gallery, overwrite=True)
    assert "other" in (report / "report.html").read_text(encoding="utf-8")


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(GeoroadsError, match="not a folder"):
        check_report(tmp_path / "file")
    with pytest.raises(GeoroadsError, match="does not exist"):
        check_report(tmp_path / "none" / "report")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("kept")
    check_report(tmp_path / "mine")


def test_the_same_evaluation_gives_the_same_bytes(tmp_path: Path) -> None:
    found, about, gallery = evaluated(tmp_path / "data", ["a", "b"])
    for name in ("one", "two"):
        write_report(tmp_path / name, found, about, gallery)
    for name in FILES:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes()


def test_without_a_gallery_the_page_says_so(tmp_path: Path) -> None:
    found, about, _ = evaluated(tmp_path / "data", ["a", "b"])
    write_report(tmp_path / "report", found, about, Gallery(0))
    page = Page((tmp_path / "report" / "report.html").read_text(encoding="utf-8"))
    assert "none to show" in page.text
    assert sum(tag == "img" for tag, _ in page.tags) == 2
