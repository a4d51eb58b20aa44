"""Whose voice a child is asked to have: the variety that a project's own texts make likely.

Slang, slips and half sentences are asked for only where people here write so; other ages and
dialects only where people talk at all. A contract or a card statement has no such voice.
"""

from __future__ import annotations

from augment.profile import Style

TALK = 0.1
"""Share of contractions among the places for one, from which texts are talk. Measured: .53 to .72
in banking77, snips, SMS and tweets; at most .01 in contracts, clinical notes, card statements."""
ASKS = 0.2
"""The same in questions, for languages without contractions."""
OFTEN = 0.02
"""Share of texts from which a habit is the project's rather than one person's."""
FIELD = 3
"""Content words that recur, from which there is a jargon to use."""


def is_talk(style: Style) -> bool:
    """Whether people speak here in their own voice."""
    return style.contracted >= TALK or style.question >= ASKS


def voices(style: Style) -> tuple[str, ...]:
    """The voices to draw from, the plain one (no words) always among them."""
    found = [""]
    if style.loose >= OFTEN:
        found.append("As in a chat, with slang and shortened words" + _such(style))
    if style.typos * style.words[1] >= OFTEN / 2:  # at most half of the slips are seen
        found.append("Typed in haste, with one misspelt word.")
    if max(style.clipped, style.lower if is_talk(style) else 0.0) >= OFTEN:
        found.append("Not a whole sentence: the words that matter, and no more.")
    if len(style.jargon) >= FIELD:
        used = ", ".join(style.jargon[:FIELD])
        found.append(f"In the jargon of those who work with it, where words like {used} are usual.")
    if is_talk(style):
        found += [
            "As somebody writes whose first language is another one.",
            "As a teenager would say it.",
            "As an elderly person would say it.",
            "As people say it in another region, in its dialect.",
            "In a roundabout way, without naming the thing by its usual word.",
        ]
    return tuple(found)


def _such(style: Style) -> str:
    shown = ", ".join(style.abbreviation_words[:FIELD])
    return f" such as {shown}." if shown else "."
