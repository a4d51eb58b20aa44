"""What the causal benchmark measures, on a tiny random base."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from benchmarks.causal_cells import Rows, answered, copied, scores, served
from benchmarks.causal_sets import DataSet
from benchmarks.causal_ways import accepted, decoding, scoring
from benchmarks.data import Split
from label_config.values import Written
from lora.causal.ask import Ask
from lora.causal.chat import Chat
from lora.causal.decode import Decoded
from lora.causal.network import CausalNetwork
from lora.causal.prompt import asks, room_for
from tests.lora.causal.made import causal_base
from tests.lora.made import WORDS

CHOICE = DataSet("made", "made", "choice", "intent")
SPANS = DataSet("made", "made", "spans", "slots")
TEXT = DataSet("made", "made", "text", "fluent question")


def rows_of(mine: DataSet, count: int = 6) -> Rows:
    rng, made = random.Random(0), []
    for i in range(count):
        words = rng.sample(WORDS, 4)
        spans = [{"start": 0, "end": len(words[0]), "label": "thing"}]
        made.append(
            {"text": " ".join(words), "label": f"l{i % 3}", "spans": spans, "target": "a b"}
        )
    split = Split("made", (), tuple(made), 0, ("l0", "l1", "l2"), ("place", "thing"))
    pool = [{"text": row["text"]} for row in made]
    return Rows(mine.schema(split), [], pool, mine.examples(made, "holdout"), 0)


@pytest.fixture(scope="module")
def network() -> CausalNetwork:
    return CausalNetwork(causal_base("llama"))


def test_one_tree_and_label_by_label_agree(network: CausalNetwork, tmp_path: Path) -> None:
    rows = rows_of(CHOICE)
    loaded = served(network, tmp_path / "none", rows)
    found = scoring(network, loaded, rows.test)
    assert found["same"] == 1.0 and found["furthest_nats"] < 0.01 and found["labels"] == 3
    assert found["accuracy"]["tree"] == found["accuracy"]["naive"]
    shown = scores(rows, answered(network, loaded, [e.inputs for e in rows.test]))
    assert found["accuracy"]["calibrated"] == shown["accuracy"]


def test_what_was_decoded_under_a_grammar_is_valid_and_is_what_is_shown(
    network: CausalNetwork,
    tmp_path: Path,
) -> None:
    rows = rows_of(SPANS)
    loaded = served(network, tmp_path / "none", rows)
    found = decoding(network, loaded, rows.schema, rows.test)
    assert found["constrained"]["valid"] + found["constrained"]["cut"] == pytest.approx(1.0)
    assert found["free"]["valid"] == 0.0  # a random base says no labels of itself
    shown = scores(rows, answered(network, loaded, [e.inputs for e in rows.test]))
    assert found["constrained"]["f1"] == shown["f1"]


@pytest.mark.parametrize(
    ("said", "good"),
    [
        ("none", True),
        ("thing: {0}", True),
        ("place: {1}\nthing: {0}", True),
        ("thing: unheard of", False),
        ("stuff: {0}", False),
        ("thing: {0}\n", False),
        ("thing:{0}", False),
        ("", False),
    ],
)
def test_an_answer_is_valid_if_the_grammar_takes_it_whole(
    network: CausalNetwork, said: str, good: bool
) -> None:
    ask = ask_of(network)
    words = ask.text.split()
    text = said.format(*words)
    assert accepted(network, ask, Decoded(text, 0.5, 3, "end")) == good
    assert not accepted(network, ask, Decoded(text, 0.5, 3, "length"))


def ask_of(network: CausalNetwork) -> Ask:
    rows, base = rows_of(SPANS), network.base
    room = room_for(base.max_tokens, base.hidden)
    schema = rows.schema.served_by("causal")
    return asks(Chat(base.tokenizer), schema, rows.test[0].inputs, room)[0]


def test_written_texts_are_judged_by_chrf_and_as_a_whole() -> None:
    rows = rows_of(TEXT, 2)
    assert scores(rows, [(Written("fluent question", "text", " a  b "),), ()])["exact"] == 0.5
    same = scores(rows, copied(TEXT, rows.test))
    assert same["exact"] == 0.0 and 0.0 < same["chrf"] < 1.0
