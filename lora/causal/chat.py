"""A tokenizer's way of writing a conversation: its chat template, or plain text without one."""

from __future__ import annotations

import logging
import re
from datetime import date
from typing import Any

log = logging.getLogger(__name__)

ASIDE = {"<": "‹", "[": "［"}
"""What stands for the first sign of a special token that a text happens to spell; else a sign that
no token begins with. One code point for one, so offsets stay."""

FIXED: dict[str, Any] = {
    "enable_thinking": False,
    # Some templates write today's date; then one training would differ from the next.
    "date_string": "01 Jan 2026",
    "strftime_now": lambda form: date(2026, 1, 1).strftime(form),
}
"""What templates may ask for beside the messages."""

_MARKS = ("Qsystemq", "Quserq", "Qanswerq")  # words that no template holds


class Chat:
    """Made once per base. `end`: what ends an assistant's turn, e.g. "<|im_end|>"."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        special = sorted(_special(tokenizer), key=len, reverse=True)
        self._special = (
            re.compile("(?=" + "|".join(map(re.escape, special)) + ")") if special else None
        )
        self._begin = _begin(tokenizer)
        self._system = True
        if not getattr(tokenizer, "chat_template", None):
            self._template = False
            self.end: str = tokenizer.eos_token or "\n\n"
            return
        self._template = True
        self._system = self._takes_system()
        self.end = self._find_end(special)

    def plain(self, text: str) -> str:
        """The text, code point by code point, without anything that reads as a special token; a
        lone surrogate becomes an unknown sign."""
        text = _SURROGATE.sub("\ufffd", text)
        if self._special is None or not self._special.search(text):
            return text
        signs = list(text)
        for found in self._special.finditer(text):
            signs[found.start()] = ASIDE.get(signs[found.start()], "\ufffd")
        return "".join(signs)

    def apart(self, text: str) -> list[str]:
        """The text in pieces none of which holds anything that reads as a special token: cut into
        tokens one by one, they are the text's own signs and nothing else."""
        found = self._special.finditer(text) if self._special else ()
        cuts = [0, *(f.start() + 1 for f in found), len(text)]
        pieces = [text[a:b] for a, b in zip(cuts, cuts[1:], strict=False)]
        return [self.plain(piece) for piece in pieces if piece]

    def prefix(self, system: str, user: str) -> str:
        """The conversation up to where the assistant speaks. Both must be `plain`."""
        if not self._template:
            return f"{self._begin}{system}\n\n{user}\n\n"
        return self._render(self._messages(system, user), True)

    def count(self, text: str) -> int:
        """How many tokens a rendered text has."""
        return len(self._tokenizer(text, add_special_tokens=False)["input_ids"])

    def _messages(self, system: str, user: str) -> list[dict[str, str]]:
        if not self._system:
            return [{"role": "user", "content": f"{system}\n\n{user}"}]
        return [{"role": "system", "content": system}, {"role": "user", "content": user}]

    def _render(self, messages: list[dict[str, str]], more: bool) -> str:
        text = self._tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=more, **FIXED
        )
        return str(text)

    def _takes_system(self) -> bool:
        """Whether the template has a system's turn (Gemma's raises, some leave it out)."""
        system, user, _ = _MARKS
        try:
            return system in self._render(self._messages(system, user), True)
        except Exception as error:  # a template is a program: jinja2's errors, or what it raises
            log.info("the chat template takes no system message (%s)", type(error).__name__)
            return False

    def _find_end(self, special: list[str]) -> str:
        system, user, said = _MARKS
        answered = [*self._messages(system, user), {"role": "assistant", "content": said}]
        tail = self._render(answered, False).partition(said)[2]
        found = [(tail.find(s), -len(s), s) for s in special if s in tail]
        return min(found)[2] if found else (self._tokenizer.eos_token or tail or "\n\n")


_SURROGATE = re.compile("[\ud800-\udfff]")


def _special(tokenizer: Any) -> set[str]:
    """The texts that a tokenizer reads as one token with a meaning of its own."""
    added = tokenizer.added_tokens_decoder.values()
    texts = {str(t) for t in added if t.special or str(t)[:1] in ASIDE} | set(
        tokenizer.all_special_tokens
    )
    return {t for t in texts if t.strip()}


def _begin(tokenizer: Any) -> str:
    """What a text without a template begins with: the token that the tokenizer itself would put."""
    ids = list(tokenizer("a")["input_ids"])
    begins = tokenizer.bos_token_id is not None and ids[:1] == [tokenizer.bos_token_id]
    return str(tokenizer.bos_token) if begins else ""
