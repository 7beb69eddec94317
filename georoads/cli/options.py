"""Flags that several commands share, each defined once, spelled as rio spells them; and what they mean.

A command has at most 20 flags (a test counts). What is rarely needed is a parameter of ``--set`` instead.
"""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from georoads.cli.programs import SettingsAsked, is_asked_by_program
from georoads.text import printable, without_secrets

if TYPE_CHECKING:
    from georoads.model.card import ModelCard
    from georoads.network.params import VectorizeParams
    from georoads.output.address import Output
    from georoads.walk import LayerRequest, Plan, Summary

F = TypeVar("F", bound=Callable[..., Any])
N = TypeVar("N", int, float)
PATH = click.Path(path_type=Path)


def _road_output(text: str | Output) -> Output:
    """A file, or the address of a database, which a Path would mangle."""
    from georoads.output.address import output_of

    return output_of(text)


def _moved(flag: str, parameter: str, *, is_flag: bool = False) -> Callable[[F], F]:
    """A flag that has become a parameter of ``--set``: hidden, and for one release it still works.

    Args:
        flag: as it was spelled.
        parameter: what takes its place, as section.parameter=VALUE.
        is_flag: True where it takes no value.
    """

    def tell(context: click.Context, option: click.Parameter, value: Any) -> Any:
        if value:
            say(f"note: {flag} will be removed in the next release: use --set {parameter}", err=True)
        return value

    return click.option(flag, is_flag=is_flag, hidden=True, callback=tell, expose_value=True)


allow_vrt = _moved("--allow-vrt", "scene.allow_vrt=true", is_flag=True)
_SCENE = (
    click.option("-b", "--bidx", metavar="1,2,3", help="Bands to use as red, green, blue; or one for grey."),
    click.option("--nodata", type=float, help="Value that means no data, besides what the file says."),
    click.option(
        "--gsd", default="auto", show_default=True, help="Pixel size to work at: auto, native, or metres."
    ),
    _moved("--bounds", "scene.bounds=[W,S,E,N]"),
    _moved("--skip-bad", "scene.skip_bad=true", is_flag=True),
    allow_vrt,
)
_LAYER = (
    click.option(
        "-o",
        "--output",
        required=True,
        type=_road_output,
        metavar="PATH|ADDRESS",
        help="Road layer to write: .gpkg, .geojson, .fgb, .parquet, .osm, .overture.parquet, "
        "or postgresql://USER@HOST/DATABASE.",
    ),
    click.option(
        "--layer", metavar="NAME", help="Name of the roads in a GeoPackage or database; nodes: NAME_nodes."
    ),
    click.option(
        "--append", is_flag=True, help="Add the layers to an existing GeoPackage, or rows to existing tables."
    ),
    click.option(
        "--aoi",
        metavar="AREA",
        help="Only roads inside: a file of polygons, or west,south,east,north in degrees.",
    ),
    click.option(
        "--preview", type=PATH, metavar="PNG", help="Also draw the lines over the input, as a picture."
    ),
)
_RARE_OF_PREDICT = (
    _moved("--runtime", "predict.runtime=NAME"),
    _moved("--tta", "predict.tta=true", is_flag=True),
)
_DEVICE = click.option(
    "--device", default="auto", show_default=True, help="Where to compute: auto, cpu, cuda, cuda:N or mps."
)
_ENGINE = click.option(
    "--engine",
    metavar="local|ray|HOST:PORT",
    default="local",
    show_default=True,
    help="Predict here, or in workers on a Ray cluster; --set engine.… says how many.",
)
model = click.option("--model", default="default", show_default=True, help="Model by name or path.")
threshold = click.option(
    "--threshold", type=float, help="Probability, 0 to 1, from which a pixel is road; default: the model's."
)
resume = click.option(
    "--resume/--restart", default=None, help="Go on with a run that was stopped, or throw its work away."
)
dry_run = click.option("--dry-run", is_flag=True, help="Show what would be done, then stop.")
overwrite = click.option("--overwrite", is_flag=True, help="Replace an existing output.")
quiet = click.option("-q", "--quiet", is_flag=True, help="Print no progress and no summary.")
json_file = click.option(
    "--json",
    "json_file",
    type=click.Path(path_type=Path, allow_dash=True),
    help="Write the figures as JSON to a file, or to standard output (-).",
)
settings = click.option(
    "--set",
    "settings",
    multiple=True,
    metavar="SECTION.PARAMETER=VALUE",
    help="Set any other parameter; --set help lists them all and says what they mean.",
)


