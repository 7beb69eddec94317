"""The figures of a run as JSON, beside its output: checked before the work, written whole after it."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from georoads.files.atomic import check_output, disk_errors_named, replace_when_complete
from georoads.text import printable, without_secrets


def check_figures(
    target: Path | None,
    *,
    overwrite: bool,
    inputs: Iterable[str | Path] = (),
    outputs: Iterable[Path] = (),
) -> None:
    """Refuse a file of figures that ``write_figures`` could not write, before any work is done.

    Args:
        target: the file; ``-`` for standard output; None: none is wanted.
        overwrite: True when an existing file may be replaced.
        inputs: files that the work reads.
        outputs: what else it writes.

    Raises:
        GeoroadsError: as ``check_output``.
    """
    if target is not None and not _is_stream(target):
        check_output(target, overwrite=overwrite, inputs=inputs, outputs=outputs)


def write_figures(target: Path | None, content: Any, *, overwrite: bool) -> None:
    """Write figures as JSON; a file appears whole or not at all. Addresses in them lose their secrets.

    Args:
        target: as for ``check_figures``.
        content: a dictionary or dataclass.
        overwrite: True when an existing file may be replaced.

    Raises:
        GeoroadsError: as ``replace_when_complete``.
    """
    if target is None:
        return
    plain = dataclasses.asdict(content) if dataclasses.is_dataclass(content) else content  # type: ignore[arg-type]
    text = json.dumps(_without_secrets(plain), indent=1) + "\n"
    if _is_stream(target):
        with disk_errors_named(f"{printable(target)} cannot be written"):
            if str(target) == "-":
                sys.stdout.write(text)
                sys.stdout.flush()
            else:
                target.write_text(text, encoding="utf-8")
    else:
        with replace_when_complete(target, overwrite=overwrite) as part:
            part.write_text(text, encoding="utf-8")


def _is_stream(target: Path) -> bool:
    """Whether it is standard output, a pipe or a device: these take figures as they are."""
    return str(target) == "-" or (target.exists() and not target.is_file() and not target.is_dir())


def _without_secrets(plain: Any) -> Any:
    if isinstance(plain, str):
        return without_secrets(plain)
    if isinstance(plain, dict):
        return {key: _without_secrets(value) for key, value in plain.items()}
    return [_without_secrets(value) for value in plain] if isinstance(plain, list | tuple) else plain
