from augment.guard.drift import drift
from augment.guard.fit import fit_thresholds
from augment.guard.values import Thresholds
from augment.guard.vectors import row_vectors
from augment.values import Made
from tests.augment.guard.made import POOL, ROWS, SCHEMA, WordVectors, child, context

EMBED = WordVectors()
HERE = context(embed=EMBED)
BARS = fit_thresholds(SCHEMA, ROWS, POOL, row_vectors(EMBED, [e.texts for e in ROWS]))


def refused(made: Made) -> str | None:
    return drift([made], HERE, BARS)[0]


def test_the_bars_come_from_the_projects_rows() -> None:
    assert BARS.nearest is not None and BARS.centroid is not None
    assert 0.3 < BARS.nearest < 1 and 0 < BARS.centroid < 1


def test_a_text_about_something_else_is_refused_with_its_cosine() -> None:
    for text in ("Quarterly rainfall in Lisbon", "Пациент жалуется на кашель", "🎉🎉 🎂"):
        why = refused(child(text, "generate", answers=()))
        assert why is not None and why.startswith("its cosine to the nearest original is ")


def test_a_text_of_the_projects_kind_stays() -> None:
    assert refused(child("Where is my lamp and my kettle?")) is None
    assert refused(child("Has my lamp been sent yet", "generate")) is None


def test_a_text_nearer_to_other_labels_is_refused() -> None:
    bars = Thresholds(centroid=BARS.centroid)
    own = child("I want my money back for the radio.", "generate", ROWS[21], (ROWS[21].answers[0],))
    assert drift([own], HERE, bars) == [None]
    text = "password fails"
    other = child(text, "generate", answers=(ROWS[0].answers[0],))
    why = drift([other], HERE, bars)[0]
    assert why is not None and why.startswith("its cosine to its label's originals is ")
    right = child(text, "generate", ROWS[48], (ROWS[48].answers[0],))
    assert drift([right], HERE, bars) == [None]


def test_without_embeddings_or_bars_nothing_is_said() -> None:
    made = child("Quarterly rainfall in Lisbon", "generate", answers=())
    assert drift([made], context(), BARS) == [None]
    assert drift([made], HERE, Thresholds()) == [None]
