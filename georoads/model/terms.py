"""What a model may be used for: the terms of all that it was trained on, in one word."""

from __future__ import annotations

import re
from enum import StrEnum


class Use(StrEnum):
    """What terms allow, from the narrowest on."""

    RESEARCH = "research only"
    NOT_STATED = "not stated"
    SHARE_ALIKE = "share-alike"
    ATTRIBUTION = "attribution"


_WORDS = (
    (Use.RESEARCH, r"\bresearch\b|\bnon-?commercial\b|\bNC\b|\beducation(al)? only\b"),
    (Use.SHARE_ALIKE, r"\bshare-?alike\b|\bBY-SA\b|\bODbL\b|\bGPL\b"),
    (Use.NOT_STATED, r"\bno terms\b|\bnot stated\b|\bunknown\b"),
    (Use.ATTRIBUTION, r"\bcite\b|\battribution\b|\bCC[ -]BY\b|\bCC0\b|\bpublic domain\b"),
)


def use_of(terms: str) -> Use:
    """The narrowest use that the terms of a card, a text with a semicolon between sources, allow.

    It reads words, it is no lawyer: terms without a word that it knows are not stated.

    Example:
        >>> use_of("DeepGlobe: research and education only; SpaceNet 3: CC BY-SA 4.0").value
        'research only'
    """
    found = [_use_of_source(part) for part in terms.split(";")]
    return next(use for use in Use if use in found)


def _use_of_source(terms: str) -> Use:
    matches = (use for use, words in _WORDS if re.search(words, terms, re.IGNORECASE))
    return next(matches, Use.NOT_STATED)
