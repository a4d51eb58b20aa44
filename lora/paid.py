"""A writer on another machine: asked one by one, several at once, each answer kept as it comes.

What is promised, whenever the process is killed and started again: an answer that came is never
asked for again; a request that was under way at the kill is sent again, since nobody has its answer
(`parallel` of them at most; `report` counts them). What stops it within its budget is decided from
the kept answers in the order of the prompts, so it stops at the same one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any, Protocol

from lora.errors import Refused
from lora.expansions import GAVE_WAY, Interrupted, Question
from lora.written import Answer, Written

BATCH = 16
"""Prompts between two looks at the budget, and at whether something else matters more."""
FEW = 3  # prompts of a batch that a writer of use may refuse, and answer none


class Hired(Protocol):
    """Who is asked (lora/causal/remote/write.py)."""

    @property
    def name(self) -> str: ...

    @property
    def parallel(self) -> int: ...

    def ask(self, prompt: Any, /) -> Answer:
        """Raises LoraError where asking others would be no use either."""

    def estimate(self, prompt: Any, /) -> int:
        """Tokens that a prompt and its answer may take."""


class Paid:
    """Answers of a hired writer, kept in a file. `of`: the expansion that pays, which may spend
    `most_tokens` (0: as many as it takes), as the writer counts them."""

    def __init__(
        self,
        path: Path,
        writer: Hired,
        of: str,
        most_tokens: int = 0,
        go_on: Callable[[], bool] = lambda: True,
    ) -> None:
        self.name = writer.name
        self._writer, self._of, self._most, self._go_on = writer, of, most_tokens, go_on
        self._written = Written(path, writer.name)
        self._spent, self._stopped = 0, ""
        self._errors: list[BaseException] = []

    def __call__(self, prompts: Sequence[Question], /) -> Iterator[str | None]:
        """The answers, in order; None where a prompt was left out, or the budget was spent before.

        Raises Interrupted when `go_on` says so, and LoraError where the writer is of no use; what
        was answered by then is kept.
        """
        said, seen = self._written.said, set[str]()
        for i in range(0, len(prompts), BATCH):
            batch = prompts[i : i + BATCH]
            new = {p.digest: p for p in batch if p.digest not in seen}
            seen |= new.keys()
            own = [p for d, p in new.items() if d not in said or said[d].of == self._of]
            while own and not self._stopped:
                some = self._affordable(own)
                if missing := [p for p in some if p.digest not in said]:
                    if not self._go_on():
                        raise Interrupted(GAVE_WAY)
                    self._ask(missing)
                self._spent += sum(said[p.digest].tokens for p in some)
                own = own[len(some) :]
                if not some:
                    self._stopped = f"the budget of {self._most} tokens is spent"
            for p in batch:
                yield said[p.digest].text if p.digest in said else None

    def report(self) -> dict[str, Any]:
        """What was asked and what it took, for this expansion, over all its processes."""
        own = [a for a in self._written.said.values() if a.of == self._of]
        return {
            "by": self.name,
            "answered": sum(a.text is not None for a in own),
            "left_out": dict(Counter(a.why for a in own if a.text is None)),
            "tokens": sum(a.tokens for a in own),
            "unanswered": self._written.asked.get(self._of, 0) - len(own),
            "stopped": self._stopped,
        }

    def _affordable(self, prompts: Sequence[Question]) -> list[Question]:
        """As many of them, from the first on, as the rest of the budget may pay for."""
        if not self._most:
            return list(prompts)
        left, some = self._most - self._spent, list[Question]()
        for p in prompts:
            left -= self._writer.estimate(p)
            if left < 0:
                break
            some.append(p)
        return some

    def _ask(self, prompts: Sequence[Question]) -> None:
        """Each is kept as it comes; those left out at the end, if the fault can be theirs."""
        out: dict[str, Answer] = {}
        pool = ThreadPoolExecutor(self._writer.parallel)
        futures = {pool.submit(self._one, p): p for p in prompts}
        try:
            for future in as_completed(futures):
                answer = future.result()
                if answer is not None and answer.text is None:
                    out[futures[future].digest] = answer
        finally:  # what is under way is paid for: it is waited for, and kept
            pool.shutdown(wait=True, cancel_futures=True)
        if self._errors:
            raise self._errors[0]
        if not out:
            return
        if self._useless(len(out)):
            counts = Counter(a.why for a in out.values()).items()
            whys = "; ".join(f"{n}: {why}" for why, n in counts)
            raise Refused(f"{self.name} answered none of {len(out)} prompts ({whys})")
        self._written.keep(out)

    def _useless(self, out: int) -> bool:
        """Whether so many left out and none answered are the writer's fault, or its settings'."""
        answered = [a for a in self._written.said.values() if a.text is not None]
        here = any(a.of == self._of for a in answered)
        return not here and (out > FEW or not answered)

    def _one(self, prompt: Question) -> Answer | None:
        """None where it could not be asked, and nobody else is to be."""
        if self._errors:
            return None
        try:
            self._written.asking(prompt.digest, self._of)
            found = self._writer.ask(prompt)
            answer = Answer(found.text, found.tokens, found.why, self._of)
            if answer.text is not None:
                self._written.keep({prompt.digest: answer})
        except BaseException as error:  # the edge of a thread; raised in the one that waits
            self._errors.append(error)
            return None
        return answer
