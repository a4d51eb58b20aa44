"""A causal base answers rows: likelihoods at once, decoded answers as their tokens come.

`begin` scores what can be scored and hands the rest to the decoder; `step` moves every row under
way one token on. So rows of several requests, and of several versions, are under way together.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import torch

from label_config.schema import read_schema
from label_config.values import Choice, Inputs, Region, answer_key
from lora.answer import Answer, joined
from lora.causal.calibrate import Calibration
from lora.causal.decode import Decoded, Decoder, Job
from lora.causal.kinds import kind_of
from lora.causal.network import CausalNetwork
from lora.causal.prompt import Ask, Chat, asks, room_for
from lora.causal.score import score
from lora.forms.form import Said, unit
from lora.loaded import Loaded
from lora.network import Tree

PLAIN = Calibration()
FAR = 0.3
"""An option that is surely less likely than this share of the likeliest is not asked for to its end
where many have one of their own (lora/causal/packed.py); which is likeliest stays as it is."""
WARM = """<View><Text name="t" value="$text"/>
<Choices name="c" toName="t"><Choice value="warm"/><Choice value="cold"/></Choices>
<Labels name="l" toName="t"><Label value="word"/></Labels></View>"""


@dataclass(frozen=True)
class Limits:
    """How long one answer may get: `tokens` of it at most, and so many seconds from its begin."""

    tokens: int = 256
    seconds: float = 30.0


@dataclass(eq=False)
class Row:
    """One row under way: what each control has said so far, and how many answers are to come."""

    loaded: Loaded
    said: dict[str, list[Said]] = field(default_factory=dict)
    open: int = 0
    failed: bool = False

    @property
    def done(self) -> bool:
        return self.open == 0

    def fail(self) -> None:
        """Give up on what is still to come."""
        self.open, self.failed = 0, True

    def answer(self) -> Answer:
        """What the controls said; of a long text's windows together."""
        schema = self.loaded.schema
        told = [c.name for c in schema.controls if c.name in self.said]
        return joined(schema, {name: _together(self.said[name]) for name in told})


class Answerer:
    """Answers with one network, so from one thread."""

    def __init__(self, network: CausalNetwork, limits: Limits | None = None) -> None:
        self.network = network
        self._limits = limits or Limits()
        self._chat = Chat(network.base.tokenizer)
        self.room = room_for(network.base.max_tokens, network.base.hidden)
        self._decoder = Decoder(network, self._chat.end)

    def begin(self, loaded: Loaded, rows: Sequence[Inputs]) -> list[Row]:
        """Put rows under way; those that need no decoding are done when this returns."""
        made = [Row(loaded) for _ in rows]
        asked = [
            (row, ask)
            for row, inputs in zip(made, rows, strict=True)
            for ask in asks(self._chat, loaded.schema, inputs, self.room)
        ]
        scored = [(r, a) for r, a in asked if kind_of(a.control).way == "score"]
        self.network.activate(loaded, loaded.tensors)
        tables = self.tables(loaded, [a for _, a in scored], exact=False)
        for (row, ask), table in zip(scored, tables, strict=True):
            row.said.setdefault(ask.control.name, []).append(best(loaded, ask, table))
        until = time.monotonic() + self._limits.seconds
        for row, ask in asked:
            kind = kind_of(ask.control)
            if kind.way == "decode":
                row.open += 1
                most, grammar = min(kind.most_tokens(ask), self._limits.tokens), kind.grammar(ask)
                into, idle = take(row, ask), kind.idle(ask)
                job = Job(loaded, ask.shared, ask.lead, grammar, most, until, into, idle)
                self._decoder.add(job)
        return made

    def likelihoods(
        self, loaded: Loaded, rows: Sequence[Inputs]
    ) -> Iterator[tuple[str, Mapping[str, float]]]:
        """Log p of each option by its value, of each control and row that is answered so."""
        every = [a for row in rows for a in asks(self._chat, loaded.schema, row, self.room)]
        asked = [a for a in every if kind_of(a.control).way == "score"]
        self.network.activate(loaded, loaded.tensors)
        for ask, table in zip(asked, self.tables(loaded, asked), strict=True):
            yield (
                ask.control.name,
                {o.value: p for o, p in zip(ask.options, table.tolist(), strict=True)},
            )

    def tables(
        self, loaded: Loaded, asked: Sequence[Ask], exact: bool = True
    ) -> list[torch.Tensor]:
        """Log p of each option of each ask, `loaded` being active; if not `exact`, about that of
        those that are surely FAR behind."""
        whole = exact or self.network.device.type != "cpu"  # there tokens cost less than passes
        margins = () if whole else [_margin(loaded, ask) for ask in asked]
        return score(self.network, asked, self._end(loaded), margins)

    def _end(self, loaded: Loaded) -> str:
        """What options are scored with: a base that was not taught to end its answers there makes
        that end a matter of taste (SNIPS train rows, no labels: .55 with it, .75 without)."""
        return self._chat.end if loaded.tensors.adapts else ""

    def step(self) -> int:
        """One more token for all rows under way; how many answers are still to come."""
        return self._decoder.step()

    def drop(self) -> None:
        """Forget the answers under way, after the model failed."""
        self._decoder.drop()

    def answer(self, loaded: Loaded, rows: Sequence[Inputs]) -> list[Answer]:
        """Answer each row, in order, to its end."""
        made = self.begin(loaded, rows)
        while any(not row.done for row in made):
            self.step()
        return [row.answer() for row in made]


def warm_up(network: Tree) -> None:
    """Answer something, so that no annotator waits for what is made once: a tokenizer's grammars
    take a second."""
    assert isinstance(network, CausalNetwork)  # nosec B101  # for mypy and the reader
    loaded = Loaded("warm-up", read_schema(WARM), network.prepare({}), {})
    Answerer(network, Limits(tokens=2)).answer(loaded, [Inputs({"text": "warm up"})])


def take(row: Row, ask: Ask) -> Callable[[Decoded], None]:
    """What writes a decoded answer into its row."""

    def read(decoded: Decoded) -> None:
        text = decoded.text if decoded.why == "end" else _whole(ask, decoded.text)
        regions = kind_of(ask.control).read(ask, text, unit(decoded.score))
        row.said.setdefault(ask.control.name, []).append((regions, unit(decoded.score)))
        row.open -= 1

    return read


def _whole(ask: Ask, text: str) -> str:
    """An answer that was cut, without the line that it was cut in; a written text stays."""
    return text if ask.control.form == "text" else text.rpartition("\n")[0]


def _margin(loaded: Loaded, ask: Ask) -> float:
    if not loaded.tensors.adapts:  # its chances lie close together
        return math.inf
    return loaded.calibration.get(ask.control.name, PLAIN).margin(FAR)


def best(loaded: Loaded, ask: Ask, table: torch.Tensor) -> Said:
    """The likeliest option, calibrated, and its probability among the options."""
    control = ask.control
    calibration = loaded.calibration.get(control.name, PLAIN)
    chances = calibration.chances(table, [o.value for o in ask.options])
    place = int(chances.argmax())
    chance = unit(float(chances[place]))
    region = Choice(control.name, control.to_name, (ask.options[place].value,), chance)
    return [region], chance


def _together(parts: Sequence[Said]) -> Said:
    found: dict[object, Region] = {}
    for regions, _ in parts:
        for region in regions:
            found.setdefault(answer_key(region), region)
    return list(found.values()), min(score for _, score in parts)
