"""Flags that several commands share, each defined once, spelled as rio spells them; and what they mean."""

from __future__ import annotations

import dataclasses
import functools
import json
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from georoads.text import printable

if TYPE_CHECKING:
    from georoads.inference.select import PredictParams
    from georoads.model.card import ModelCard
    from georoads.output.address import Output
    from georoads.output.area import Area
    from georoads.scene.scene import SceneParams
    from georoads.walk import Plan, Walk

F = TypeVar("F", bound=Callable[..., Any])
N = TypeVar("N", int, float)
PATH = click.Path(path_type=Path)


def _road_output(text: str | Output) -> Output:
    """A file, or the address of a database, which a Path would mangle."""
    from georoads.output.address import output_of

    return output_of(text)


_SCENE = (
    click.option("-b", "--bidx", metavar="1,2,3", help="Bands to use as red, green, blue; or one."),
    click.option("--nodata", type=float, help="Value that means no data, besides what the file says."),
    click.option("--gsd", default="auto", show_default=True, help="auto, native, or metres per pixel."),
    click.option("--bounds", metavar="'W S E N'", help="Only this part of the scene, in its CRS."),
    click.option("--skip-bad", is_flag=True, help="Blocks that cannot be read are nodata."),
    click.option("--allow-vrt", is_flag=True, help="Read a VRT whose sources lie in its folder."),
)
model = click.option("--model", default="default", show_default=True, help="Model by name or path.")
device = click.option("--device", default="auto", show_default=True, help="auto, cpu, cuda, cuda:N or mps.")
runtime = click.option("--runtime", default="auto", show_default=True, help="auto, torch, openvino or onnx.")
engine = click.option(
    "--engine",
    metavar="local|ray|HOST:PORT",
    default="local",
    show_default=True,
    help="Where the network runs: here, or in workers on a Ray cluster, as --set engine.… says.",
)
threshold = click.option(
    "--threshold", type=float, help="p from which a pixel is road; default: the model's."
)
tta = click.option("--tta", is_flag=True, help="Average eight orientations of each tile: 8 times the work.")
resume = click.option(
    "--resume/--restart", default=None, help="Go on with a run that was stopped, or throw its work away."
)
dry_run = click.option("--dry-run", is_flag=True, help="Show what would be done, and stop.")
overwrite = click.option("--overwrite", is_flag=True, help="Replace an existing output.")
layer = click.option(
    "--layer", metavar="NAME", help="Name of the roads in a GeoPackage or database; nodes: NAME_nodes."
)
append = click.option(
    "--append", is_flag=True, help="Add the layers to a GeoPackage that exists, or rows to tables."
)
aoi = click.option(
    "--aoi",
    metavar="AREA",
    help="Only roads inside: a file of polygons, or west,south,east,north in degrees.",
)
preview = click.option(
    "--preview", type=PATH, metavar="PNG", help="Picture of the lines over the input to write, too."
)
quiet = click.option("-q", "--quiet", is_flag=True, help="No progress, no summary.")
json_file = click.option(
    "--json", "json_file", type=click.Path(path_type=Path, allow_dash=True), help="Write the figures as JSON."
)
settings = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="ROOM.PARAMETER=VALUE",
    help="Any parameter; --set help lists.",
)


def output(what: str) -> Callable[[F], F]:
    """The output flag of a command that writes ``what``."""
    return click.option("-o", "--output", required=True, type=PATH, help=f"{what} to write.")


road_output = click.option(
    "-o",
    "--output",
    required=True,
    type=_road_output,
    metavar="PATH|ADDRESS",
    help="Road layer to write: .gpkg, .geojson, .fgb, .parquet, or postgresql://USER@HOST/DATABASE.",
)


def scene_flags(command: Callable[..., None]) -> Callable[..., None]:
    """The flags that say how a scene is read; the command is given them as one value, ``scene_params``."""

    @functools.wraps(command)
    def gathered(
        *args: Any,
        bidx: str | None,
        nodata: float | None,
        gsd: str,
        bounds: str | None,
        skip_bad: bool,
        allow_vrt: bool,
        **others: Any,
    ) -> None:
        from georoads.scene.scene import SceneParams

        bands = _numbers("--bidx", bidx, int) if bidx else None
        size = gsd if gsd in ("auto", "native") else _metres(gsd)
        box = _bounds(bounds) if bounds else None
        try:
            params = SceneParams(
                bands, nodata, gsd=size, bounds=box, skip_bad=skip_bad, allow_vrt=allow_vrt
            )  # fmt: skip
        except ValueError as e:
            raise click.UsageError(str(e)) from e
        command(*args, scene_params=params, **others)

    for flag in reversed(_SCENE):
        gathered = flag(gathered)
    return gathered


def _numbers(flag: str, text: str, kind: type[N]) -> tuple[N, ...]:
    try:
        return tuple(kind(part) for part in text.replace(",", " ").strip("[] ").split())
    except ValueError as e:
        raise click.BadParameter(f"{text!r} is no list of numbers", param_hint=flag) from e


def _metres(text: str) -> float:
    numbers = _numbers("--gsd", text, float)
    if len(numbers) != 1:
        raise click.BadParameter(f"{text!r} is not auto, native or a number", param_hint="--gsd")
    return numbers[0]


