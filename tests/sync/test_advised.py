"""A project's config, tasks and bases become the facts that advice goes by."""

from __future__ import annotations

from dataclasses import replace

from label_config.values import Task
from lora.advise import Machine
from settings import Backend, Settings, Train
from sync.advised import Advised, advise_on
from sync.terms import read_terms

HERE = Machine(2, 8000, True)
CONFIG = """<View><Text name="t" value="$text"/><Text name="u" value="$more"/>
<Choices name="what" toName="t"><Choice value="a"/><Choice value="b"/><Choice value="c"/></Choices>
<Choices name="else" toName="u"><Choice value="a"/><Choice value="b"/></Choices></View>"""
WRITES = CONFIG.replace("</View>", '<TextArea name="note" toName="t"/></View>')
BOTH = Settings(train=Train(bases="smollm, nowhere"))


def advised(config: str, settings: Settings = BOTH, *texts: str, **more: int) -> Advised:
    tasks = [Task(i, "1", {"text": text, "more": "x"}) for i, text in enumerate(texts)]
    return advise_on(settings, read_terms(settings, config), HERE, tasks, **more)


def test_a_text_area_counts_though_the_projects_base_leaves_it_out() -> None:
    found = advised(WRITES)
    assert (found.base, found.kind) == ("minilm", "encoder")
    assert (found.advice.kind, found.advice.base) == ("causal", "smollm")
    assert list(found.facts.forms) == ["what", "else", "note"]
    assert "now: minilm, which is no causal base" in found.lines()[-1]


def test_the_usual_base_is_known_to_a_project_that_asks_for_another() -> None:
    found = advised(CONFIG.replace("<View>", '<View annotune-base="smollm">', 1))
    assert (found.base, found.kind) == ("smollm", "causal")
    assert (found.advice.kind, found.advice.base) == ("encoder", "minilm")
    assert found.facts.bases == {"encoder": ["minilm"], "causal": ["smollm"]}, "one is not here"


def test_texts_labels_and_answers_are_counted() -> None:
    found = advised(CONFIG, BOTH, "x" * 9, "x" * 99, "x" * 19, answers=12)
    said = found.to_dict()
    assert said["sizes"] == {"labels": 3, "answers": 12, "text": 20, "longest": 100}
    assert said["found"]["cores"] == 2 and said["now"] == {"base": "minilm", "kind": "encoder"}
    unknown = advised(CONFIG).to_dict()["sizes"]
    assert unknown == {"labels": 3, "answers": None, "text": None, "longest": None}


def test_texts_at_addresses_are_not_fetched() -> None:
    config = CONFIG.replace('value="$text"', 'value="$text" valueType="url"')
    settings = replace(BOTH, backend=Backend(urls="https://texts.example/"))
    found = advised(config, settings, "https://texts.example/nowhere")
    assert found.facts.longest is None and found.advice.kind == "encoder"


def test_a_config_of_which_nothing_is_predicted_wants_no_base() -> None:
    found = advised('<View><Image name="i" value="$image"/></View>')
    assert found.advice.kind is None and found.to_dict()["kind"] is None
    assert "nothing in this config is predicted" in found.lines()[0]
