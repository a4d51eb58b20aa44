"""An answer is what `generate` would say, whoever else is in the batch and whenever they join."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from typing import Any

import pytest
import torch

from lora.base import Base
from lora.causal.decode import Decoded, Decoder, Job, Room, end_ids
from lora.causal.network import CausalNetwork
from lora.causal.tokens import answer_text, prompt_ids
from lora.weights import Mode
from tests.lora.causal.made import CAUSAL, END, causal_base, causal_tensors
from tests.lora.made import WORDS

SYSTEM = f"<|im_start|>system\nplay or buy or paint the wall{END}\n<|im_start|>user\n"
draw = random.Random(0)
SHARED = [f"{SYSTEM}{' '.join(draw.choices(WORDS, k=k))}{END}\n" for k in (1, 30, 4, 90, 7, 12)]
LATE = 1e12


@dataclass(frozen=True, eq=False)
class Version:
    """What a job belongs to."""

    tensors: Any


def versions(network: CausalNetwork) -> tuple[Version, Version]:
    other = causal_tensors(network.base, 1)
    return Version(network.prepare({})), Version(network.prepare(other))


def generated(
    network: CausalNetwork, version: Version, shared: str, lead: str, most: int, end: str = END
) -> str:
    """What transformers says, alone."""
    network.activate(version, version.tensors)
    tokenizer, ends = network.base.tokenizer, end_ids(network, end)
    ids = prompt_ids(tokenizer, shared, lead)
    out = network.model.generate(
        torch.tensor([ids]),
        attention_mask=torch.ones(1, len(ids)),
        max_new_tokens=most,
        do_sample=False,
        eos_token_id=ends,
        pad_token_id=0,
    )[0].tolist()[len(ids) :]
    return answer_text(tokenizer, [t for t in out if t not in ends], cut=out[-1] not in ends)


def run(decoder: Decoder, jobs: list[tuple[Any, ...]], every: int = 1) -> list[Decoded]:
    """Answer (version, shared, lead, grammar, most), one new job every so many steps."""
    found: dict[int, Decoded] = {}
    for i, job in enumerate(jobs):
        decoder.add(Job(*job, LATE, lambda said, i=i: found.__setitem__(i, said)))  # type: ignore[misc]
        for _ in range(every):
            decoder.step()
    decoder.run()
    return [found[i] for i in range(len(jobs))]


@pytest.mark.parametrize("name", CAUSAL)
def test_each_answer_is_what_generate_says_alone(name: str) -> None:
    network = CausalNetwork(causal_base(name))
    one, two = versions(network)
    jobs = [(v, s, lead, None, 12 + 3 * i) for i, s in enumerate(SHARED)
            for v in (one, two) for lead in ("note: ", "more: ")]  # fmt: skip
    want = [generated(network, v, s, lead, most) for v, s, lead, _, most in jobs]
    for room, every in ((Room(), 0), (Room(rows=5, reading=24), 1), (Room(tokens=400), 3)):
        said = run(Decoder(network, END, room), jobs, every)
        assert [d.text for d in said] == want
    if name != "gpt2":  # which has no layers that carry an adapter
        assert want[0] != want[2]


def test_versions_under_way_together_do_not_mix(llama: Base) -> None:
    for merged in (True, False):
        network = CausalNetwork(llama, Mode(merged))
        one, two = versions(network)
        alone = {v: [run(Decoder(network, END), [(v, s, "note: ", None, 20)])[0].text
                     for s in SHARED] for v in (one, two)}  # fmt: skip
        both = run(Decoder(network, END), [(v, s, "note: ", None, 20)
                                           for s in SHARED for v in (one, two)])  # fmt: skip
        assert [d.text for d in both[::2]] == alone[one] != alone[two]
        assert [d.text for d in both[1::2]] == alone[two]


def test_a_long_answer_does_not_hold_up_a_short_one(llama: Base) -> None:
    network = CausalNetwork(llama)
    one, _ = versions(network)
    decoder, done = Decoder(network, END), []
    grammar = "start: /[a-z]{3}/\n"
    decoder.add(Job(one, SHARED[1], "note: ", "start: /[a-z]{200}/\n", 300, LATE, done.append))
    decoder.step()
    decoder.add(Job(one, SHARED[0], "note: ", grammar, 20, LATE, done.append))
    for _ in range(6):
        decoder.step()
    assert [d.why for d in done] == ["end"] and decoder.open == 1


def test_a_deadline_ends_a_job_with_what_it_has(llama: Base) -> None:
    network = CausalNetwork(llama)
    one, _ = versions(network)
    decoder, done = Decoder(network, END, Room(rows=1)), []
    soon = time.monotonic() + 0.3
    decoder.add(Job(one, SHARED[0], "note: ", "start: /[a-z]{400}/\n", 400, soon, done.append))
    decoder.add(Job(one, SHARED[1], "note: ", None, 5, soon, done.append))  # never has its turn
    decoder.step()
    time.sleep(0.3)
    assert decoder.step() == 0
    waited, cut = sorted(done, key=lambda d: d.tokens)
    assert (waited.text, waited.tokens, waited.why) == ("", 0, "time")
    assert cut.why == "time" and cut.tokens == 1 and cut.text


def test_a_grammar_is_obeyed_and_ends_its_answer(llama: Base) -> None:
    network = CausalNetwork(llama)
    one, two = versions(network)
    lines = 'start: line ("\\n" line)*\nline: ("song" | "colour") ": " /[a-c]{2}/\n'
    jobs = [(v, s, "parts: ", lines, 60) for s in SHARED for v in (one, two)]
    for said in run(Decoder(network, END), [*jobs, (one, SHARED[0], "note: ", None, 20)])[:-1]:
        for line in said.text.split("\n")[: -1 if said.why == "length" else None]:
            label, _, value = line.partition(": ")
            assert label in {"song", "colour"} and len(value) == 2 and set(value) <= set("abc")
        assert 0 < said.score <= 1


def test_a_line_that_adds_nothing_ends_an_answer_and_what_came_before_stands(llama: Base) -> None:
    network = CausalNetwork(llama)
    one, _ = versions(network)
    decoder, done, heard = Decoder(network, END), [], []
    grammar = 'start: "song: a" ("\\nsong: b"){90}\n'

    def idle(line: str) -> bool:
        heard.append(line)
        return line in heard[:-1]

    for told in (idle, None):
        decoder.add(Job(one, SHARED[0], "x: ", grammar, 200, LATE, done.append, told))
    decoder.run()
    assert heard == ["song: a", "song: b", "song: b"]
    looped = done[0]
    assert looped.text.rstrip() == "song: a\nsong: b\nsong: b" and looped.why == "idle"
    assert looped.tokens < 40 and 0 < looped.score <= 1
    assert done[1].tokens == 200 and done[1].why == "length"


def test_only_what_the_text_holds_can_be_said(llama: Base) -> None:
    network = CausalNetwork(llama)
    one, _ = versions(network)
    text = 'a "quote" 👋🏽 مرحبا {x}'
    quoted = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    grammar = f'start: SUB\nSUB: %regex {{"substring_chars": {quoted}}}\n'
    for said in run(Decoder(network, END), [(one, s, "part: ", grammar, 40) for s in SHARED]):
        assert said.text in text


def test_a_grammar_that_is_none_is_refused_where_it_is_added(llama: Base) -> None:
    network = CausalNetwork(llama)
    one, _ = versions(network)
    with pytest.raises(ValueError, match="a grammar was refused"):
        Decoder(network, END).add(Job(one, SHARED[0], "x: ", "start: nowhere\n", 5, LATE, print))


def test_the_score_is_the_mean_of_the_tokens_chances(llama: Base) -> None:
    network = CausalNetwork(llama)
    one, _ = versions(network)
    (said,) = run(Decoder(network, END), [(one, SHARED[0], "note: ", None, 3)])
    network.activate(one, one.tensors)
    ids = prompt_ids(llama.tokenizer, SHARED[0], "note: ")
    total = 0.0
    for _ in range(3):
        with torch.inference_mode():
            table = network.model(torch.tensor([ids])).logits[0, -1].log_softmax(-1)
        ids.append(int(table.argmax()))
        total += float(table.max())
    assert said.score == pytest.approx(float(torch.tensor(total / 3).exp()), abs=1e-4)


def test_a_prompt_longer_than_the_base_reads_is_answered(llama: Base) -> None:
    network = CausalNetwork(llama)
    one, _ = versions(network)
    (said,) = run(Decoder(network, END), [(one, "👋🏽 " * 4000, "note: ", None, 500)])
    assert said.tokens <= 500 and said.why in {"length", "end"}


def test_what_is_dropped_is_forgotten(llama: Base) -> None:
    network = CausalNetwork(llama)
    one, _ = versions(network)
    decoder, done = Decoder(network, END), []
    decoder.add(Job(one, SHARED[0], "note: ", None, 50, LATE, done.append))
    decoder.step()
    decoder.drop()
    assert decoder.step() == 0 and not done
    assert run(decoder, [(one, SHARED[0], "note: ", None, 3)])[0].tokens > 0


def test_what_prompts_have_in_common_is_read_once(
    llama: Base, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = CausalNetwork(llama)
    one, _ = versions(network)
    states, read = network.states, []
    monkeypatch.setattr(
        network, "states", lambda ids, *rest: read.append(ids.numel()) or states(ids, *rest)
    )
    leads = ("note: ", "more: ", "part: ", "what: ")
    whole = len(prompt_ids(llama.tokenizer, SHARED[3], leads[0]))
    run(Decoder(network, END), [(one, SHARED[3], lead, None, 1) for lead in leads], every=0)
    assert sum(read) < 1.5 * whole
    read.clear()
    run(Decoder(network, END), [(one, SHARED[3], leads[0], None, 1)])  # another day, same version
    assert sum(read) < 0.5 * whole