def output(what: str) -> Callable[[F], F]:
    """The output flag of a command that writes ``what``."""
    return click.option("-o", "--output", required=True, type=PATH, help=f"{what} to write.")


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
        size = gsd if gsd in ("auto", "native") else metres(gsd)
        box: Any = _numbers("--bounds", bounds, float) if bounds else None
        try:
            params = SceneParams(
                bands, nodata, gsd=size, bounds=box, skip_bad=skip_bad, allow_vrt=allow_vrt
            )  # fmt: skip
        except ValueError as e:
            raise click.UsageError(str(e)) from e
        command(*args, scene_params=params, **others)

    return _with_flags(gathered, _SCENE)


def predict_flags(command: Callable[..., None]) -> Callable[..., None]:
    """The flags that say how and where a network runs; the command is given them as ``predict_params``."""
    return _with_flags(_predicting(command), (_DEVICE, _ENGINE, *_RARE_OF_PREDICT))


def runtime_flags(command: Callable[..., None]) -> Callable[..., None]:
    """As ``predict_flags``, of a command that has no engine."""
    return _with_flags(_predicting(command), (_DEVICE, *_RARE_OF_PREDICT))


def _predicting(command: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(command)
    def gathered(
        *args: Any, device: str, runtime: str | None, tta: bool, engine: str = "local", **others: Any
    ) -> None:
        from georoads.inference.select import PredictParams
        from georoads.settings import with_values
        from georoads.workers.engine import EngineParams

        stated = os.environ.get("OMP_NUM_THREADS", "")
        threads = int(stated) if stated.isdecimal() else 0
        named = {"device": device, "runtime": runtime or "auto", "tta": tta, "threads": threads}
        place = with_values(EngineParams(), {"address": engine}, "engine")
        params = with_values(PredictParams(engine=place), named, "predict")
        command(*args, predict_params=params, **others)

    return gathered


def layer_flags(command: Callable[..., None]) -> Callable[..., None]:
    """The flags that say where roads go; the command is given them as one value, ``layer_request``."""

    @functools.wraps(command)
    def gathered(
        *args: Any,
        output: Output,
        layer: str | None,
        append: bool,
        aoi: str | None,
        preview: Path | None,
        overwrite: bool,
        **others: Any,
    ) -> None:
        from georoads.output.area import read_area
        from georoads.output.provenance import source_date
        from georoads.output.write import WriteOptions
        from georoads.walk import LayerRequest

        area = None if aoi is None else read_area(aoi)
        write = WriteOptions(layer=layer, append=append, area=area, overwrite=overwrite)
        request = LayerRequest(output=output, write=write, preview=preview, date=source_date(os.environ))
        command(*args, layer_request=request, **others)

    return _with_flags(gathered, (*_LAYER, overwrite))


def _with_flags(command: Callable[..., None], flags: tuple[Callable[..., Any], ...]) -> Callable[..., None]:
    for flag in reversed(flags):
        command = flag(command)
    return command


def _numbers(flag: str, text: str, kind: type[N]) -> tuple[N, ...]:
    try:
        return tuple(kind(part) for part in text.replace(",", " ").strip("[] ").split())
    except ValueError as e:
        raise click.BadParameter(f"{text!r} is no list of numbers", param_hint=flag) from e


def metres(text: str) -> float:
    """A pixel size that is typed as ``--gsd``.

    Raises:
        click.BadParameter: it is no number.
    """
    numbers = _numbers("--gsd", text, float)
    if len(numbers) != 1:
        raise click.BadParameter(f"{text!r} is not auto, native or a number", param_hint="--gsd")
    return numbers[0]


def network_params(threshold: float | None, default: float | None = None) -> VectorizeParams:
    """How roads are traced, with the value of ``--threshold`` or a default for it.

    Raises:
        GeoroadsError: the threshold is none.
    """
    from georoads.errors import GeoroadsError
    from georoads.network.params import VectorizeParams
    from georoads.settings import with_values

    if threshold is not None and 1 < threshold <= 100:
        raise GeoroadsError(
            f"--threshold {threshold:g} is no probability from 0 to 1", f"--threshold {threshold / 100:g}"
        )
    value = default if threshold is None else threshold
    return with_values(VectorizeParams(), {"threshold": value}, "network")


def completed(layer: LayerRequest, params: Mapping[str, Any]) -> LayerRequest:
    """A road layer with what ``--set`` says of the sections ``network`` and ``write``."""
    write = dataclasses.replace(layer.write, formats=params["write"])
    return dataclasses.replace(layer, network=params["network"], write=write)


def with_settings(texts: tuple[str, ...], **known: Any) -> dict[str, Any]:
    """Parameters by section, with the values of ``--set``; ``--set help`` lists them and leaves.

    Args:
        texts: ``section.parameter=value``, ``for=PURPOSE``, or ``help``. A purpose goes first wherever it
            stands: what is set besides holds.
        known: the sections of the command, each with its parameters as the flags have them.

    Raises:
        GeoroadsError: for a section or parameter that this command does not have, or a value that does not
            fit; for a purpose that there is not, or that is none of this command.
    """
    from georoads.errors import GeoroadsError
    from georoads.purposes.purpose import shipped_purposes
    from georoads.settings import describe, parse_assignments, with_values

    known = _for_purposes([text for text in texts if _is_purpose(text)], known)
    if "help" in texts:
        if is_asked_by_program():
            raise SettingsAsked(known)
        for section, params in known.items():
            click.echo("\n".join(describe(section, params)))
        for purpose in shipped_purposes().values():
            if purpose.values.keys() <= known.keys():
                click.echo("\n".join(purpose.described()))
        raise click.exceptions.Exit(0)
    given = parse_assignments(text for text in texts if not _is_purpose(text))
    strange = sorted(given.keys() - known.keys())
    if strange:
        raise GeoroadsError(f"--set knows no section {strange[0]!r} here", f"known: {', '.join(known)}")
    return {
        section: with_values(params, given.get(section, {}), section) for section, params in known.items()
    }


def _is_purpose(text: str) -> bool:
    return text.partition("=")[0].strip() == "for"


def _for_purposes(texts: list[str], known: dict[str, Any]) -> dict[str, Any]:
    """The sections of a command with what ``for=PURPOSE`` texts set of them."""
    from georoads.errors import GeoroadsError
    from georoads.purposes.purpose import find_purpose

    for purpose in (find_purpose(text.partition("=")[2].strip()) for text in texts):
        strange = sorted(purpose.values.keys() - known.keys())
        if strange:
            raise GeoroadsError(
                f"--set for={printable(purpose.name)} sets {printable(strange[0])}, which is no section here",
                f"known: {', '.join(known)}; extract and vectorize take the purposes that come with georoads",
            )
        known = {section: purpose.on(section, params) for section, params in known.items()}
    return known


def say(line: str, *, err: bool = False) -> None:
    """Print one line; what a terminal would obey in it is escaped, and secrets of addresses are left out."""
    click.echo(printable(without_secrets(line)), err=err)


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


def summarize(done: Summary, card: ModelCard, quietly: bool) -> None:
    """What a walk did, on standard error: notes, figures, device and runtime, terms of use.

    Args:
        done: what the walk returned.
        card: of the model that was used, whose name and terms of use are printed.
        quietly: nothing is printed.
    """
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
