"""The report as one HTML page: no script, no file beside it, no request.

The words stand in report_template.html; here its places are filled. Every text from outside is escaped, and
the policy in the template's head forbids scripts and requests.
"""

from __future__ import annotations

import base64
import html
from dataclasses import dataclass
from importlib.resources import files
from string import Template
from typing import Any

from georoads import __version__
from georoads.evaluation.calibration import Bin, Temperature
from georoads.evaluation.counts import PixelScore
from georoads.evaluation.evaluate import Evaluation, TileScore
from georoads.evaluation.gallery import FALSE, INVALID, MISSED, RIGHT, Thumbnails
from georoads.model.card import ModelCard
from georoads.text import printable

UNFOLDED = 100
"""Up to so many pictures, their table is open from the start."""
_VIEWS = "picture", "truth", "probability", "errors"
"""What the thumbnails of a picture show."""


@dataclass(frozen=True)
class Pictures:
    """What the page shows.

    Attributes:
        curve, calibration: PNG files.
        worst, best: of the gallery.
    """

    curve: bytes
    calibration: bytes
    worst: tuple[Thumbnails, ...]
    best: tuple[Thumbnails, ...]


def render_page(found: Evaluation, card: ModelCard, metrics: dict[str, Any], pictures: Pictures) -> str:
    """The page as HTML.

    Args:
        found: the metrics and tables of the evaluation.
        card: of the model.
        pictures: to be shown.
        metrics: as ``report.metrics`` gives them.
    """
    template = files("georoads.evaluation").joinpath("report_template.html").read_text(encoding="utf-8")
    places = _format_numbers(found, metrics) | _escape_names(card, metrics) | _render_parts(found, pictures)
    return Template(template).substitute(places)


def _format_numbers(found: Evaluation, metrics: dict[str, Any]) -> dict[str, str]:
    pixels = sum(t.pixels for t in found.tiles)
    low, high = found.interval
    return {k: _format_number(v) for k, v in metrics.items() if isinstance(v, float) or v is None} | {
        "tiles": str(len(found.tiles)),
        "megapixels": f"{pixels / 1e6:.1f}",
        "road_share": f"{sum(t.road_share * t.pixels for t in found.tiles) / pixels:.1%}",
        "threshold": f"{metrics['threshold']:.3f}",
        "interval_low": f"{low:.3f}",
        "interval_high": f"{high:.3f}",
        "slack": f"{metrics['slack_px']:g}",
        "seconds": f"{metrics['seconds_per_tile']:.2f}",
    }


def _escape_names(card: ModelCard, metrics: dict[str, Any]) -> dict[str, str]:
    texts = {k: metrics[k] for k in ("dataset", "subset", "split", "runtime")} | {
        "model": card.name,
        "architecture": card.model.architecture,
        "encoder": card.model.encoder,
        "gsd_m": f"{card.gsd_m:g}",
        "tile_px": str(card.tile_px),
        "overlap_px": str(card.overlap_px),
        "white": "are no data" if metrics["white_is_nodata"] else "count as any others",
        "version": __version__,
        "terms": card.terms or "none stated",
    }
    return {k: _escape(v) for k, v in texts.items()}


def _render_parts(found: Evaluation, pictures: Pictures) -> dict[str, str]:
    fitted = found.best is not None
    ordered = sorted(found.tiles, key=lambda t: (t.pixels == 0, t.score.iou, t.name))
    colours = {"right": RIGHT, "false": FALSE, "missed": MISSED, "invalid": INVALID}
    return {k: f"rgb{colour}" for k, colour in colours.items()} | {
        "only_on_val": ""
        if fitted
        else "<p>A best threshold and a temperature are looked for on val only.</p>",
        "best_row": _best_row(found.best),
        "temperature": _temperature(found.temperature, found.ece),
        "reliability_rows": "\n".join(map(_bin_row, found.bins)),
        "curve": _data_uri(pictures.curve, "png"),
        "calibration": _data_uri(pictures.calibration, "png"),
        "left_out": _left_out(found.tiles),
        "exhibits": (_thumbnail_section("Worst", pictures.worst) + _thumbnail_section("Best", pictures.best))
        or "<p>There is none to show.</p>",
        "open": " open" if len(ordered) <= UNFOLDED else "",
        "tile_rows": "\n".join(map(_tile_row, ordered)),
    }


