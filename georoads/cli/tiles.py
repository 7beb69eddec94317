"""georoads tiles: a scene and its road lines in, a training data set out."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from georoads.cli import options
from georoads.cli.programs import watched

if TYPE_CHECKING:
    from georoads.data.tiles import TilesReport
    from georoads.scene.scene import SceneParams


@click.command()
@click.argument("scene", type=options.PATH)
@click.option("--roads", "lines", required=True, type=options.PATH, help="Road lines that are the truth.")
@click.option("--layer", metavar="NAME", help="Layer of the road file, where it has several.")
@options.output("Folder of the data set")
@click.option("--width", "width_m", type=float, help="Width in metres of roads that state none.")
@options.model
@options.scene_flags
@options.settings
@click.option("--size", "size_px", default=1024, show_default=True, help="Side of a chip in pixels.")
@click.option(
    "--overlap", "overlap_px", default=128, show_default=True, help="Pixels that neighbouring chips share."
)
@click.option(
    "--keep-empty", default=0.25, show_default=True, help="Share kept of the training chips without roads."
)
@click.option(
    "--val-share", default=0.2, show_default=True, help="Share of the roads' length for validation."
)
@click.option(
    "--val-side", default="east", show_default=True, help="Side for validation: east, west, north or south."
)
@click.option("--seed", default=42, show_default=True, help="Seed of the choice of empty chips.")
@options.overwrite
@options.json_file
@options.quiet
def tiles(
    scene: Path,
    lines: Path,
    layer: str | None,
    output: Path,
    width_m: float | None,
    model: str,
    scene_params: SceneParams,
    settings: tuple[str, ...],
    size_px: int,
    overlap_px: int,
    keep_empty: float,
    val_share: float,
    val_side: str,
    seed: int,
    overwrite: bool,
    json_file: Path | None,
    quiet: bool,
) -> None:
    """Cut a training data set from SCENE and its road lines.

    Roads are burnt at their width; one side of the scene is kept for validation. Then: georoads train DATASET
    --init default.
    """
    from georoads.data.tiles import TilesParams, write_tiles
    from georoads.files.figures import write_figures
    from georoads.model.checkpoint import find_checkpoint
    from georoads.output.read import read_roads
    from georoads.scene.open import open_scene
    from georoads.scene.working_grid import coarse_notes, working_grid

    try:
        params = TilesParams(
            size_px=size_px,
            overlap_px=overlap_px,
            keep_empty=keep_empty,
            val_share=val_share,
            val_side=val_side,
            width_m=width_m,
            seed=seed,
        )
    except ValueError as e:
        raise click.UsageError(str(e)) from e
    scene_params = options.with_settings(settings, scene=scene_params)["scene"]
    checkpoint = find_checkpoint(model)
    _check_outputs(output, json_file, (scene, lines, *checkpoint.paths), overwrite=overwrite)
    opened = open_scene(scene, scene_params)
    model_gsd_m = checkpoint.card.gsd_m
    grid = working_grid(opened, model_gsd_m, scene_params)
    roads = read_roads(lines, layer, with_widths=True)
    watch = watched(quiet)
    done = write_tiles(opened, grid, roads, output, params, overwrite=overwrite, watch=watch)
    write_figures(json_file, done, overwrite=overwrite)
    if not quiet:
        for message in (*opened.messages, *roads.notes, *coarse_notes(opened, model_gsd_m)):
            options.say(f"note: {message}", err=True)
        options.say(_summary(output, done), err=True)


def _summary(output: Path, done: TilesReport) -> str:
    return (
        f"{output}: {done.train} train and {done.val} val chips at {done.gsd_m:.3f} m, road share "
        f"{done.train_road_share:.1%} and {done.val_road_share:.1%}; {done.empty_left_out} empty and "
        f"{done.invalid_left_out} invalid ones left out"
    )


def _check_outputs(folder: Path, figures: Path | None, inputs: tuple[Path, ...], *, overwrite: bool) -> None:
    """Refuse figures that could not be written, and a data set's folder that holds an input.

    ``--overwrite`` would take the input away.
    """
    from georoads.errors import GeoroadsError
    from georoads.files.atomic import real_output
    from georoads.files.figures import check_figures

    real = real_output(folder)
    for path in inputs:
        if Path(os.path.realpath(path)).is_relative_to(real):
            raise GeoroadsError(f"{path} lies in {folder}, the folder to write", "choose another folder")
    check_figures(figures, overwrite=overwrite, inputs=inputs, outputs=(folder,))
