"""What a model may be used for, by the words of its terms."""

from __future__ import annotations

import pytest

from georoads.model.checkpoint import find_checkpoint
from georoads.model.terms import Use, use_of


@pytest.mark.parametrize(
    ("terms", "use"),
    [
        ("", Use.NOT_STATED),
        ("RoadSegVGI: no terms stated", Use.NOT_STATED),
        ("ours", Use.NOT_STATED),
        ("GSI: cite the source", Use.ATTRIBUTION),
        ("city of X: CC BY 4.0", Use.ATTRIBUTION),
        ("SpaceNet 3: CC BY-SA 4.0; GSI: cite the source", Use.SHARE_ALIKE),
        ("SpaceNet 3: CC BY-SA 4.0; RoadSegVGI: no terms stated", Use.NOT_STATED),
        ("city of X: CC BY-NC 4.0; GSI: cite the source", Use.RESEARCH),
        ("GSI: cite the source; DeepGlobe: research and education only", Use.RESEARCH),
    ],
)
def test_the_narrowest_terms_hold(terms: str, use: Use) -> None:
    assert use_of(terms) is use


def test_the_model_that_ships_is_for_research() -> None:
    assert use_of(find_checkpoint("default").card.terms) is Use.RESEARCH
