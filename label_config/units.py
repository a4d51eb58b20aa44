"""Code points, as Python counts, and UTF-16 units, as JavaScript counts."""

from __future__ import annotations


def to_utf16(text: str, at: int) -> int:
    """The UTF-16 offset of a code point offset."""
    return at + sum(1 for c in text[:at] if c > "\uffff")


def from_utf16(text: str, units: int) -> int | None:
    """The code point offset of a UTF-16 offset; one inside a surrogate pair counts as behind it.

    None where the offset lies outside the text.
    """
    if units < 0:
        return None
    seen = 0
    for at, char in enumerate(text):
        if seen >= units:
            return at
        seen += 2 if char > "\uffff" else 1
    return len(text) if seen >= units else None
