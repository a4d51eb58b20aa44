"""Greedy answers, token by token, of many jobs at once; jobs join and leave between two steps.

A job belongs to a version. Those of one version go through the model together, one version after
the other, so no pass sees two adapters. Prompts are read some tokens a step, so that a long one
holds up nobody; what a prompt has in common with another of its version is copied, not read again.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch

from lora.causal.grammar import Matcher, grammars
from lora.causal.network import CausalNetwork
from lora.causal.prefix import WORTH, common, shared_prefix
from lora.causal.slots import Slots
from lora.causal.tokens import answer_text, parts_ids

Why = Literal["end", "length", "time", "idle"]


@dataclass(frozen=True)
class Room:
    """What may be under way at once: `rows` answers, whose keys and values fill at most `tokens`
    places; `reading`: tokens of prompts that are read between two steps."""

    rows: int = 32
    tokens: int = 32_768
    reading: int = 1024


@dataclass(frozen=True)
class Decoded:
    """An answer. `score`: exp of its tokens' mean log p, the end included; `why` it ended."""

    text: str
    score: float
    tokens: int
    why: Why


@dataclass(frozen=True, eq=False)
class Job:
    """A prompt and what is wanted of it. `loaded`: the version that answers (its `tensors` are
    activated); `grammar`: lark of what may be said, None: anything; `deadline`: of
    time.monotonic; `done`: told the answer, from within a step; `idle`: told each line of it when
    the next begins, True ends it there."""

    loaded: Any
    shared: str
    lead: str
    grammar: str | None
    most_tokens: int
    deadline: float
    done: Callable[[Decoded], None]
    idle: Callable[[str], bool] | None = None


@dataclass(eq=False)
class _Seq:
    """A job under way: `fed` of its tokens have keys; the last of `ids` is fed next."""

    job: Job
    ids: list[int]
    prompt: int
    matcher: Matcher | None
    fed: int = 0
    slot: int = -1
    total: float = 0.0
    lines: int = 0  # of its answer that are whole

    @property
    def said(self) -> list[int]:
        return self.ids[self.prompt :]


@dataclass(eq=False)
class _Group:
    """The jobs of one version: those whose prompt is being read, and those that speak."""

    loaded: Any
    reading: list[_Seq] = field(default_factory=list)
    speaking: list[_Seq] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.read: Slots | None = None
        self.spoken: Slots | None = None


