"""What a generator said, as the one line it was asked for.

Small generators put quotes around it, a label or a number before it, a courtesy on top. That is
taken off; what may have changed the text itself is refused.
"""

from __future__ import annotations

import re
import unicodedata

_COURTESY = re.compile(
    r"(?i)(?:sure|certainly|of course|okay|ok|here(?:'s| is| are)|absolutely)\b.*"
)
_LEAD = re.compile(
    r"(?i)(?:rewrit(?:e|ten)|rephrased?|paraphrased?|output|result|new|version|variant)"
    r"(?: (?:text|version|message|sentence|line))?(?: \d+)?\s*[:=]\s*"
)
_ITEM = re.compile(r"(?:[-*•–]|\(?\d{1,2}[.)])\s+")
_QUOTES = {'"': '"', "“": "”", "«": "»", "'": "'", "‘": "’", "`": "`", "„": "“"}
_SELF = re.compile(
    r"(?i)^texts?:|\bas an ai\b|\blanguage model\b|\brewrit(?:e|ten|ing)\b|\bparaphras"
)
_MARKUP = re.compile(r"<\|?/?\w+\|?>|```|\*\*|^#+ ")


def one_line(text: str, like: str) -> str | None:
    """The line that was asked for; None where there is none, or it speaks of the asking.

    `like`: the text it is a child of; what that has itself (quotes, a number, a word of ours) is
    not taken for wrapping.
    """
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    while lines and lines[0].endswith(":") and _COURTESY.match(lines[0]):
        lines.pop(0)
    if not lines:
        return None
    line, before = lines[0], ""
    while line != before:
        before = line
        for wrapping in (_LEAD, _ITEM):
            if not wrapping.match(like):
                line = wrapping.sub("", line, count=1) if wrapping.match(line) else line
        line = _unquoted(line, like).strip()
    for odd in (_SELF, _MARKUP):
        if odd.search(line) and not odd.search(like):
            return None
    unpaired = (line.count('"') - like.count('"')) % 2 == 1 or "“" in line and "”" not in line
    return None if unpaired or not any(c.isalnum() for c in line) else line


def repeats(line: str, prompt: str, like: str) -> bool:
    """Whether it says nothing new: it is the source again, or a line of the prompt."""
    said = squeezed(line)
    shown = {squeezed(_ITEM.sub("", part, count=1)) for part in prompt.splitlines()}
    shown |= {squeezed(part.partition(": ")[2]) for part in prompt.splitlines()}
    return said in shown | {squeezed(like)}


def wraps(line: str, source: str) -> bool:
    """Whether it is the source of four words or more with something said around it."""
    return len(source.split()) > 3 and squeezed(source) in squeezed(line)


def squeezed(text: str) -> str:
    """Letters and digits alone, in small letters: what is left when form is left out."""
    return "".join(c for c in unicodedata.normalize("NFKC", text).casefold() if c.isalnum())


def _unquoted(line: str, like: str) -> str:
    end = _QUOTES.get(line[:1])
    if end is None or len(line) < 3 or line[-1] != end or line[0] == like[:1]:
        return line
    return line[1:-1] if line[0] not in line[1:-1] and end not in line[1:-1] else line
