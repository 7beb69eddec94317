"""Flags of the commands that take addresses of imagery, and what the environment adds to them."""

from __future__ import annotations

import functools
import json
import os
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from georoads.cli import options

if TYPE_CHECKING:
    from georoads.remote.params import RemoteParams
    from georoads.remote.part import Told
    from georoads.walk import ExtractRequest, PredictRequest, RemoteScenes

HEADERS = "GEOROADS_HEADERS"
"""The variable of headers that the servers of the addresses are sent."""
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_OURS = {"host", "range", "accept-encoding", "content-length", "transfer-encoding", "connection"}
"""Headers that are made for each question."""


class _SceneName(click.Path):
    """A file, or an address, which a Path would mangle."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        from georoads.remote.address import is_address

        return value if isinstance(value, str) and is_address(value) else super().convert(value, param, ctx)


SCENE = _SceneName(path_type=Path)
Scenes = tuple[Path | str, ...]
zoom_flag = click.option(
    "--zoom",
    default="auto",
    show_default=True,
    help="Level of tiles from a server; auto: nearest to the model's pixels.",
)
_allow = click.option(
    "--allow-remote", is_flag=True, help="Scenes may be addresses of servers, and are fetched first."
)


def remote_flags(command: Callable[..., None]) -> Callable[..., None]:
    """``--allow-remote`` and ``--zoom``; the latter as ``remote_params``."""

    @functools.wraps(command)
    def gathered(*args: Any, allow_remote: bool, zoom: str, **others: Any) -> None:
        command(*args, allow_remote=allow_remote, remote_params=params_of(zoom), **others)

    return _allow(zoom_flag(gathered))


def params_of(zoom: str) -> RemoteParams:
    """How imagery is fetched, with the value of ``--zoom``.

    Raises:
        click.BadParameter: it is no level.
    """
    from georoads.remote.params import RemoteParams

    try:
        return RemoteParams(zoom=int(zoom) if zoom.isdecimal() else zoom)
    except ValueError as e:
        raise click.BadParameter(str(e), param_hint="--zoom") from e


def remote_scenes(scenes: Scenes, params: RemoteParams, *, allowed: bool) -> RemoteScenes | None:
    """Which scenes are addresses, with keys and headers of the environment; None where none may be fetched.

    Args:
        scenes: as typed.
        params: limits and choices.
        allowed: ``--allow-remote`` was given.

    Raises:
        GeoroadsError: the headers of the environment are none.
    """
    from georoads.walk import RemoteScenes

    addresses = {place: scene for place, scene in enumerate(scenes) if isinstance(scene, str)}
    if not allowed or not addresses:
        return None
    headers = headers_of(os.environ)
    return RemoteScenes(addresses=addresses, params=params, keys=os.environ, headers=headers)


def headers_of(environ: Mapping[str, str]) -> dict[str, str]:
    """The headers that GEOROADS_HEADERS holds: lines NAME: VALUE, or a JSON object.

    Raises:
        GeoroadsError: a line is none, or a header that is made for each question. Values are not shown.
    """
    from georoads.errors import GeoroadsError

    text = environ.get(HEADERS, "").strip()
    hint = "lines as in: Authorization: Bearer …; or a JSON object"
    pairs: list[tuple[str, Any]]
    if text.startswith("{"):
        try:
            pairs = list(json.loads(text).items())
        except ValueError:
            raise GeoroadsError(f"{HEADERS} is no JSON object", hint) from None
    else:
        lines = (line.partition(":") for line in text.splitlines() if line.strip())
        pairs = [(name.strip(), value.strip()) for name, _, value in lines]
    for number, (name, value) in enumerate(pairs, 1):
        is_text = isinstance(value, str) and value.isprintable() and value
        if not _NAME.fullmatch(name) or not is_text:
            raise GeoroadsError(f"{HEADERS}: entry {number} is no header", hint)
        if name.lower() in _OURS:
            raise GeoroadsError(f"{HEADERS}: {name} cannot be set", "leave it out")
    return dict(pairs)


def showed_fetch(
    request: PredictRequest | ExtractRequest, json_file: Path | None, *, overwrite: bool
) -> bool:
    """Say what would be fetched, as the answer of ``--dry-run``; False where nothing would be.

    Args:
        request: what is wanted.
        json_file: for the same as JSON; None: none.
        overwrite: an existing one may be replaced.

    Raises:
        GeoroadsError: as ``walk.plan_fetch``.
    """
    from georoads import walk
    from georoads.files.figures import write_figures

    if not walk.names_servers(request):
        return False
    plan = walk.plan_fetch(request)
    write_figures(json_file, plan, overwrite=overwrite)
    for told in plan.scenes:
        show_told(told)
    options.say(f"{'disk':>12}: about {plan.disk_mb:,.0f} MB, besides what is made of it")
    return True


def show_told(told: Told) -> None:
    """What would be fetched of one scene."""
    size = "unknown" if told.size_mb is None else f"about {told.size_mb:,.1f} MB"
    for key, value in (
        ("scene", f"{told.source} ({told.kind})"),
        ("fetched", f"{told.pieces:,} {told.unit}, {size}, from {', '.join(told.hosts)}"),
        ("picture", f"{told.width} x {told.height} px of {told.gsd_m:.3f} m"),
        *((("credit", told.attribution),) if told.attribution else ()),
        *(("note", note) for note in told.notes),
    ):
        options.say(f"{key:>12}: {value}")


def as_paths(scenes: Sequence[Path | str]) -> tuple[Path, ...]:
    """Scenes as the walk takes them."""
    return tuple(map(Path, scenes))
