"""What the pictures that a model has learned from look like: writes ``seen`` into its card.

    cd DATA; python benchmarks/seen.py roads-lite3.json --recipe lite3-round

Trainings do this themselves; here it is done for a model made of others, or trained before they did. The data
sets of the recipe are looked for from the current folder.
"""

from __future__ import annotations

import argparse
import dataclasses
from pathlib import Path

from georoads.model.card import read_card
from georoads.training.prepare import prepare
from georoads.training.recipe import load_recipe


def main() -> None:
    """Look, write, print."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("card", type=Path)
    parser.add_argument("--recipe", required=True)
    args = parser.parse_args()
    chips = prepare(load_recipe(args.recipe)).chips
    card = dataclasses.replace(read_card(args.card), seen=chips.seen)
    args.card.write_text(card.to_json(), encoding="utf-8")
    print(chips.seen)


if __name__ == "__main__":
    main()
