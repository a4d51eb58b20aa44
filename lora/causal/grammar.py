"""What may be said next: llguidance's masks, one matcher an answer. Its one importer.

Grammars are written for an answer (lora/causal/kinds); the space before it (lora/causal/tokens.py)
is put in here.
"""

from __future__ import annotations

import logging
import re
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from llguidance import LLMatcher
from llguidance.hf import from_tokenizer

START = re.compile(r"^start\b", re.MULTILINE)

log = logging.getLogger(__name__)


def spaced(grammar: str) -> str:
    """A grammar of answers as one of what follows a prompt."""
    return 'start: " " answer_\n' + START.sub("answer_", grammar)


@lru_cache(maxsize=4)
def grammars(tokenizer: Any, vocabulary: int, end: int) -> Grammars:
    """The Grammars of a tokenizer, made once, which takes a second."""
    return Grammars(tokenizer, vocabulary, end)


class Grammars:
    """A tokenizer's tokens as llguidance knows them."""

    def __init__(self, tokenizer: Any, vocabulary: int, end: int) -> None:
        """`vocabulary`: how many logits there are; `end`: the token that ends an answer."""
        self._tokens = from_tokenizer(tokenizer, n_vocab=vocabulary, eos_token=end)
        self._words = (vocabulary + 31) // 32
        self._vocabulary = vocabulary

    def matcher(self, grammar: str) -> Matcher:
        """A new answer under a grammar; raises ValueError where the grammar is none."""
        made = LLMatcher(self._tokens, LLMatcher.grammar_from_lark(spaced(grammar)), log_level=0)
        if made.is_error():
            raise ValueError(f"a grammar was refused: {made.get_error().splitlines()[0][:200]}")
        return Matcher(made, self._words, self._vocabulary)


class Matcher:
    """One answer under way."""

    def __init__(self, matcher: Any, words: int, vocabulary: int) -> None:
        self._matcher = matcher
        self._words = np.zeros(words, dtype=np.int32)
        self._vocabulary = vocabulary

    def allowed(self) -> torch.Tensor:
        """Whether each token may come next [vocabulary]."""
        self._matcher.unsafe_compute_mask_ptr(self._words.ctypes.data, self._words.nbytes)
        bits = np.unpackbits(self._words.view(np.uint8), bitorder="little")
        return torch.from_numpy(bits[: self._vocabulary]).bool()

    def take(self, token: int) -> bool:
        """Note the token that came; whether more may come."""
        good = self._matcher.consume_token(token)
        if not good:  # by allowed() it cannot be: the matcher's own limits
            log.warning("an answer left its grammar and was ended there")
        return bool(good) and not self._matcher.is_stopped()