class Decoder:
    """Answers jobs with one network, so from one thread. `end`: what ends an answer's text."""

    def __init__(self, net: CausalNetwork, end: str, room: Room | None = None) -> None:
        self._net = net
        self._room = room or Room()
        self._tokenizer = net.base.tokenizer
        self._ends = end_ids(net, end)
        self._breaks: dict[int, bool] = {}  # whether a token said so far ends a line
        self._waiting: deque[_Seq] = deque()
        self._groups: dict[int, _Group] = {}

    @property
    def open(self) -> int:
        """Jobs that have no answer yet."""
        under_way = sum(len(g.reading) + len(g.speaking) for g in self._groups.values())
        return len(self._waiting) + under_way

    def add(self, job: Job) -> None:
        """Put a job under way; it begins with the next step in which there is room. Raises
        ValueError where its grammar is none."""
        self._waiting.append(self._begin(job))

    def drop(self) -> None:
        """Forget all jobs; none of them is told anything."""
        self._waiting.clear()
        self._groups.clear()

    def step(self) -> int:
        """One more token for every job that speaks, and some more of the prompts of those that do
        not yet; how many jobs are still open."""
        with torch.inference_mode():
            self._end_late()
            self._admit()
            for group in list(self._groups.values()):
                self._net.activate(group.loaded, group.loaded.tensors)
                if group.speaking:
                    self._speak(group)
                if group.reading:
                    self._read(group)
            self._groups = {k: g for k, g in self._groups.items() if g.reading or g.speaking}
        return self.open

    def run(self) -> None:
        """Step until every job is answered."""
        while self.step():
            pass

    # joining

    def _end_late(self) -> None:
        now = time.monotonic()
        for seq in [s for s in self._waiting if s.job.deadline <= now]:
            self._waiting.remove(seq)
            seq.job.done(Decoded("", 0.0, 0, "time"))
        for group in self._groups.values():
            for seq in [s for s in group.reading if s.job.deadline <= now]:
                self._leave(group, seq, "time")
            for seq in [s for s in group.speaking if s.job.deadline <= now]:
                self._leave(group, seq, "time")

    def _admit(self) -> None:
        new: dict[int, list[_Seq]] = {}
        while self._waiting:
            seq = self._waiting[0]
            under_way = [s for g in self._groups.values() for s in (*g.reading, *g.speaking)]
            under_way += [s for seqs in new.values() for s in seqs]
            longest = max(_reach(s) for s in (*under_way, seq))
            rows = len(under_way) + 1
            if under_way and (rows > self._room.rows or rows * longest > self._room.tokens):
                break
            self._waiting.popleft()
            new.setdefault(id(seq.job.loaded), []).append(seq)
        for key, seqs in new.items():
            group = self._groups.setdefault(key, _Group(seqs[0].job.loaded))
            self._net.activate(group.loaded, group.loaded.tensors)
            prefix = shared_prefix(self._net, [s.ids for s in seqs])
            group.read = group.read or Slots(self._net.layers)
            for seq in seqs:
                seq.slot = group.read.add()
                if prefix:
                    group.read.begin(seq.slot, prefix)
                    seq.fed = len(prefix)
            group.reading += seqs

    def _begin(self, job: Job) -> _Seq:
        room = self._net.base.max_tokens
        most = max(room - job.most_tokens, room // 2)
        shared, lead = parts_ids(self._tokenizer, job.shared, job.lead, most)
        matcher = self._matcher(job.grammar) if job.grammar is not None else None
        return _Seq(job, shared + lead, len(shared) + len(lead), matcher)

    def _matcher(self, grammar: str) -> Matcher:
        size = int(self._net.model.get_output_embeddings().weight.shape[0])
        return grammars(self._tokenizer, size, self._ends[0]).matcher(grammar)

    # reading

    def _read(self, group: _Group) -> None:
        """Some more tokens of prompts; those that are through say their first token."""
        assert group.read is not None  # nosec B101  # for mypy and the reader
        chosen: list[_Seq] = []
        for i, seq in enumerate(group.reading):
            if not self._follow(group, seq, i) and (len(chosen) + 1) * _rest(
                [*chosen, seq], self._room.reading
            ) <= max(self._room.reading, _rest([seq], self._room.reading)):
                chosen.append(seq)
        size = _rest(chosen, self._room.reading)
        ids = torch.zeros(len(chosen), size, dtype=torch.long)
        for row, seq in enumerate(chosen):
            more = seq.ids[seq.fed : seq.fed + size]
            ids[row, : len(more)] = torch.tensor(more)
        states = self._forward(group.read, chosen, ids)
        through = []
        for row, seq in enumerate(chosen):
            count = min(size, len(seq.ids) - seq.fed)
            seq.fed += count
            if seq.fed == len(seq.ids):
                through.append((seq, states[row, count - 1]))
        if through:
            self._move(group, [seq for seq, _ in through])
            self._say(group, [seq for seq, _ in through], torch.stack([s for _, s in through]))

    def _follow(self, group: _Group, seq: _Seq, place: int) -> bool:
        """Copy what another prompt has read of the same beginning; True: wait until it has."""
        assert group.read is not None  # nosec B101  # for mypy and the reader
        for other in (*group.speaking, *group.reading[:place]):
            alike = min(common([seq.ids, other.ids[: other.prompt]]), len(seq.ids) - 1)
            if alike < seq.fed + WORTH:
                continue
            if other.fed < alike:
                return True
            source = group.spoken if other in group.speaking else group.read
            assert source is not None  # nosec B101  # for mypy and the reader
            group.read.copy(seq.slot, source, other.slot, alike)
            seq.fed = alike
        return False

    def _move(self, group: _Group, seqs: Sequence[_Seq]) -> None:
        """From those that are read to those that speak."""
        group.spoken = group.spoken or Slots(self._net.layers)
        assert group.read is not None  # nosec B101  # for mypy and the reader
        for seq in seqs:
            slot = group.spoken.add()
            group.spoken.copy(slot, group.read, seq.slot, seq.fed)
            _give_up(group.read, group.reading, seq)
            seq.slot = slot
            group.speaking.append(seq)

    # speaking

    def _speak(self, group: _Group) -> None:
        assert group.spoken is not None  # nosec B101  # for mypy and the reader
        seqs = sorted(group.speaking, key=lambda s: s.slot)
        ids = torch.tensor([[s.ids[-1]] for s in seqs])
        states = self._forward(group.spoken, seqs, ids)
        for seq in seqs:
            seq.fed += 1
        self._say(group, seqs, states[:, 0])

    def _forward(self, slots: Slots, seqs: Sequence[_Seq], ids: torch.Tensor) -> torch.Tensor:
        to = self._net.device
        first = torch.tensor([s.fed for s in seqs]).unsqueeze(1)
        places = (first + torch.arange(ids.shape[1])).to(to)
        reach = int(places[:, -1].max()) + 1
        keys = torch.arange(reach, device=to).unsqueeze(0)
        visible = keys.unsqueeze(1) <= places.unsqueeze(2)
        past = slots.past([s.slot for s in seqs], places, reach)
        return self._net.states(ids.to(to), places, visible, keys, past)

    def _say(self, group: _Group, seqs: Sequence[_Seq], states: torch.Tensor) -> None:
        """The likeliest token that may be said, of each; those that are through leave."""
        logits = self._net.logits(states)
        whole = torch.logsumexp(logits, dim=-1)
        bound = [i for i, s in enumerate(seqs) if s.matcher is not None]
        free = logits
        if bound:
            allowed = torch.stack([seqs[i].matcher.allowed() for i in bound])  # type: ignore[union-attr]
            free = logits.clone()
            free[bound] = free[bound].masked_fill(~allowed.to(free.device), -math.inf)
        best = free.argmax(dim=-1)
        chances = (logits.gather(1, best.unsqueeze(1)).squeeze(1) - whole).tolist()
        for seq, token, chance in zip(seqs, best.tolist(), chances, strict=True):
            seq.ids.append(token)
            seq.total += chance
            if token in self._ends or (seq.matcher is not None and not seq.matcher.take(token)):
                self._leave(group, seq, "end")
            elif seq.job.idle is not None and self._ends_line(token) and self._is_idle(seq):
                self._leave(group, seq, "idle")
            elif len(seq.said) >= seq.job.most_tokens or len(seq.ids) >= self._net.base.max_tokens:
                self._leave(group, seq, "length")

    def _ends_line(self, token: int) -> bool:
        if token not in self._breaks:
            self._breaks[token] = "\n" in self._tokenizer.decode([token])
        return self._breaks[token]

    def _is_idle(self, seq: _Seq) -> bool:
        """Whether a line that has just ended adds nothing to the answer."""
        assert seq.job.idle is not None  # nosec B101  # for mypy and the reader
        whole = answer_text(self._tokenizer, seq.said).split("\n")[:-1]
        new, seq.lines = whole[seq.lines :], len(whole)
        return any([seq.job.idle(line) for line in new])

    # leaving

    def _leave(self, group: _Group, seq: _Seq, why: Why) -> None:
        if seq in group.speaking:
            assert group.spoken is not None  # nosec B101  # for mypy and the reader
            _give_up(group.spoken, group.speaking, seq)
        else:
            assert group.read is not None  # nosec B101  # for mypy and the reader
            _give_up(group.read, group.reading, seq)
        said = seq.said
        text = answer_text(
            self._tokenizer, [t for t in said if t not in self._ends], cut=why != "end"
        )
        score = math.exp(seq.total / len(said)) if said else 0.0
        seq.job.done(Decoded(text, score, len(said), why))


def end_ids(net: CausalNetwork, end: str) -> list[int]:
    """The tokens that end an answer: that of the chat's end first, then the base's own."""
    tokenizer = net.base.tokenizer
    found = list(tokenizer(end, add_special_tokens=False)["input_ids"])[:1]
    own = getattr(getattr(net.base.model, "generation_config", None), "eos_token_id", None)
    for token in (*(own if isinstance(own, list) else [own]), tokenizer.eos_token_id):
        if token is not None and token not in found:
            found.append(int(token))
    return found


def _rest(seqs: Sequence[_Seq], most: int) -> int:
    """Tokens that these read at once: as many as the longest has left, at most so many."""
    return max((min(len(s.ids) - s.fed, most) for s in seqs), default=0)


def _reach(seq: _Seq) -> int:
    return seq.prompt + seq.job.most_tokens


def _give_up(slots: Slots, seqs: list[_Seq], seq: _Seq) -> None:
    """Take a sequence out; whoever had the last slot gets its."""
    last = next(s for s in seqs if s.slot == slots.count - 1)
    slots.drop(seq.slot, last.fed)
    last.slot = seq.slot
    seqs.remove(seq)