def _best_row(best: PixelScore | None) -> str:
    if best is None:
        return ""
    what = f"at p ≥ {best.threshold:.3f}, chosen on these very pictures, so a little too good"
    return f'<tr><td>best road IoU</td><td class="n">{_format_number(best.iou)}</td><td>{what}</td></tr>'


def _temperature(found: Temperature | None, ece: float) -> str:
    if found is None:
        return ""
    means = "too sure of itself" if found.value > 1 else "not sure enough"
    return (
        f"<p>Dividing the logits by a temperature of <b>{found.value:.3f}</b> would make this truth most "
        f"likely, so the model is {means}: the negative log-likelihood of a pixel would go from "
        f"{found.nll_before:.4f} to {found.nll_after:.4f}, the calibration error from {ece:.4f} to "
        f"{found.ece_after:.4f}. It is not applied, and would change the ranking of no pixel.</p>"
    )


def _bin_row(b: Bin) -> str:
    gap = f"{b.mean_p - b.road_share:+.3f}".replace("-", "−")
    shares = (f"{b.mean_p:.3f}", f"{b.road_share:.3f}", gap) if b.pixels else ("–",) * 3
    cells = (f"{b.low:.1f} to {b.high:.1f}", f"{b.pixels:,}", *shares)
    return "<tr>" + "".join(f'<td class="n">{c}</td>' for c in cells) + "</tr>"


def _left_out(tiles: tuple[TileScore, ...]) -> str:
    empty = [t for t in tiles if t.pixels and not t.road_share]
    if not empty:
        return ""
    seeing = sum(t.score.precision < 1 for t in empty)
    return f"Pictures without true road, {len(empty)}, are left out; on {seeing} of them the model sees some."


def _thumbnail_section(title: str, shown: tuple[Thumbnails, ...]) -> str:
    if not shown:
        return ""
    heads = "".join(f"<span>{view}</span>" for view in _VIEWS)
    figures = "\n".join(map(_thumbnail_figure, shown))
    return f'<h3>{title}</h3>\n<div class="four heads">{heads}</div>\n{figures}\n'


def _thumbnail_figure(shown: Thumbnails) -> str:
    tile, name = shown.tile, _escape(shown.tile.name)
    views = zip(_VIEWS, (shown.picture, shown.truth, shown.prediction, shown.errors), strict=True)
    images = "".join(f'<img alt="{what} of {name}" src="{_data_uri(data, "jpeg")}">' for what, data in views)
    return (
        f'<figure class="exhibit"><figcaption><b>{name}</b>: road IoU {tile.score.iou:.3f}, precision '
        f"{tile.score.precision:.3f}, recall {tile.score.recall:.3f}; {tile.road_share:.1%} is road"
        f'</figcaption><div class="four">{images}</div></figure>'
    )


def _tile_row(tile: TileScore) -> str:
    name, s = f'<td class="name">{_escape(tile.name)}</td>', tile.score
    if not tile.pixels:
        return f'<tr>{name}<td colspan="8">no valid pixel</td></tr>'
    bar = f'<td><span class="bar"><i style="width:{s.iou:.1%}"></i></span></td>'
    shares = s.precision, s.recall, s.f1, tile.relaxed.f1, tile.cldice.cldice
    numbers = [f"{v:.3f}" for v in shares] + [f"{tile.road_share:.1%}"]
    cells = "".join(f'<td class="n">{n}</td>' for n in numbers)
    return f'<tr>{name}<td class="n">{s.iou:.3f}</td>{bar}{cells}</tr>'


def _format_number(value: float | None) -> str:
    return "–" if value is None else f"{value:.4f}"


def _escape(value: str) -> str:
    """A text from outside as text of the page."""
    return html.escape(printable(value))


def _data_uri(data: bytes, kind: str) -> str:
    return f"data:image/{kind};base64,{base64.b64encode(data).decode('ascii')}"
