"""What a server can do, found by asking it, since what it ignores in silence no list would tell.

It must cut a prompt into as many tokens as the base's own tokenizer. Its likelihoods of a prompt's
tokens are believed only if they agree with what it says of a token that it made itself.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from lora.causal.remote.client import Client
from lora.causal.remote.dialect import FORMS, Grammar, body, grammar_fields
from lora.causal.remote.read import Completed
from lora.errors import BaseUnavailable, Refused

WORD = "qxzzy"  # what no model says by itself
GRAMMAR = (
    f'start: HEAD PIECE\nHEAD: "{WORD}: "\n'
    f'PART: %regex {{"substring_chars": "a {WORD} b"}}\nPIECE: PART & /{WORD}/\n'
)
"""Of the kind that spans need, with one answer only."""
CLOSE = 0.1  # nats: a pass over a prompt rounds differently from one over a token
ODD = "naïve Zwölf 1234567\t日本語 👋🏽 <br/> supercalifragilistic  ://x_y"
"""What no two tokenizers cut alike."""
MORE = ("", "text:", "text: a", "text: play the red song and")
"""After a prompt; some continuation of one of them is a token that can be sent back."""
PROBE_S = 120.0  # a server that has just been started may load its model first


@dataclass(frozen=True)
class Abilities:
    """`begin`: what every prompt of ours starts with and the server adds itself; `extra`: tokens
    that it counts beyond ours. `no_likelihoods`: why it cannot tell those of a prompt's tokens;
    "": it can. `confidence`: it tells them of what it says. `context`: tokens of prompt and
    answer, where it says so."""

    begin: str = ""
    extra: int = 0
    no_likelihoods: str = ""
    confidence: bool = True
    grammar: Grammar = ""
    context: int | None = None


def probe(client: Client, model: str, tokenizer: Any, prompt: str) -> Abilities:
    """What the server can do with `prompt`, a rendered chat; raises BaseUnavailable where it
    serves another base, EngineDown where it does not answer."""
    asked = _Asked(client, model, prompt)
    begin, extra = _begin(asked, tokenizer)
    context = client.models().get(model)
    asked = _Asked(client, model, prompt.removeprefix(begin))
    grammar: Grammar = next((f for f in FORMS[client.server.kind] if asked.obeys(f)), "")
    return Abilities(begin, extra, asked.no_likelihoods(), asked.confident(), grammar, context)


@dataclass(frozen=True)
class _Asked:
    client: Client
    model: str
    prompt: str

    def ask(self, more: str = "", most_tokens: int = 1, **fields: Any) -> Completed:
        made = body(self.client.server.kind, self.model, self.prompt + more, most_tokens)
        return self.client.complete(made | fields, PROBE_S)

    def confident(self) -> bool:
        try:
            told = self.ask(logprobs=1).said[0].logprobs
        except Refused:
            return False
        return bool(told) and all(p is not None and math.isfinite(p) for p in told or ())

    def obeys(self, form: Grammar) -> bool:
        try:
            found = self.ask(most_tokens=32, **grammar_fields(form, GRAMMAR))
        except (Refused, ValueError):
            return False
        # GBNF does not hold a piece to the text, but WORD it must say.
        return found.said[0].text.strip().startswith(f"{WORD}: {WORD}")

    def no_likelihoods(self) -> str:
        """Why likelihoods of a prompt's tokens cannot be had, or not be believed."""
        try:
            for more in MORE:
                told = self._checked(more)
                if told is not None:
                    return told
        except Refused as error:
            return f"it refuses to return log-probabilities of a prompt's tokens: {error}"
        return "its log-probabilities of a prompt's tokens could not be checked"

    def _checked(self, more: str) -> str | None:
        """What is wrong with them ("": nothing) by the token that follows the prompt and `more`;
        None where that is none to check with."""
        first = self.ask(more, echo=True, logprobs=1)
        told, made = list(first.said[0].logprobs or ()), first.said_tokens or 0
        if len(told) <= made:
            return "it returns no log-probabilities of a prompt's tokens"
        word = more + first.said[0].text.removeprefix(self.prompt + more)
        again = self.ask(word, echo=True, logprobs=1)
        check = list(again.said[0].logprobs or ())
        check = check[: len(check) - (again.said_tokens or 0)]
        if not made or again.prompt_tokens != (first.prompt_tokens or 0) + 1 or not check:
            return None
        if told[-1] is None or check[-1] is None:
            return "it returns no log-probability of a prompt's last token"
        if abs(told[-1] - check[-1]) > CLOSE:
            return (
                f"its log-probabilities of a prompt's tokens are off: {check[-1]:.2f} for a token "
                f"that it made at {told[-1]:.2f}"
            )
        return ""


def _begin(asked: _Asked, tokenizer: Any) -> tuple[str, int]:
    """What to leave out of prompts since the server adds it, and how many tokens it adds."""
    added: set[int] = set()
    for more in ("", ODD):
        ours = len(tokenizer(asked.prompt + more, add_special_tokens=False)["input_ids"])
        theirs = asked.ask(more).prompt_tokens
        added.add(0 if theirs is None else theirs - ours)
        if not added <= {0, 1} or len(added) > 1 or (1 in added and not tokenizer.bos_token):
            raise BaseUnavailable(
                f"the inference server at {asked.client.server.url} reads {theirs} tokens where "
                f"the base's tokenizer has {ours}: it serves another base"
            )
    first = str(tokenizer.bos_token or "")
    (extra,) = added
    return (first if extra and asked.prompt.startswith(first) else ""), extra
