"""georoads models: the checkpoints that ship."""

from __future__ import annotations

import click

from georoads.cli import options


@click.command()
@click.argument("name", required=False)
def models(name: str | None) -> None:
    """List the models that ship; with NAME (or a path), show its card."""
    from georoads.model.checkpoint import find_checkpoint, shipped_models
    from georoads.model.terms import use_of

    if name is not None:
        for line in find_checkpoint(name).card.to_json().splitlines():
            options.say(line)
        return
    for known in shipped_models():
        card = find_checkpoint(known).card
        iou = card.metrics.get("val", {}).get("road_iou")
        options.say(
            f"{known}: {card.model.architecture}, {card.model.encoder}, {card.gsd_m:g} m pixels, "
            f"tile {card.tile_px} px, val road IoU {iou}"
        )
        options.say(f"    use: {use_of(card.terms)}")
        for source in card.terms.split("; "):
            options.say(f"    - {source}")
