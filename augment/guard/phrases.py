"""What models say around a text, and what is left of their prompts."""

from __future__ import annotations

import re
from collections.abc import Iterable

from augment.guard.texts import fold

OPENERS = tuple(
    fold(phrase)
    for phrase in (
        *("sure", "certainly", "of course", "absolutely", "here is", "here are", "here s", "okay"),
        *("i m sorry", "i am sorry", "i apologize", "as an ai", "i cannot", "i can t", "thank you"),
        *("rewritten", "rephrased", "paraphrase", "paraphrased", "translation", "note that"),
        *("the rewritten", "the text", "this text", "the sentence", "this sentence", "please note"),
        *("claro", "por supuesto", "aquí tienes", "lo siento", "voici", "bien sûr", "désolé"),
        *("natürlich", "gerne", "hier ist", "es tut mir leid", "certo", "ecco", "mi dispiace"),
        *("конечно", "вот", "извините", "当然", "好的", "以下是", "抱歉", "もちろん", "はい"),
    )
)
RESIDUE = (
    re.compile(
        r"<\|[^|<>]{1,40}\|>|</?s>|\[/?INST\]|<(start|end)_of_turn>|<unk>|```|^#{1,6} ", re.M
    ),
    re.compile(
        r"(?i)\b(an? ai|(an? )?(large )?language) (model|assistant)\b|\bas an ai\b|"
        r"\b(in|to) other words\b:"
    ),
    re.compile(
        r"(?im)^\W*(text|input|output|label|intent|category|answer|response|rewrite|rewritten|"
        r"original|paraphrase|rephrase|sentence|example|message|user|assistant|system)"
        r"\b[^\n:]{0,20}:"
    ),
    re.compile(r"\[[A-Za-z][A-Za-z' ]{2,30}\]|\{\{?[A-Za-z_]{2,30}\}\}?|<[a-z_ ]{3,30}>"),
)


def residue_in(texts: Iterable[str]) -> frozenset[int]:
    """The numbers of those RESIDUE patterns that are found in one of the texts."""
    held = list(texts)
    return frozenset(i for i, r in enumerate(RESIDUE) if any(r.search(t) for t in held))
