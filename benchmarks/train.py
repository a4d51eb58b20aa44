"""Training speed: ours, a plain Trainer that pads to the longest row, and one that pads to 128.

    python -m benchmarks.train [--quick]

Same rows, base, LoRA (rank, modules), batch size, precision and number of rows seen, one after the
other; the ratio of examples a second, and each one's accuracy on rows none of them saw (train rows:
nothing is chosen on a test file). Ours is run on human rows only, without the label names and pool
texts that a project's training adds, so that all three see the same rows.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from transformers import Trainer, TrainingArguments

from benchmarks.data import Split, as_examples, config, draw, load_split
from benchmarks.report import middle, ratio, table, write
from label_config.schema import read_schema
from lora.base import Base, bf16_is_fast, load_base
from lora.examples import Row, human_first, rows_of_example
from lora.fit import LORA_RATE, train_on, with_lora
from lora.forms.form import Head
from lora.learner import Learner
from lora.network import pad
from lora.plan import BATCH, plan_steps
from settings import Train

SETS = (("snips", 800), ("cuad_clauses", 400))
JUDGED = 300


class Plain(torch.nn.Module):  # type: ignore[misc]
    """The same encoder and a linear head, as an example script would have it."""

    def __init__(self, encoder: Any, hidden: int, labels: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.head = torch.nn.Linear(hidden, labels)

    def forward(
        self, input_ids: torch.Tensor, attention_mask: torch.Tensor, labels: torch.Tensor
    ) -> dict[str, torch.Tensor]:
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        mask = attention_mask.unsqueeze(-1).to(states.dtype)
        logits = self.head((states * mask).sum(1) / mask.sum(1))
        return {"loss": torch.nn.functional.cross_entropy(logits.float(), labels), "logits": logits}


def plain(
    base: Base,
    rows: Sequence[tuple[tuple[int, ...], int]],
    steps: int,
    fixed: int | None,
    seed: int,
) -> tuple[float, Plain]:
    """Seconds of `steps` steps of a plain Trainer, and the model. `fixed`: padded to so many."""
    count = max(label for _, label in rows) + 1
    torch.manual_seed(seed)
    model = Plain(with_lora(base, 16), base.hidden, count)

    def collate(batch: Sequence[tuple[tuple[int, ...], int]]) -> dict[str, torch.Tensor]:
        inputs = pad([ids for ids, _ in batch], base.tokenizer.pad_token_id or 0)
        if fixed:
            room = fixed - inputs["input_ids"].shape[1]
            inputs = {k: torch.nn.functional.pad(v, (0, max(0, room))) for k, v in inputs.items()}
        return {**inputs, "labels": torch.tensor([label for _, label in batch])}

    arguments = TrainingArguments(
        output_dir="/tmp",
        max_steps=steps,
        per_device_train_batch_size=BATCH,
        learning_rate=LORA_RATE,
        bf16=bf16_is_fast("cpu"),
        use_cpu=True,
        save_strategy="no",
        logging_strategy="no",
        report_to=[],
        disable_tqdm=True,
        remove_unused_columns=False,
        seed=seed,
    )
    trainer = Trainer(model=model, args=arguments, train_dataset=list(rows), data_collator=collate)
    began = time.perf_counter()
    trainer.train()
    return time.perf_counter() - began, model


def measure(base: Base, name: str, n: int, seed: int, steps: int) -> dict[str, Any]:
    """Seconds and accuracy of the three on one data set and seed."""
    split = load_split(name)
    taken, _ = draw(split, n + JUDGED, seed)
    schema = read_schema(config(split.labels))
    examples = human_first(as_examples(taken[:n], "train"))
    rows = [r for e in examples for r in rows_of_example(base, schema, e)]
    pairs = [_pair(r, split) for r in rows]
    judged = [
        _pair(rows_of_example(base, schema, e)[0], split) for e in as_examples(taken[n:], "train")
    ]
    found: dict[str, Any] = {}
    torch.manual_seed(seed)
    control = schema.controls[0]
    start = torch.nn.Linear(base.hidden, len(control.labels))
    head = Head(control, 20 * start.weight.detach(), start.bias.detach(), True)
    learner = Learner(with_lora(base, 16), {control.name: head})
    plan = plan_steps(rows, [], [], steps, seed)
    began = time.perf_counter()
    train_on(base, learner, plan, Train(steps=steps, seed=seed))
    found["ours"] = {"seconds": time.perf_counter() - began}
    learner.eval()
    weight, bias = learner.weights[0], learner.biases[0]
    found["ours"]["accuracy"] = _accuracy(
        judged,
        lambda s: torch.nn.functional.linear(torch.nn.functional.normalize(s), weight, bias),
        learner.encoder,
    )
    for case, fixed in (("to the longest", None), ("to 128", 128)):
        seconds, model = plain(base, pairs, steps, fixed, seed)
        model.eval()
        accuracy = _accuracy(judged, model.head, model.encoder)
        found[case] = {"seconds": seconds, "accuracy": accuracy}
    return found


def _pair(row: Row, split: Split) -> tuple[tuple[int, ...], int]:
    """A row's ids and the place of its label."""
    goal = row.choices["label"]
    assert isinstance(goal, tuple)
    return row.window.ids, split.labels.index(goal[0])


def _accuracy(judged: Sequence[tuple[tuple[int, ...], int]], head: Any, encoder: Any) -> float:
    right = 0
    with torch.inference_mode():
        for ids, label in judged:
            states = encoder(**pad([ids], 0)).last_hidden_state.float().mean(1)
            right += int(head(states)[0].argmax()) == label
    return right / len(judged)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="few steps, one seed, not written")
    given = parser.parse_args()
    torch.set_num_threads(1)
    base = load_base("minilm", threads=1)
    result: dict[str, Any] = {}
    lines: list[list[object]] = []
    for name, n in SETS:
        seeds = range(1 if given.quick else 3)
        runs = [measure(base, name, n, s, 5 if given.quick else 120) for s in seeds]
        result[name] = summary(runs)
        lines += [
            [
                name,
                case,
                r["faster"]["median"],
                f"{r['faster']['least']}-{r['faster']['most']}",
                r["accuracy"]["median"],
            ]
            for case, r in result[name].items()
        ]
    text = table(["rows", "beside", "ours is faster by", "spread", "its accuracy"], lines)
    if given.quick:
        print(text)
    else:
        write("train", result, text)


def summary(runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """By case: how many times more examples a second ours takes, and both accuracies."""
    return {
        case: {
            "faster": ratio(
                [r[case]["seconds"] for r in runs], [r["ours"]["seconds"] for r in runs]
            ),
            "accuracy": middle([r[case]["accuracy"] for r in runs], 3),
        }
        for case in runs[0]
    }


if __name__ == "__main__":
    main()
