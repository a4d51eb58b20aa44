"""Tasks become prompts that controls share, long texts windows, gold answers what to say."""

from __future__ import annotations

from dataclasses import replace

import pytest

from label_config import read_schema
from label_config.controls import Label
from label_config.values import Choice, Inputs, Span
from lora.advise import CAUSAL_TEXT
from lora.base import CONTEXT
from lora.causal.chat import Chat
from lora.causal.kinds import kind_of
from lora.causal.prompt import Room, as_asked, asks, completion, names_labels, room_for
from tests.lora.causal.hard import texts
from tests.lora.causal.made import byte_chat

SCHEMA = read_schema("""<View><Text name="t" value="$text"/>
<Choices name="intent" toName="t"><Choice value="PlayMusic" hint="songs"/><Choice value="Buy"/>
</Choices><Labels name="parts" toName="t"><Label value="thing"/><Label value="colour"/></Labels>
<TextArea name="summary" toName="t"/></View>""")
PAIR = read_schema("""<View><Text name="a" value="$one"/><Text name="b" value="$two"/>
<Pairwise name="better" toName="a,b"/></View>""")
SEVERAL = read_schema("""<View><Text name="a" value="$question"/><Text name="b" value="$page"/>
<Choices name="kind" toName="a"><Choice value="x"/><Choice value="y"/></Choices>
<Labels name="parts" toName="b"><Label value="answer"/></Labels></View>""")
BROUGHT = read_schema("""<View><Text name="a" value="$text"/>
<Choices name="kind" toName="a" value="$labels"/></View>""")


@pytest.fixture(scope="module")
def chat() -> Chat:
    return Chat(byte_chat())


def of(text: str) -> Inputs:
    return Inputs({"text": text})


def test_all_controls_of_a_row_share_one_prompt(chat: Chat) -> None:
    found = asks(chat, SCHEMA, of("buy a\nhat"), Room())
    assert [a.lead for a in found] == ["intent: ", "parts: ", "summary: "]
    [shared] = {a.shared for a in found}
    assert shared.endswith("<|im_start|>assistant\n") and "text: buy a\nhat<|im_end|>" in shared
    assert "intent: one of:\n- Play Music (songs)\n- Buy\n" in shared
    assert found[1].shown == "buy a hat" and found[1].text == "buy a\nhat"
    assert [o.words for o in found[0].options] == ["Play Music", "Buy"]


def test_a_small_base_is_told_how_many_labels_there_are_and_a_large_one_which(chat: Chat) -> None:
    small, large = (
        asks(chat, SCHEMA, of("hi"), room_for(2048, hidden))[0] for hidden in (576, 4096)
    )
    assert "one of 2 labels" in small.shared and "Play Music" not in small.shared
    assert "Play Music" in large.shared and small.options == large.options


def test_hints_and_then_labels_give_way_where_they_are_too_long(chat: Chat) -> None:
    def system(room: int) -> str:
        return asks(chat, SCHEMA, of("hi"), replace(Room(), labels=room))[0].shared

    assert "songs" in system(1000)
    assert "songs" not in system(205) and "Play Music" in system(205)
    assert "one of 2 labels" in system(150)


def test_pairs_are_left_and_right(chat: Chat) -> None:
    [ask] = asks(chat, PAIR, Inputs({"one": "first", "two": "second"}), Room())
    assert "user\nleft: first\nright: second<|im_end|>" in ask.shared
    assert [o.value for o in ask.options] == ["left", "right"]
    assert asks(chat, PAIR, Inputs({"one": "first", "two": " "}), Room()) == []


def test_of_several_texts_each_control_names_its_own(chat: Chat) -> None:
    [kind, parts] = asks(chat, SEVERAL, Inputs({"question": "who?", "page": "me"}), Room())
    assert "kind (question): one of" in kind.shared and "parts (page): pieces" in kind.shared
    assert "question: who?\npage: me" in kind.shared and parts.text == "me"
    assert [a.lead for a in asks(chat, SEVERAL, Inputs({"question": "who?"}), Room())] == ["kind: "]


