import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from augment.spans import Edit, apply, clusters, edited, move
from label_config.controls import InvalidValue
from label_config.values import Choice, Span
from tests.augment.made import SCHEMA, span, spoken, texts_of

TEXT = st.text(st.sampled_from("ab é\u0301😀👩‍👩‍👧שלום\u202eخ\r\n\t中İß"), min_size=1, max_size=30)
PIECE = st.text(st.sampled_from("x 😀ש\r\n"), max_size=4)


@st.composite
def cases(draw: st.DrawFn) -> tuple[str, Span, list[Edit]]:
    """A text, a span of it, and edits that do not overlap."""
    text = draw(TEXT)
    start = draw(st.integers(0, len(text) - 1))
    end = draw(st.integers(start + 1, len(text)))
    cuts = sorted(draw(st.lists(st.integers(0, len(text)), max_size=6)))
    pairs = list(zip(cuts[::2], cuts[1::2], strict=False))
    edits = [Edit(a, b, draw(PIECE)) for a, b in dict(pairs).items()]
    return text, Span("slot", "text", start, end, text[start:end], ("artist",)), edits


@settings(max_examples=200)
@given(cases())
def test_a_moved_span_covers_what_it_covered_and_what_was_put_inside(
    case: tuple[str, Span, list[Edit]],
) -> None:
    text, before, edits = case
    inside = [before.start <= i < before.end for i in range(len(text))]
    crossed = False
    said: list[tuple[str, bool]] = []
    at = 0
    for e in sorted(edits, key=lambda e: (e.start, e.end)):
        said += zip(text[at : e.start], inside[at : e.start], strict=True)
        held = inside[e.start : e.end] or [before.start < e.start < before.end]
        crossed |= len(set(held)) > 1
        said += [(c, held[0]) for c in e.text]
        at = e.end
    said += zip(text[at:], inside[at:], strict=True)
    after = apply(text, edits)
    assert after == "".join(c for c, _ in said)
    moved = move(before, edits, after)
    places = [i for i, (_, held) in enumerate(said) if held]
    if crossed or not places:
        assert moved is None
    else:
        assert moved is not None and (moved.start, moved.end) == (places[0], places[-1] + 1)
        assert moved.text == after[moved.start : moved.end] and moved.labels == before.labels


def test_what_is_put_in_at_a_border_stays_outside() -> None:
    artist = span("add Bo now", "Bo")
    edits = [Edit(4, 4, "DJ "), Edit(6, 6, "!")]
    moved = move(artist, edits, apply("add Bo now", edits))
    assert moved is not None and (moved.start, moved.text) == (7, "Bo")


@pytest.mark.parametrize("edits", [[Edit(0, 3, ""), Edit(2, 4, "x")], [Edit(3, 9, "")]])
def test_edits_that_overlap_or_lie_outside_are_refused(edits: list[Edit]) -> None:
    with pytest.raises(InvalidValue, match="overlaps another or lies outside a text of 5"):
        apply("abcde", edits)


def test_all_spans_of_the_edited_text_move_and_other_answers_stay() -> None:
    row = spoken("please add Bo to 🎷 jazz", artist="Bo", list="🎷 jazz")
    done = edited(row.texts, row.answers, SCHEMA, "text", [Edit(0, 7, ""), Edit(11, 13, "Clem")])
    assert done is not None
    texts, answers = done
    assert texts == {"text": "add Clem to 🎷 jazz"}
    assert answers[0] == Choice("intent", "text", ("AddSong",))
    assert [(r.text, r.start) for r in answers[1:] if isinstance(r, Span)] == [
        ("Clem", 4),
        ("🎷 jazz", 12),
    ]
    assert texts_of(row) == [("artist", "Bo"), ("list", "🎷 jazz")]


def test_a_span_that_does_not_cover_its_text_is_not_moved() -> None:
    wrong = Span("slot", "text", 0, 2, "no", ("artist",))
    assert edited({"text": "add Bo"}, [wrong], SCHEMA, "text", [Edit(3, 3, "!")]) is None


def test_overlapping_and_nested_spans_are_one_cluster() -> None:
    text = "to my night out list"
    a, b, c = span(text, "my night"), span(text, "night out", "list"), span(text, "list", "list")
    assert clusters([c, b, a]) == [((3, 15), [a, b]), ((16, 20), [c])]
