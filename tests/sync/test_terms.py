"""What a label config may decide for its project, and what ops keep to themselves."""

import pytest

from label_config import InvalidConfig
from settings import Backend, Blind, Gate, Settings, Train
from sync.terms import read_terms, terms_or_default

OPS = Settings(
    train=Train(base="minilm", bases="org/big@abc, /models/mine"),
    gate=Gate(target=0.8),
    blind=Blind(share=0.2),
)


def config(attributes: str = "", text: str = "") -> str:
    return (
        f'<View {attributes}><Text name="t" value="$text" {text}/>'
        '<Choices name="c" toName="t"><Choice value="A"/><Choice value="B"/></Choices></View>'
    )


def test_without_attributes_the_settings_hold() -> None:
    terms = read_terms(OPS, config())
    assert terms.settings == OPS and not terms.problems and not terms.regulated


def test_the_admins_attributes_override_them() -> None:
    written = (
        'annotune-base="/models/mine" annotune-target="90%" annotune-blind-share="0.3" '
        'annotune-regulated="true"'
    )
    terms = read_terms(OPS, config(written))
    assert (terms.base, terms.regulated, terms.problems) == ("/models/mine", True, ())
    assert terms.settings.gate.target == pytest.approx(0.9)
    assert terms.settings.blind.share == pytest.approx(0.3)


def test_a_base_that_is_not_allowed_is_refused_by_name_and_the_default_used() -> None:
    terms = read_terms(OPS, config('annotune-base="other/base"'))
    (problem,) = terms.problems
    assert terms.base == "minilm"
    assert "'other/base'" in problem and "ANNOTUNE_TRAIN_BASES" in problem


def test_a_text_that_lies_elsewhere_is_read_only_where_ops_list_addresses() -> None:
    xml = config(text='valueType="url"')
    assert not read_terms(OPS, xml).schema.controls
    listed = Settings(backend=Backend(urls="https://texts.example/"))
    terms = read_terms(listed, xml)
    assert terms.fetches and [c.name for c in terms.schema.controls] == ["c"]


def test_texts_that_lie_in_the_task_are_handed_on_untouched() -> None:
    data = {"text": "hello"}
    assert read_terms(OPS, config()).fetched(data) is data


def test_a_config_that_cannot_be_read_predicts_nothing() -> None:
    with pytest.raises(InvalidConfig):
        read_terms(OPS, "<View")
    terms = terms_or_default(OPS, "<View")
    assert terms.schema.controls == () and terms.settings == OPS and len(terms.problems) == 1


WRITES = config().replace("</View>", '<TextArea name="why" toName="t"/></View>')


def asked(settings: Settings) -> list[str]:
    return [c.name for c in read_terms(settings, WRITES).schema.controls]


def test_texts_are_asked_for_where_the_base_is_a_causal_one() -> None:
    assert asked(OPS) == ["c"]
    smol = Settings(train=Train(base="minilm", bases="smollm"))
    assert asked(smol) == ["c"]
    assert asked(Settings(train=Train(base="smollm"))) == ["c", "why"]
    wish = WRITES.replace("<View ", '<View annotune-base="smollm" ')
    one, other = read_terms(OPS, wish), read_terms(smol, wish)
    assert (len(one.schema.controls), len(other.schema.controls)) == (1, 2)
    assert one.schema.digest == other.schema.digest


def test_a_base_of_unknown_kind_is_a_problem_only_where_texts_are_asked_for() -> None:
    ops = Settings(train=Train(base="/models/nowhere"))
    assert read_terms(ops, config()).problems == ()
    terms = read_terms(ops, WRITES)
    (problem,) = terms.problems
    assert "'/models/nowhere' writes texts is not known" in problem
    assert [c.name for c in terms.schema.controls] == ["c", "why"]