def test_options_of_a_task_stand_with_its_text(chat: Chat) -> None:
    options = {"kind": (Label("1", "Red"), Label("2", "Blue"))}
    [ask] = asks(chat, BROUGHT, Inputs({"text": "hi"}, options), Room())
    assert "user\ntext: hi\noptions of kind: Red; Blue<|im_end|>" in ask.shared
    assert asks(chat, BROUGHT, of("hi"), Room()) == []


def test_spans_of_a_long_text_are_asked_window_by_window(chat: Chat) -> None:
    text = "".join(f"line {i} has a hat\r\n" for i in range(300))
    room = Room(tokens=4096)
    found = asks(chat, SCHEMA, of(text), room)
    windows = [a for a in found if a.control.name == "parts"]
    assert len(windows) > 3 and len(found) == len(windows) + 2
    assert all(text[a.offset :].startswith(a.text) for a in windows)
    assert " ... " in found[0].shared and found[0].shared.count("has a hat") > 50
    at = text.index("hat", 4000)
    gold = [Span("parts", "t", at, at + 3, "hat", ("thing",))]
    answers = {a.offset: completion(a, gold) for a in windows}
    holding = [a for a in windows if a.offset <= at and at + 3 <= a.offset + len(a.text)]
    assert {o for o, answer in answers.items() if answer != "none"} == {a.offset for a in holding}
    read = [kind_of(a.control).read(a, answers[a.offset] or "", 1.0) for a in holding]
    assert all(
        [(r.start, r.text) for r in got if isinstance(r, Span)] == [(at, "hat")] for got in read
    )


@pytest.mark.parametrize("tokens", [64, 512, 2048])
def test_no_text_overflows_the_room_or_breaks_the_chat(chat: Chat, tokens: int) -> None:
    room = room_for(tokens, 576)
    least = chat.count(asks(chat, SCHEMA, of("x"), room)[0].shared)
    for _, text in texts(200):
        for ask in asks(chat, SCHEMA, of(text), room):
            assert chat.count(ask.shared) <= max(room.tokens, least + 80)
            assert ask.shared.count("<|im_end|>") == 2
            assert text[ask.offset : ask.offset + len(ask.text)] == ask.text
            assert ask.control.form != "spans" or len(ask.shown) == len(ask.text)


def test_a_prompt_cannot_be_left_by_names_or_labels(chat: Chat) -> None:
    odd = read_schema("""<View><Text name="t" value="$text"/>
    <Choices name="i&lt;|im_end|&gt;" toName="t"><Choice value="a &lt;|im_end|&gt;"/>
    <Choice value="b"/></Choices></View>""")
    [ask] = asks(chat, odd, of("hi"), Room())
    assert (ask.shared + ask.lead).count("<|im_end|>") == 2
    assert ask.options[0].words == "a ‹|im_end|>" and ask.options[0].words in ask.shared
    assert completion(ask, [Choice(ask.control.name, "t", ("a <|im_end|>",))]) == "a ‹|im_end|>"


def test_labels_that_were_not_on_offer_are_not_in_the_prompt(chat: Chat) -> None:
    then = as_asked(SCHEMA, {"parts": ("thing",), "intent": ("Buy", "PlayMusic")})
    [intent, parts, _] = asks(chat, then, of("a red hat"), Room())
    assert [o.value for o in parts.options] == ["colour"] and len(intent.options) == 2
    assert "thing" not in parts.shared and "with: colour" in parts.shared
    assert as_asked(SCHEMA, {}) == SCHEMA


def test_a_prompt_that_only_counts_labels_names_none(chat: Chat) -> None:
    for hidden, named in ((4096, True), (576, False)):
        found = asks(chat, SCHEMA, of("thing; colour"), room_for(2048, hidden))
        assert [names_labels(a) for a in found[:2]] == [named, named]


def test_every_template_has_a_prompt_of_few_tokens(chat: Chat) -> None:
    from label_config.templates import load_template, template_names

    for name in template_names():
        schema = read_schema(load_template(name).config)
        found = asks(chat, schema, Inputs({k: "x" for k in schema.keys}), room_for(2048, 576))
        assert {a.control.name for a in found} == {c.name for c in schema.controls}
        assert len(found[0].shared) < 350


def test_advice_knows_how_much_of_a_text_is_read() -> None:
    assert room_for(CONTEXT).text == CAUSAL_TEXT
