"""Writes models/NAME.stac.json, the STAC item of each card there; a test says when one is out of date."""

from __future__ import annotations

from georoads.model.card import read_card
from georoads.model.checkpoint import shipped_models
from georoads.model.stac import SUFFIX, item_of_card, write_item

if __name__ == "__main__":
    for name, card in shipped_models().items():
        write_item(item_of_card(read_card(card)), card.with_name(name + SUFFIX))
