"""The same promises once more, on the real encoder and with training as it is run."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from peft import PeftModel
from transformers import AutoModel

from label_config import Choice, Example, Snapshot, Span, read_schema
from label_config.values import Inputs, Side
from lora.adapter import digest_files
from lora.answer import answer
from lora.base import Base
from lora.loaded import load_cold, load_version
from lora.network import Network, pad
from lora.recipe import find_source, recipe_for
from lora.store import ProjectStore, Store
from lora.train import report_path
from settings import Train

pytestmark = pytest.mark.model

CONFIG = """<View><Text name="t" value="$text"/>
<Choices name="topic" toName="t"><Choice value="CancelOrder"/><Choice value="TrackParcel"/>
<Choice value="AskForRefund"/><Choice value="ChangeAddress"/></Choices>
<Labels name="parts" toName="t"><Label value="product"/><Label value="date"/></Labels></View>"""

COLD = [
    ("I want to cancel the order I placed this morning", "CancelOrder"),
    ("please cancel my order, I do not need it", "CancelOrder"),
    ("where is my parcel right now", "TrackParcel"),
    ("can I track the package you sent", "TrackParcel"),
    ("I would like to get a refund for this", "AskForRefund"),
    ("give me my money back, refund me", "AskForRefund"),
    ("I moved, please change the delivery address", "ChangeAddress"),
    ("my address is wrong, update it", "ChangeAddress"),
]

FORMS = {
    "CancelOrder": "I no longer need the {p} I bought on {d}",
    "TrackParcel": "it is {d} and the {p} has still not come",
    "AskForRefund": "the {p} from {d} was broken, what do I get for it",
    "ChangeAddress": "send the {p} to my new flat from {d} on",
}
PRODUCTS = ("kettle", "blue lamp", "desk chair", "phone case", "teapot", "garden hose")
DATES = ("Monday", "3 May", "last Friday", "June 12", "Tuesday", "1 April")


def rows() -> list[Example]:
    made: list[Example] = []
    for label, form in FORMS.items():
        for i, product in enumerate(PRODUCTS):
            text = form.format(p=product, d=DATES[(i + len(label)) % 6])
            answers: list[Choice | Span] = [Choice("topic", "t", (label,))]
            for kind, words in (("product", product), ("date", DATES[(i + len(label)) % 6])):
                at = text.index(words)
                answers.append(Span("parts", "t", at, at + len(words), words, (kind,)))
            n = len(made)
            side: Side = "holdout" if i >= 4 else "train"
            made.append(Example(f"e{n}", n, f"g{n}", side, {"text": text}, tuple(answers)))
    return made


def train(store: Store, project: ProjectStore, digest: str, settings: Train) -> Path:
    """As the worker does it: a process of its own."""
    out = project.staging()
    command = [sys.executable, "-m", "lora.train", "--store", str(store.root), "--project", "1"]
    command += ["--snapshot", digest, "--out", str(out), "--settings", json.dumps(asdict(settings))]
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run(command, check=True, cwd=Path(__file__).parents[2], env=env, timeout=300)
    return out


def test_the_first_answers_need_no_label(minilm: Base) -> None:
    loaded = load_cold(minilm, read_schema(CONFIG))
    got = answer(Network(minilm), loaded, [Inputs({"text": t}) for t, _ in COLD])
    right = [
        isinstance(a.regions[0], Choice) and a.regions[0].labels == (label,)
        for a, (_, label) in zip(got, COLD, strict=True)
    ]
    assert sum(right) >= 7


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing.:FutureWarning")  # peft's own
def test_a_training_is_the_same_twice_beats_the_cold_start_and_loads_with_plain_peft(
    store: Store, project: ProjectStore, minilm: Base
) -> None:
    digest = project.put_snapshot(Snapshot("1", CONFIG, tuple(rows())))
    settings = Train(steps=20, device="cpu")
    one, two = (train(store, project, digest, settings) for _ in range(2))
    assert digest_files(one) == digest_files(two)

    report = json.loads(report_path(one).read_text())
    scores = report["scores"]
    assert scores["candidate"]["mean"] > scores["cold"]["mean"] + 0.2
    assert scores["candidate"]["controls"]["topic"]["value"] >= 0.9

    schema = read_schema(CONFIG)
    made = project.commit(
        one,
        recipe_for("minilm", digest, settings),
        schema=schema.digest,
        config=CONFIG,
        labels=report["labels"],
        parent=None,
        scores=scores["candidate"],
    )
    loaded = load_version(minilm, project.adapter_folder(made.version), schema)
    network = Network(minilm)
    network.activate(loaded, loaded.tensors)
    assert_as_peft(minilm, network, project.adapter_folder(made.version))


def assert_as_peft(minilm: Base, network: Network, folder: Path) -> None:
    plain = AutoModel.from_pretrained(find_source("minilm").folder)
    peft = PeftModel.from_pretrained(plain, folder).eval()
    ids = pad([minilm.tokenizer("send the teapot on 3 May")["input_ids"]], 0)
    with torch.inference_mode():
        want = peft(**ids).last_hidden_state
        assert torch.allclose(network.model(**ids).last_hidden_state, want, atol=1e-4)


def test_a_label_added_after_training_is_answered_at_once(
    store: Store, project: ProjectStore, minilm: Base
) -> None:
    known = [e for e in rows() if "ChangeAddress" not in str(e.answers)]
    narrow = CONFIG.replace('<Choice value="ChangeAddress"/>', "")
    digest = project.put_snapshot(Snapshot("1", narrow, tuple(known)))
    settings = Train(steps=20, device="cpu")
    out = train(store, project, digest, settings)
    made = project.commit(
        out,
        recipe_for("minilm", digest, settings),
        schema=read_schema(narrow).digest,
        config=narrow,
        labels=1,
        parent=None,
        scores={},
    )
    loaded = load_version(minilm, project.adapter_folder(made.version), read_schema(CONFIG))
    got = answer(Network(minilm), loaded, [Inputs({"text": t}) for t, _ in COLD])
    labels = [a.regions[0].labels[0] for a in got]
    assert labels.count("ChangeAddress") >= 1  # SNIPS: a third to four fifths of such rows
    assert sum(x == y for x, (_, y) in zip(labels, COLD, strict=True)) >= 6
