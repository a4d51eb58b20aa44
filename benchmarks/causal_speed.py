"""`python -m benchmarks.causal_speed`: what a causal base's answers cost, against transformers.

Likelihoods of 7 and 77 labels, decoding against raw `generate` on the same batch, free against
constrained, 4 bits a weight against bf16. One thread; all contestants in the same run, one repeat
of each in turn. Rows: BANKING77 train texts. `--quick` is a smoke test only.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch.profiler import ProfilerActivity, profile

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks import report
from benchmarks.causal_taught import taught
from benchmarks.made import adapter_of, texts_of
from label_config import Inputs, read_schema
from lora.base import Base, load_base
from lora.causal.ask import Ask
from lora.causal.chat import Chat
from lora.causal.decode import Decoded, Decoder, Job, Room
from lora.causal.network import CausalNetwork
from lora.causal.prompt import asks, room_for
from lora.causal.score import score
from lora.causal.tokens import answer_ids, prompt_ids
from lora.weights import pick_mode

LABELS = (
    "activate my card;age limit;apple pay or google pay;atm support;automatic top up;balance not "
    "updated after bank transfer;balance not updated after cheque or cash deposit;beneficiary not "
    "allowed;cancel transfer;card about to expire;card acceptance;card arrival;card delivery "
    "estimate;card linking;card not working;card payment fee charged;card payment not recognised;"
    "card payment wrong exchange rate;card swallowed;cash withdrawal charge;cash withdrawal not "
    "recognised;change pin;compromised card;contactless not working;country support;declined card "
    "payment;declined cash withdrawal;declined transfer;direct debit payment not recognised;"
    "disposable card limits;edit personal details;exchange charge;exchange rate;exchange via app;"
    "extra charge on statement;failed transfer;fiat currency support;get disposable virtual card;"
    "get physical card;getting spare card;getting virtual card;lost or stolen card;lost or stolen "
    "phone;order physical card;passcode forgotten;pending card payment;pending cash withdrawal;"
    "pending top up;pending transfer;pin blocked;receiving money;refund not showing up;request "
    "refund;reverted card payment;supported cards and currencies;terminate account;top up by bank "
    "transfer charge;top up by card charge;top up by cash or cheque;top up failed;top up limits;"
    "top up reverted;topping up by card;transaction charged twice;transfer fee charged;transfer "
    "into account;transfer not received by recipient;transfer timing;unable to verify identity;"
    "verify my identity;verify source of funds;verify top up;virtual card not working;visa or "
    "mastercard;why verify identity;wrong amount of cash received;wrong exchange rate for cash "
    "withdrawal"
).split(";")
UNSAID = "<|endoftext|>"  # an end that is never said, so that all say as many tokens
ANY = "start: /[a-z ,.'?]{600,900}/\n"


@dataclass(frozen=True, eq=False)
class Version:
    """What an answer belongs to."""

    tensors: Any


def questions(base: Base, chat: Chat, texts: Sequence[str], labels: Sequence[str]) -> list[Ask]:
    values = "".join(f'<Choice value="{label}"/>' for label in labels)
    schema = read_schema(
        '<View><Text name="t" value="$text"/>'
        f'<Choices name="intent" toName="t">{values}</Choices></View>'
    )
    room = room_for(base.max_tokens)
    return [a for t in texts for a in asks(chat, schema, Inputs({"text": t}), room)]


@torch.inference_mode()  # type: ignore[untyped-decorator]
def naive(network: CausalNetwork, asked: Sequence[Ask], end: str) -> list[torch.Tensor]:
    """Each label after the whole prompt, all labels of a text in one batch."""
    tokenizer, found = network.base.tokenizer, []
    for ask in asked:
        prompt = prompt_ids(tokenizer, ask.shared, ask.lead)
        said = [answer_ids(tokenizer, o.words, end) for o in ask.options]
        longest = max(map(len, said))
        ids = torch.tensor([prompt + s + [0] * (longest - len(s)) for s in said])
        states = network.model.base_model(input_ids=ids, use_cache=False).last_hidden_state
        first = len(prompt) - 1
        places = [(i, first + n) for i, s in enumerate(said) for n in range(len(s))]
        rows, columns = torch.tensor(places).T
        table = network.logits(states[rows, columns]).log_softmax(-1)
        picked = table[torch.arange(len(places)), torch.tensor([t for s in said for t in s])]
        found.append(torch.zeros(len(said)).index_add(0, rows, picked))
    return found


def scoring(network: CausalNetwork, texts: Sequence[str], repeats: int) -> dict[str, Any]:
    """Seconds a text; `read`: each with its whole prompt, `known`: what all prompts begin with
    (the labels' list) is known from the text before. 7: so many of the 77, in the same prompt."""
    base, chat = network.base, Chat(network.base.tokenizer)
    all77 = questions(base, chat, texts, LABELS)
    some7 = [replace(a, options=a.options[::11]) for a in all77]

    def one_by_one(asked: Sequence[Ask], known: bool) -> None:
        for ask in asked:
            if not known:
                network.remembered.clear()
            score(network, [ask], chat.end)

    cases: dict[str, Callable[[], object]] = {
        "7 read": lambda: one_by_one(some7, False),
        "77 read": lambda: one_by_one(all77, False),
        "7 known": lambda: one_by_one(some7, True),
        "77 known": lambda: one_by_one(all77, True),
    }
    seconds = report.interleaved(cases, repeats)
    few = texts[:2]
    short = [replace(a, shared=_without_list(a.shared)) for a in questions(base, chat, few, LABELS)]
    short7 = [replace(a, options=a.options[::11]) for a in short]
    against = report.interleaved(
        {
            "7": lambda: one_by_one(short7, False),
            "77": lambda: one_by_one(short, False),
            "7 naive": lambda: naive(network, short7, chat.end),
            "77 naive": lambda: naive(network, short, chat.end),
        },
        repeats,
    )
    alike = [
        int(a.argmax() == b.argmax())
        for a, b in zip(
            naive(network, short, chat.end), score(network, short, chat.end), strict=True
        )
    ]
    return {
        "prompt_tokens": len(prompt_ids(base.tokenizer, all77[0].shared, all77[0].lead)),
        "short_prompt_tokens": len(prompt_ids(base.tokenizer, short[0].shared, short[0].lead)),
        "s_per_text": {n: report.middle([s / len(texts) for s in v]) for n, v in seconds.items()},
        "77_over_7_read": report.ratio(seconds["77 read"], seconds["7 read"]),
        "77_over_7_known": report.ratio(seconds["77 known"], seconds["7 known"]),
        "short_77_over_7": report.ratio(against["77"], against["7"]),
        "short_77_over_7_naive": report.ratio(against["77 naive"], against["7 naive"]),
        "short_naive_over_ours_77": report.ratio(against["77 naive"], against["77"]),
        "same_argmax_as_naive": sum(alike) / len(alike),
    }


def _without_list(shared: str) -> str:
    """The prompt without the labels' list, which naive scoring reads once a label."""
    head, _, rest = shared.partition(LABELS[0])
    return head + rest.partition(LABELS[-1])[2]


class Batch:
    """The same prompts for ours and for transformers."""

    def __init__(self, network: CausalNetwork, texts: Sequence[str], tokens: int) -> None:
        self.network, self.tokens = network, tokens
        self.version = Version(network.prepare({}))
        chat = Chat(network.base.tokenizer)
        self.shared = [
            chat.prefix("Tell the customer's question as a long story.", t) for t in texts
        ]
        prompts = [prompt_ids(network.base.tokenizer, s, "story: ") for s in self.shared]
        longest = max(map(len, prompts))
        self.ids = torch.tensor([[0] * (longest - len(p)) + p for p in prompts])
        self.mask = torch.tensor([[0] * (longest - len(p)) + [1] * len(p) for p in prompts])

    def raw(self) -> Any:
        """As one would write it."""
        with torch.inference_mode():
            return self.network.base.model.generate(
                self.ids, attention_mask=self.mask, max_new_tokens=self.tokens,
                min_new_tokens=self.tokens, do_sample=False, pad_token_id=0,
            )  # fmt: skip

    def raw_without_the_trap(self) -> Any:
        """With a head that torch does not copy for each row: one that wants a gradient."""
        head = self.network.base.model.get_output_embeddings().weight
        head.requires_grad_(True)
        try:
            return self.raw()
        finally:
            head.requires_grad_(False)

    def ours(
        self, grammar: str | None = None, network: CausalNetwork | None = None
    ) -> list[Decoded]:
        net = network or self.network
        net.remembered.clear()
        decoder = Decoder(net, UNSAID, Room(reading=1 << 20))  # as generate: prompts in one go
        decoder._ends = decoder._ends[:1]
        found: list[Decoded] = []
        late = time.monotonic() + 3600
        for shared in self.shared:
            decoder.add(
                Job(self.version, shared, "story: ", grammar, self.tokens, late, found.append)
            )
        decoder.run()
        return found


def decoding(
    network: CausalNetwork, texts: Sequence[str], sizes: Sequence[int], tokens: int, repeats: int
) -> dict[str, Any]:
    """Tokens a second, prompts included."""
    found: dict[str, Any] = {}
    for size in sizes:
        batch = Batch(network, texts[:size], tokens)
        seconds = report.interleaved(
            {
                "generate": batch.raw,
                "generate, head not copied": batch.raw_without_the_trap,
                "ours": batch.ours,
                "ours, constrained": lambda b=batch: b.ours(ANY),  # type: ignore[misc]
            },
            repeats,
        )
        rates = {n: [size * tokens / s for s in v] for n, v in seconds.items()}
        found[str(size)] = {
            "tokens_per_s": {n: report.middle(v, 1) for n, v in rates.items()},
            "ours_over_generate": report.ratio(rates["ours"], rates["generate"]),
            "ours_over_generate_without_trap": report.ratio(
                rates["ours"], rates["generate, head not copied"]
            ),
            "constrained_over_free": report.ratio(rates["ours, constrained"], rates["ours"]),
        }
    return found


def head_copies(network: CausalNetwork, texts: Sequence[str]) -> dict[str, int]:
    """How often the whole head is multiplied as one matrix a row (and so copied): bmm calls with
    the vocabulary's size in their shapes."""
    batch = Batch(network, texts[:4], 2)
    chat = Chat(network.base.tokenizer)
    asked = questions(network.base, chat, texts[:4], LABELS[:7])
    size = network.model.get_output_embeddings().weight.shape[0]
    found = {}
    for name, call in (
        ("generate", batch.raw),
        ("decode", batch.ours),
        ("score", lambda: score(network, asked, chat.end)),
    ):
        with profile(activities=[ProfilerActivity.CPU], record_shapes=True) as seen:
            call()
        events = seen.key_averages(group_by_input_shape=True)
        found[name] = sum(
            e.count for e in events
            if e.key == "aten::bmm" and any(size in shape for shape in e.input_shapes)
        )  # fmt: skip
    return found


def four_bits(name: str, texts: Sequence[str], tokens: int, repeats: int) -> dict[str, Any]:
    """NF4 against bf16: bytes of the weights, time of a prefill and of decoding, an adapter beside
    the weights in both."""
    nets = {}
    for words in ("", "nf4"):
        base = load_base(name, threads=1, quantize=words)
        nets[words or "bf16"] = CausalNetwork(base, pick_mode(base, "unmerged"))
    batches = {n: Batch(net, texts[:4], tokens) for n, net in nets.items()}
    for n, net in nets.items():
        tensors = adapter_of(replace(net.base, model=net.model), 1) if n == "bf16" else {}
        batches[n].version = Version(net.prepare(tensors))
    batches["nf4"].version = Version(nets["nf4"].prepare(adapter_of(nets["bf16"].base, 1)))
    seconds = report.interleaved({n: b.ours for n, b in batches.items()}, repeats)
    return {
        "megabytes": {n: round(net.plain_bytes / 1e6, 1) for n, net in nets.items()},
        "of_it_linear": {n: round(_linear(net) / 1e6, 1) for n, net in nets.items()},
        "nf4_time_over_bf16": report.ratio(seconds["nf4"], seconds["bf16"]),
    }


def _linear(net: CausalNetwork) -> int:
    return sum(
        p.numel() * p.element_size() for n, p in net.model.named_parameters() if ".layers." in n
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a smoke test, not a measurement")
    parser.add_argument("--base", default="smollm")
    given = parser.parse_args()
    base = load_base(given.base, threads=1)
    network = CausalNetwork(base, pick_mode(base))
    network.activate(version := Version(network.prepare({})), version.tensors)
    texts = texts_of("banking77", 400)[::25]
    repeats, tokens = (1, 8) if given.quick else (3, 32)
    result: dict[str, Any] = {
        "quick": given.quick,
        "dtype": str(network.dtype).removeprefix("torch."),
        "head_copies": head_copies(network, texts),
        "decoding": decoding(network, texts, (4,) if given.quick else (8,), tokens, repeats),
    }
    network.activate(version, version.tensors)
    result["scoring"] = scoring(network, texts[: 2 if given.quick else 3], repeats)
    few = {"texts": 1, "repeats": 1, "steps": 2} if given.quick else {"texts": 6, "repeats": 6}
    result["taught"] = taught(given.base, **few)
    result["four_bits"] = four_bits(given.base, texts, tokens, repeats)
    report.write("causal-speed-quick" if given.quick else "causal-speed", result, tables(result))


def tables(result: dict[str, Any]) -> str:
    """The Markdown of a result."""
    rows: list[list[object]] = []
    for size, x in result["decoding"].items():
        for name, rate in x["tokens_per_s"].items():
            rows.append([size, name, _spread(rate)])
        rows.append([size, "ours over generate", _spread(x["ours_over_generate"])])
        rows.append([size, "same, head not copied", _spread(x["ours_over_generate_without_trap"])])
        rows.append([size, "constrained over free", _spread(x["constrained_over_free"])])
    parts = [report.table(["batch", "decoding", "tokens/s or ratio"], rows)]
    scores = result["scoring"]
    lines = [[n, _spread(v)] for n, v in scores["s_per_text"].items()]
    lines += [[n, _spread(v)] for n, v in scores.items() if "_over_" in n]
    parts.append(report.table(["scoring", "s a text or ratio"], lines))
    served = result["taught"]
    lines = [[n, _spread(v)] for n, v in served["cpu_s_per_text"].items()]
    lines += [[n, _spread(v)] for n, v in served["ratios"].items()]
    parts.append(report.table(["as served, the prompt known", "CPU s a text or ratio"], lines))
    parts.append(f"labels left out at their ends: {served['same_answer']}")
    four = result["four_bits"]
    parts.append(
        report.table(
            ["weights", "MB", "in the layers, MB"],
            [[n, mb, four["of_it_linear"][n]] for n, mb in four["megabytes"].items()],
        )
    )
    parts.append(f"NF4 time over bf16: {_spread(four['nf4_time_over_bf16'])}")
    parts.append(f"products that copy the head: {result['head_copies']}")
    return "\n\n".join(parts)


def _spread(found: dict[str, float]) -> str:
    return f"{found['median']} ({found['least']}-{found['most']})"


if __name__ == "__main__":
    main()
