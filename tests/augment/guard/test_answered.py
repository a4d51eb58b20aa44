import pytest

from augment.guard.answered import answered
from augment.guard.values import Context, Thresholds
from label_config.values import Example
from tests.augment.guard.made import PARENT, ROWS, child, context, example, intent

CLINIC = example(80, "Patient [NAME] denies chest pain since Friday.", intent("order"))
PAYMENT = example(81, "Card payment to the coffee bar 4.20", intent("order"))
HERE = context((*ROWS, PAYMENT))


def refused(text: str, transform: str = "rewrite", parent: Example = PARENT) -> str | None:
    return answered(child(text, transform, parent, answers=()), HERE, Thresholds())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Sure! Where is the lamp I bought?", "opens with 'sure'"),
        ("I'm sorry, I can't see your orders.", "opens with 'i m sorry'"),
        ("Here is another way: where's the lamp", "opens with 'here is'"),
        ("Natürlich, wo ist meine lamp?", "opens with 'natürlich'"),
        ("好的，我的lamp在哪里？", "opens with '好的'"),
        ("Output: where is that lamp?", "prompt residue"),
        ("Where is that lamp?<|im_end|>", "prompt residue"),
        ("Where is [Your Product]?", "prompt residue"),
        ("As a person and not an AI model, where is my lamp?", "prompt residue"),
        ("Where is my lamp? It is in the drawer of the desk.", "its whole source"),
        ("Your lamp is on its way.", "its source asks and it does not"),
        ("Tomorrow between 8 and 12.", "its source asks and it does not"),
    ],
)
def test_a_model_that_speaks_for_itself_is_refused(text: str, says: str) -> None:
    assert says in str(refused(text))


@pytest.mark.parametrize(
    "text",
    [
        "Could you say where my lamp is?",
        "where did the lamp go",  # no mark, but it opens as questions do here
        "I still have no lamp.",  # a statement, but one that opens as people's do
        "Wo bleibt meine lamp? 😡",
        "كم بقي حتى تصل lamp؟",
        "sure thing would be nice: is my lamp sent?"[5:],
    ],
)
def test_a_text_that_a_person_here_could_have_written_stays(text: str) -> None:
    assert refused(text) is None


def test_what_people_here_say_themselves_is_no_evidence() -> None:
    text = "I'm sorry, but any news of my lamp?"
    assert refused(text) is not None
    polite = context((*ROWS, example(82, "I'm sorry to bother you again", intent("order"))))
    assert answered(child(text), polite, Thresholds()) is None
    note = "Pt [NAME] has no chest pain since last Friday."
    made = child(note, "rewrite", CLINIC)
    assert answered(made, context((*ROWS, CLINIC)), Thresholds()) is None
    assert refused(note, parent=PAYMENT) is not None


def test_a_source_that_does_not_ask_needs_no_question() -> None:
    assert refused("Paid 4.20 by card at the coffee bar", parent=PAYMENT) is None


def test_a_new_text_of_the_label_need_not_ask_but_a_restated_one_must() -> None:
    text = "Your parcel service lost it"
    assert refused(text, "generate") is None
    assert refused(text, "inputs") is not None


@pytest.mark.parametrize("transform", ["noise", "substitute"])
def test_no_model_speaks_in_a_light_transform(transform: str) -> None:
    assert refused("Sure! Output: lamp", transform) is None


def test_few_texts_do_not_tell_how_people_begin() -> None:
    few: Context = context((PARENT,), pool=())
    assert answered(child("Your lamp is on its way."), few, Thresholds()) is None