def _bounds(text: str) -> tuple[float, float, float, float]:
    west, south, east, north, *more = (*_numbers("--bounds", text, float), *[math.nan] * 4)[:5]
    if math.isnan(north) or not (west < east and south < north) or not all(map(math.isnan, more)):
        raise click.BadParameter(f"{text!r} is not west south east north", param_hint="--bounds")
    return west, south, east, north


def predict_params(
    chosen_device: str, chosen_runtime: str, values: dict[str, Any], *, symmetric: bool = False
) -> PredictParams:
    """How to predict, with the values of ``--set predict.…``; threads are else those of OMP_NUM_THREADS."""
    from georoads.inference.select import PredictParams
    from georoads.settings import with_values

    stated = os.environ.get("OMP_NUM_THREADS", "")
    threads = int(stated) if stated.isdigit() else 0
    named = {"device": chosen_device, "runtime": chosen_runtime, "tta": symmetric, "threads": threads}
    return with_values(PredictParams(), named | values, "predict")


def with_engine(params: PredictParams, address: str, values: dict[str, Any]) -> PredictParams:
    """How to predict, done by an engine with the values of ``--set engine.…``."""
    from georoads.settings import with_values
    from georoads.workers.engine import EngineParams

    engine = with_values(EngineParams(), {"address": address} | values, "engine")
    return dataclasses.replace(params, engine=engine)


def scene_settings(params: SceneParams, texts: tuple[str, ...]) -> SceneParams:
    """How to read a scene, with the values of ``--set scene.…``."""
    from georoads.settings import with_values

    return with_values(params, rooms(texts, scene=params)["scene"], "scene")


def rooms(texts: tuple[str, ...], **known: Any) -> dict[str, dict[str, Any]]:
    """The values of ``--set`` by room; ``--set help`` lists the parameters of ``known`` rooms and leaves.

    Raises:
        GeoroadsError: for a room that this command does not have.
    """
    from georoads.errors import GeoroadsError
    from georoads.settings import describe, parse_assignments

    if "help" in texts:
        for room, params in known.items():
            click.echo("\n".join(describe(room, params)))
        raise click.exceptions.Exit(0)
    parsed = parse_assignments(texts)
    strange = sorted(parsed.keys() - known.keys())
    if strange:
        raise GeoroadsError(f"--set knows no room {strange[0]!r} here", f"known: {', '.join(known)}")
    return {room: parsed.get(room, {}) for room in known}


def area_of(text: str | None) -> tuple[Area | None, tuple[Path, ...]]:
    """The area of ``--aoi``, and the file that it was read from, which must not be the output.

    Raises:
        LayerError: it is no area.
    """
    from georoads.output.area import read_area

    if text is None:
        return None, ()
    return read_area(text), ((Path(text),) if Path(text).is_file() else ())


def check_preview(output: Output, preview: Path | None) -> None:
    """Refuse a preview of what is no file.

    Raises:
        GeoroadsError: roads go to a database.
    """
    from georoads.errors import GeoroadsError

    if preview is not None and not isinstance(output, Path):
        raise GeoroadsError(
            f"{printable(preview)}: previews are drawn from files, not from {output}",
            "leave --preview out, or write .gpkg",
        )


def say(line: str, *, err: bool = False) -> None:
    """Print one line; what a terminal would obey in it, as a file's name may hold, is escaped."""
    click.echo(printable(line), err=err)


def write_json(target: Path | None, content: Any) -> None:
    """Write a dict or dataclass as JSON to a file or, for ``-``, to standard output."""
    if target is None:
        return
    plain = dataclasses.asdict(content) if dataclasses.is_dataclass(content) else content  # type: ignore[arg-type]
    with click.open_file(str(target), "w", encoding="utf-8") as f:
        f.write(json.dumps(plain, indent=1) + "\n")


def show_plan(plan: Plan) -> None:
    """What would be done, as the answer of ``--dry-run``."""
    needs = plan.needs
    pixels = "its own pixels" if plan.own_pixels else "resampled"
    for message in plan.messages:
        say(f"        note: {message}")
    memory, disk = (
        f"about {needed:,.0f} MB" + ("" if there is None else f" of {there:,.0f} MB that are free")
        for needed, there in ((needs.memory_mb, needs.free_memory_mb), (needs.disk_mb, needs.free_disk_mb))
    )
    for key, value in (
        ("working grid", f"{plan.width} x {plan.height} px of {plan.gsd_m:.3f} m, {plan.crs}, {pixels}"),
        ("tiles", f"{plan.tiles} of {plan.tile_px} px that share {plan.overlap_px}, {plan.batch} at once"),
        ("network", f"{plan.runtime} on {plan.device}, {plan.precision}"),
        ("memory", memory),
        ("disk", f"{disk}, besides the output"),
    ):
        say(f"{key:>12}: {value}")


def summarize(done: Walk, card: ModelCard, quietly: bool) -> None:
    """What a walk did, on standard error: notes, figures, device and runtime, terms of use."""
    if quietly:
        return
    for message in done.messages:
        say(f"note: {message}", err=True)
    lines = f"{done.roads} roads, {done.length_km:.2f} km, " if done.roads or done.length_km else ""
    say(
        f"{done.output}: {lines}{sum(done.seconds.values()):.1f} s on {done.device} "
        f"({done.runtime}, {done.precision}{f', {done.workers} workers' if done.workers > 1 else ''})",
        err=True,
    )
    first, *others = card.terms.split("; ")
    more = f" (and {len(others)} more: georoads models {card.name})" if others else ""
    say(f"model {card.name}, terms: {first}{more}", err=True)
