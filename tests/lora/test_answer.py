"""Whatever a row holds, it gets one answer, and every span's text is the text at its offsets."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from label_config import Choice, Span, read_schema
from label_config.values import Schema
from lora.answer import answer
from lora.base import Base
from lora.heads import Head
from lora.loaded import Loaded, load_cold
from lora.network import Network
from tests.lora.made import CONFIG, heads_of, tensors_of

TWO_TEXTS = """<View><Text name="t" value="$title"/><Text name="b" value="$body"/>
<Choices name="kind" toName="t"><Choice value="a"/><Choice value="b"/></Choices>
<Labels name="parts" toName="b"><Label value="thing"/></Labels></View>"""


@pytest.fixture(scope="module")
def loaded(tiny: Base) -> Loaded:
    schema = read_schema(CONFIG)
    return Loaded("v1", schema, tensors_of(tiny, 1), heads_of(tiny, schema, 1))


@pytest.fixture(scope="module")
def network(tiny: Base) -> Network:
    return Network(tiny)


def test_a_row_gets_a_choice_and_spans_in_one_pass(network: Network, loaded: Loaded) -> None:
    (got,) = answer(network, loaded, [{"text": "play the red song in the blue house"}])
    assert [r for r in got.regions if isinstance(r, Choice)]
    assert [r for r in got.regions if isinstance(r, Span)]
    assert 0 < got.score < 1


def test_spans_have_the_text_of_their_offsets(network: Network, loaded: Loaded) -> None:
    signs = st.sampled_from(list("aZé ñ\u0301\r\n👍🏽👩\u200d🚀東\x00.'-\ud800"))

    @settings(max_examples=30, deadline=None)
    @given(text=st.text(signs, max_size=60))
    def holds(text: str) -> None:
        (got,) = answer(network, loaded, [{"text": text}])
        spans = [r for r in got.regions if isinstance(r, Span)]
        assert all(r.text == text[r.start : r.end] for r in spans)
        ends = [(r.start, r.end) for r in spans]
        assert all(a[1] <= b[0] for a, b in zip(ends, ends[1:], strict=False))

    holds()


def test_answers_do_not_depend_on_their_neighbours(network: Network, loaded: Loaded) -> None:
    texts = ["play", "buy the red coat now please " * 9, "paint the wall", "stop"]
    together = answer(network, loaded, [{"text": t} for t in texts])
    for text, got in zip(texts, together, strict=True):
        (alone,) = answer(network, loaded, [{"text": text}])
        assert [replace(r, score=None) for r in alone.regions] == [
            replace(r, score=None) for r in got.regions
        ]
        assert alone.score == pytest.approx(got.score, abs=1e-5)


@pytest.mark.parametrize("row", [{}, {"text": ""}, {"text": " \r\n\t"}, {"other": "play"}])
def test_a_row_without_its_text_is_answered_empty(
    network: Network, loaded: Loaded, row: dict[str, str]
) -> None:
    assert answer(network, loaded, [row])[0].regions == ()
    assert answer(network, loaded, [row])[0].score == 0.0


def test_no_rows_are_no_answers(network: Network, loaded: Loaded) -> None:
    assert answer(network, loaded, []) == []


def test_each_control_reads_its_own_text(tiny: Base, network: Network) -> None:
    schema = read_schema(TWO_TEXTS)
    loaded = Loaded("v1", schema, {}, heads_of(tiny, schema, 3))
    both, title = answer(
        network,
        loaded,
        [{"title": "play", "body": "the red song " * 4}, {"title": "play"}],
    )
    assert {r.from_name for r in both.regions} == {"kind", "parts"}
    assert {r.from_name for r in title.regions} == {"kind"}


def test_a_multiple_choice_may_have_several_answers_or_none(tiny: Base, network: Network) -> None:
    def schema(required: str) -> Schema:
        return read_schema(
            '<View><Text name="t" value="$text"/><Choices name="c" toName="t" choice="multiple" '
            f'required="{required}"><Choice value="a"/><Choice value="b"/></Choices></View>'
        )

    def labels(required: str, *bias: float) -> list[tuple[str, ...]]:
        read = schema(required)
        head = Head(read.controls[0], torch.zeros(2, tiny.hidden), torch.tensor(bias), True)
        (got,) = answer(network, Loaded("v1", read, {}, {"c": head}), [{"text": "play"}])
        return [r.labels for r in got.regions]

    assert labels("false", 3.0, 3.0) == [("a", "b")]
    assert labels("false", -3.0, -2.0) == []
    assert labels("true", -3.0, -2.0) == [("b",)]


def test_numbers_that_are_none_still_give_an_answer(tiny: Base, network: Network) -> None:
    schema = read_schema(CONFIG)
    heads = heads_of(tiny, schema, 1)
    bad = {n: replace(h, weight=h.weight * float("nan")) for n, h in heads.items()}
    (got,) = answer(network, Loaded("v1", schema, {}, bad), [{"text": "play the song"}])
    assert 0.0 <= got.score <= 1.0


def test_a_cold_labels_control_says_that_it_knows_nothing(tiny: Base, network: Network) -> None:
    schema = read_schema(TWO_TEXTS)
    (got,) = answer(network, load_cold(tiny, schema), [{"body": "the red song"}])
    assert got.regions == () and got.score == 0.0


def test_a_config_without_anything_to_predict_is_answered_empty(
    tiny: Base, network: Network
) -> None:
    schema = read_schema('<View><Text name="t" value="$text"/></View>')
    assert answer(network, load_cold(tiny, schema), [{"text": "play"}])[0].regions == ()
