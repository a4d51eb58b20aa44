"""Whatever a row holds, it gets one answer, and every span's text is the text at its offsets."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from label_config import Choice, Span, read_schema
from label_config.controls import Condition, Control, Label, Schema
from label_config.values import Inputs, Region
from lora.answer import answer
from lora.base import Base
from lora.heads import Head
from lora.loaded import Loaded, load_cold
from lora.network import Encoded, Network
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
    (got,) = answer(network, loaded, [Inputs({"text": "play the red song in the blue house"})])
    assert [r for r in got.regions if isinstance(r, Choice)]
    assert [r for r in got.regions if isinstance(r, Span)]
    assert 0 < got.score < 1


def test_a_row_says_the_vector_of_its_first_text(network: Network, loaded: Loaded) -> None:
    rows = [Inputs({"text": "play the red song"}), Inputs({}), Inputs({"text": "buy a coat"})]
    found = [a.vector for a in answer(network, loaded, rows)]
    assert found[1] is None
    for row, raw in zip((rows[0], rows[2]), (found[0], found[2]), strict=True):
        (encoded,) = network.encode([row.texts["text"]])
        said = torch.frombuffer(bytearray(raw or b""), dtype=torch.float16).float()
        assert torch.allclose(said, encoded.vector, atol=1e-3)


def test_spans_have_the_text_of_their_offsets(network: Network, loaded: Loaded) -> None:
    signs = st.sampled_from(list("aZé ñ\u0301\r\n👍🏽👩\u200d🚀東\x00.'-\ud800"))

    @settings(max_examples=30)
    @given(text=st.text(signs, max_size=60))
    def holds(text: str) -> None:
        (got,) = answer(network, loaded, [Inputs({"text": text})])
        spans = [r for r in got.regions if isinstance(r, Span)]
        assert all(r.text == text[r.start : r.end] for r in spans)
        for label in ("thing", "colour"):
            ends = [(r.start, r.end) for r in spans if r.labels == (label,)]
            assert all(a[1] <= b[0] for a, b in zip(ends, ends[1:], strict=False))

    holds()


def test_answers_do_not_depend_on_their_neighbours(network: Network, loaded: Loaded) -> None:
    texts = ["play", "buy the red coat now please " * 9, "paint the wall", "stop"]
    together = answer(network, loaded, [Inputs({"text": t}) for t in texts])
    for text, got in zip(texts, together, strict=True):
        (alone,) = answer(network, loaded, [Inputs({"text": text})])
        assert [replace(r, score=None) for r in alone.regions] == [
            replace(r, score=None) for r in got.regions
        ]
        assert alone.score == pytest.approx(got.score, abs=1e-5)


@pytest.mark.parametrize("row", [{}, {"text": ""}, {"text": " \r\n\t"}, {"other": "play"}])
def test_a_row_without_its_text_is_answered_empty(
    network: Network, loaded: Loaded, row: dict[str, str]
) -> None:
    assert answer(network, loaded, [Inputs(row)])[0].regions == ()
    assert answer(network, loaded, [Inputs(row)])[0].score == 0.0


def test_no_rows_are_no_answers(network: Network, loaded: Loaded) -> None:
    assert answer(network, loaded, []) == []


def test_each_control_reads_its_own_text(tiny: Base, network: Network) -> None:
    schema = read_schema(TWO_TEXTS)
    loaded = Loaded("v1", schema, {}, heads_of(tiny, schema, 3))
    both, title = answer(
        network,
        loaded,
        [Inputs({"title": "play", "body": "the red song " * 4}), Inputs({"title": "play"})],
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
        (got,) = answer(network, Loaded("v1", read, {}, {"c": head}), [Inputs({"text": "play"})])
        return [r.labels for r in got.regions]

    assert labels("false", 3.0, 3.0) == [("a", "b")]
    assert labels("false", -3.0, -2.0) == []
    assert labels("true", -3.0, -2.0) == [("b",)]


def test_numbers_that_are_none_still_give_an_answer(tiny: Base, network: Network) -> None:
    schema = read_schema(CONFIG)
    heads = heads_of(tiny, schema, 1)
    bad = {n: replace(h, weight=h.weight * float("nan")) for n, h in heads.items()}
    (got,) = answer(network, Loaded("v1", schema, {}, bad), [Inputs({"text": "play the song"})])
    assert 0.0 <= got.score <= 1.0


def test_a_cold_labels_control_says_that_it_knows_nothing(tiny: Base, network: Network) -> None:
    schema = read_schema(TWO_TEXTS)
    (got,) = answer(network, load_cold(tiny, schema), [Inputs({"body": "the red song"})])
    assert got.regions == () and got.score == 0.0


def test_a_config_without_anything_to_predict_is_answered_empty(
    tiny: Base, network: Network
) -> None:
    schema = read_schema('<View><Text name="t" value="$text"/></View>')
    assert answer(network, load_cold(tiny, schema), [Inputs({"text": "play"})])[0].regions == ()


STARS = Control("stars", "Rating", "t", "text", tuple(Label(str(i), str(i)) for i in (1, 2, 3)))
PAIR = Control(
    "better", "Pairwise", "a", "a", (Label("left", "A"), Label("right", "B")), right_key="b"
)
OWN = Control("own", "Choices", "t", "text", options="options")


def head_of(control: Control, base: Base, seed: int = 0) -> Head:
    (name,) = heads_of(base, Schema((control,)), seed).values()
    return name


def of(base: Base, *controls: Control, trained: bool = True) -> Loaded:
    schema = Schema(controls)
    if not trained:
        return load_cold(base, schema)
    return Loaded("v1", schema, load_cold(base, schema).tensors, heads_of(base, schema, 2))


def test_each_new_form_answers_and_a_cold_one_is_silent(tiny: Base, network: Network) -> None:
    inputs = Inputs({"text": "play the song", "a": "red", "b": "blue boat"})
    (got,) = answer(network, of(tiny, STARS, PAIR), [inputs])
    assert {r.from_name for r in got.regions} == {"stars", "better"}
    (cold,) = answer(network, of(tiny, STARS, PAIR, trained=False), [inputs])
    assert (cold.regions, cold.score) == ((), 0.0)


def test_swapping_the_texts_of_a_pair_swaps_the_answer_exactly(
    tiny: Base, network: Network
) -> None:
    loaded = of(tiny, PAIR)
    texts = ["red song", "blue boat now", "paint the wall", "a", "the the the"]
    for left in texts:
        for right in texts:
            rows = [Inputs({"a": left, "b": right}), Inputs({"a": right, "b": left})]
            here, there = (answer(network, loaded, [row])[0] for row in rows)
            assert here.score == there.score
            if left == right:
                assert here.regions == there.regions == ()
                continue
            (one,), (two,) = (_labels(here.regions), _labels(there.regions))
            assert {one, two} == {"left", "right"}


def _labels(regions: tuple[Region, ...]) -> list[str]:
    return [label for r in regions if isinstance(r, Choice) for label in r.labels]


def test_only_the_options_of_the_task_are_answered(tiny: Base, network: Network) -> None:
    for trained in (True, False):
        loaded = of(tiny, OWN, trained=trained)
        if trained:
            control = replace(OWN, labels=(Label("red", "red"), Label("boat", "boat")))
            loaded = replace(loaded, heads={"own": head_of(control, tiny)})
        rows = [
            Inputs({"text": "the red song"}, {"own": tuple(Label(v, v) for v in options)})
            for options in (("blue", "red"), ("album",), ())
        ]
        two, one, none = answer(network, loaded, rows)
        assert set(_labels(two.regions)) <= {"blue", "red"} and len(two.regions) == 1
        assert (_labels(one.regions), one.score) == (["album"], 1.0)
        assert (none.regions, none.score) == ((), 0.0)


def test_a_cold_choice_of_own_options_goes_by_their_text(tiny: Base, network: Network) -> None:
    options = {"own": tuple(Label(v, v) for v in ("blue boat", "paint the wall"))}
    rows = [Inputs({"text": o.value}, options) for o in options["own"]]
    got = answer(network, of(tiny, OWN, trained=False), rows)
    assert [_labels(a.regions) for a in got] == [["blue boat"], ["paint the wall"]]


def test_an_option_is_encoded_once_and_not_all_are_remembered(
    tiny: Base, network: Network, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lora.forms.choice.KEPT_OPTIONS", 2)
    loaded = of(tiny, OWN, trained=False)

    def ask(*options: str) -> list[str]:
        before = set(loaded.heads["own"].memory)
        row = Inputs({"text": "play"}, {"own": tuple(Label(v, v) for v in options)})
        answer(network, loaded, [row])
        return sorted(set(loaded.heads["own"].memory) - before)

    assert ask("red", "blue") == ["blue", "red"]
    assert ask("red") == []
    assert ask("green") == ["green"]
    assert sorted(loaded.heads["own"].memory) == ["green", "red"]


def test_a_control_that_the_answer_hides_is_left_out(tiny: Base, network: Network) -> None:
    what = Control("what", "Choices", "t", "text", (Label("a", "a"), Label("b", "b")))
    then = replace(STARS, when=(Condition("what", ("a",)),))
    schema = Schema((what, then))
    for bias, names in ((9.0, {"what", "stars"}), (-9.0, {"what"})):
        heads = {
            "what": Head(what, torch.zeros(2, tiny.hidden), torch.tensor([bias, 0.0]), True),
            "stars": head_of(STARS, tiny),
        }
        loaded = Loaded("v1", schema, load_cold(tiny, schema).tensors, heads)
        (got,) = answer(network, loaded, [Inputs({"text": "play"})])
        assert {r.from_name for r in got.regions} == names
        if names == {"what"}:
            assert got.score > 0.99


def test_a_key_is_encoded_once_for_all_its_controls(
    tiny: Base, network: Network, loaded: Loaded, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []
    encode = network.encode

    def counted(texts: list[str], tokens: list[bool]) -> list[Encoded]:
        asked.append(len(texts))
        return encode(texts, tokens)

    monkeypatch.setattr(network, "encode", counted)
    answer(network, loaded, [Inputs({"text": "play"}), Inputs({"text": "stop"})])
    assert asked == [2]
