"""A preview of a road layer as PNG: its lines over the raster that they come from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from georoads.errors import GeoroadsError
from georoads.extras import require_extra
from georoads.files.atomic import check_output, replace_when_complete
from georoads.scene.scene import Scene
from georoads.text import printable
from georoads.view.checks import mostly_bridged
from georoads.view.layer import MapLayer, MapSize, read_layer
from georoads.view.picture import BACKGROUND, Picture, brightened, lift_of, picture_of, plane_of
from georoads.view.plane import Bounds, round_length, widened
from georoads.view.request import LineWidth, MapRequest

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LONG_PX, SHORT_PX = 2000, 1000
"""Longer side of the picture, and the least of its shorter one."""
_DPI = 100
_CASING, _CASING_ALPHA = "#120e1a", 0.75
_LEGEND_DASH = (0, (1.2, 0.8))
_DIM = 0.82
"""Lines stand out from a darker ground."""


def check_preview_output(output: Path, inputs: tuple[Path, ...], *, overwrite: bool) -> None:
    """Refuse an output that ``write_preview`` could not write, before the work is done.

    Args:
        output: path of the picture.
        inputs: files that are read, none of which may be the output.
        overwrite: replace a picture that is there.

    Raises:
        GeoroadsError: the suffix is not .png; matplotlib is missing; as ``files.atomic.check_output``.
    """
    _require_matplotlib()
    if output.suffix.lower() != ".png":
        raise GeoroadsError(
            f"{printable(output)}: the preview is written as PNG", "let its name end in .png, as in map.png"
        )
    check_output(output, overwrite=overwrite, inputs=inputs)


def write_preview(
    output: Path,
    roads: Path,
    scenes: Sequence[Scene],
    *,
    layer: str | None = None,
    overwrite: bool = False,
    width: LineWidth = LineWidth.THIN,
) -> MapSize:
    """Draw the lines of a layer over scenes; the file appears whole or not at all.

    The picture has 2000 pixels on its longer side. Scenes are read at that size, whatever their own.

    Args:
        output: the PNG.
        roads: the layer.
        scenes: what it was made of, opened, the first on top; without any, the ground is plain.
        layer: name of the layer in a GeoPackage; None for the only one, or ``roads``.
        overwrite: True when an existing file may be replaced.
        width: how wide the lines are.

    Raises:
        LayerError, SceneError: as ``read_layer`` and ``picture_of``.
        GeoroadsError: matplotlib is missing; as ``replace_when_complete``.
    """
    _require_matplotlib()
    lines = read_layer(roads, layer, plane_of(scenes) if scenes else None)
    area = None if lines.bounds is None else widened(lines.bounds, 0.03, 20.0)
    if scenes:
        ground = picture_of(scenes, lines.plane, area, LONG_PX)
    else:
        ground = Picture(np.full((1, 1, 3), BACKGROUND, np.uint8), area or (-50.0, -50.0, 50.0, 50.0))
    figure = draw_preview(lines, ground, width)
    with replace_when_complete(output, overwrite=overwrite) as part:
        figure.savefig(part, dpi=_DPI, facecolor=figure.get_facecolor(), metadata={"Software": None})
        size = part.stat().st_size
    return MapSize(lines.n_lines, float(lines.length_m.sum()), size, lines.notes)


def write_picture(request: MapRequest) -> MapSize:
    """Write the map of a request as ``write_preview`` does."""
    return write_preview(
        request.output, request.roads, request.open_scenes(),
        layer=request.layer, overwrite=request.overwrite, width=request.width,
    )  # fmt: skip


def _require_matplotlib() -> None:
    require_extra("preview", "drawing a PNG", ("matplotlib",))


def draw_preview(layer: MapLayer, picture: Picture, line_width: LineWidth = LineWidth.THIN) -> Figure:
    """The picture with the lines over it, coloured by their classes, a legend and a scale bar.

    Args:
        layer: the lines.
        picture: what lies below them, in their plane; brightened where it is dark.
        line_width: how wide the lines are.
    """
    from matplotlib.figure import Figure

    west, south, east, north = _widen_to_picture(picture.bounds)
    px_per_m = LONG_PX / max(east - west, north - south)
    # matplotlib cuts off what is not a whole pixel.
    width, height = ((round(d * px_per_m) + 1e-3) / _DPI for d in (east - west, north - south))
    figure = Figure(figsize=(width, height), dpi=_DPI, facecolor="#{:02x}{:02x}{:02x}".format(*BACKGROUND))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(west, east), ylim=(south, north))
    axes.set_axis_off()
    ground = picture.bounds[0], picture.bounds[2], picture.bounds[1], picture.bounds[3]
    dimmed = brightened(picture.rgb, lift_of(picture)) * _DIM + np.array(BACKGROUND) * (1 - _DIM)
    axes.imshow(dimmed.astype(np.uint8), extent=ground, aspect="auto", interpolation="bilinear")
    is_dashed = np.array([c.is_dashed for c in layer.classes])[layer.class_of]
    is_bridged = mostly_bridged(layer)
    _draw_lines(axes, layer, is_dashed | is_bridged, _line_px(layer, px_per_m, line_width))
    _draw_legend(axes, layer, has_bridges=bool(is_bridged.any()))
    _draw_scale_bar(axes, px_per_m)
    return figure


def _widen_to_picture(bounds: Bounds) -> Bounds:
    """The bounds, widened where they are narrower than a picture can be."""
    west, south, east, north = bounds
    least = max(east - west, north - south, 1.0) * SHORT_PX / LONG_PX
    x, y = max(0.0, least - (east - west)) / 2, max(0.0, least - (north - south)) / 2
    return west - x, south - y, east + x, north + y


def _line_px(layer: MapLayer, px_per_m: float, line_width: LineWidth) -> NDArray[np.float64]:
    """(N,) float64, the width of each line in pixels; the picture is mostly seen at half of its size."""
    thin = np.array([2 * c.least_px for c in layer.classes])[layer.class_of]
    return np.maximum(layer.width_m * px_per_m, thin) if line_width is LineWidth.ROAD else thin


def _draw_lines(
    axes: Axes, layer: MapLayer, is_dashed: NDArray[np.bool_], width_px: NDArray[np.float64]
) -> None:
    """Draw the lines.

    Args:
        axes: of the picture, in metres of the plane.
        layer: the lines.
        is_dashed: (N,) bool.
        width_px: (N,) float64 pixels.
    """
    from matplotlib.collections import LineCollection

    lines = np.split(layer.points, layer.offsets[1:-1]) if layer.n_lines else []
    points = width_px * 72 / _DPI
    # All casings first, so that none cuts the road that it joins.
    axes.add_collection(
        LineCollection(lines, colors=_CASING, linewidths=points + 2.2, capstyle="round", alpha=_CASING_ALPHA)
    )
    for number, look in enumerate(layer.classes):
        for dashed in (False, True):
            own: NDArray[np.int64] = np.flatnonzero((layer.class_of == number) & (is_dashed == dashed))
            axes.add_collection(
                LineCollection(
                    [lines[i] for i in own], colors=look.colour, linewidths=points[own],
                    linestyles=(0, (3, 2)) if dashed else "solid",
                    capstyle="butt" if dashed else "round", joinstyle="round",
                )
            )  # fmt: skip


def _draw_legend(axes: Axes, layer: MapLayer, *, has_bridges: bool) -> None:
    from matplotlib.lines import Line2D

    entries = [
        Line2D([], [], color=c.colour, linewidth=7, linestyle=_LEGEND_DASH if c.is_dashed else "-")
        for c in layer.classes
    ]
    labels = [c.label for c in layer.classes]
    if layer.subject == "Confidence":
        entries, labels = entries[::-1], labels[::-1]
    if has_bridges:
        entries.append(Line2D([], [], color="white", linewidth=7, linestyle=_LEGEND_DASH))
        labels.append("mostly bridged")
    total = f"{layer.n_lines:,} lines, {layer.length_m.sum() / 1000:,.2f} km"
    box = axes.legend(
        entries, labels, title=f"{layer.subject}\n{total}", loc="upper right", fontsize=17, title_fontsize=17,
        facecolor=_CASING, edgecolor="none", framealpha=0.8, labelcolor="white", borderpad=0.8,
        handlelength=2.2, alignment="left", borderaxespad=1.2,
    )  # fmt: skip
    box.get_title().set_color("white")


def _draw_scale_bar(axes: Axes, px_per_m: float) -> None:
    """In the lower left corner, on a dark box; places are pixels of the picture."""
    from matplotlib.patches import Rectangle

    metres = round_length(280 / px_per_m)
    text = f"{metres / 1000:g} km" if metres >= 1000 else f"{metres:g} m"
    long, (west, _), (south, _) = metres * px_per_m, axes.get_xlim(), axes.get_ylim()

    def rectangle(x: float, y: float, width: float, height: float) -> Rectangle:
        corner = west + x / px_per_m, south + y / px_per_m
        return Rectangle(corner, width / px_per_m, height / px_per_m, linewidth=0, zorder=5)

    box, bar = rectangle(28, 28, long + 48, 78), rectangle(52, 82, long, 6)
    box.set(facecolor=_CASING, alpha=0.8)
    bar.set_facecolor("white")
    axes.add_patch(box)
    axes.add_patch(bar)
    axes.text(
        west + (52 + long / 2) / px_per_m, south + 57 / px_per_m, text, color="white", fontsize=17,
        ha="center", va="center", zorder=6,
    )  # fmt: skip
