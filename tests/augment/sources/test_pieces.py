from hypothesis import given, settings
from hypothesis import strategies as st

from augment.sources.pieces import find, pieces_of, restored, shown
from label_config.values import Span

TEXT = st.text(st.sampled_from("ab é😀של\u202e中İß .\r"), min_size=1, max_size=20)


@st.composite
def marked(draw: st.DrawFn) -> tuple[str, list[Span]]:
    """A text with up to four spans anywhere in it."""
    text, spans = draw(TEXT), []
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(text) - 1))
        end = draw(st.integers(start + 1, len(text)))
        if text[start:end].strip():
            spans.append(Span("slot", "text", start, end, text[start:end], ("artist",)))
    return text, spans


@settings(max_examples=150)
@given(marked(), st.text("xy ", max_size=5))
def test_what_is_shown_comes_back_with_every_span_in_its_place(
    case: tuple[str, list[Span]], before: str
) -> None:
    text, spans = case
    pieces = pieces_of(text, spans)
    back = restored(before + " " + shown(text, pieces), text, pieces)
    assert back is not None
    whole, starts = back
    shift = len(before) + 1
    assert whole == before + " " + text and starts == [p.start + shift for p in pieces]
    moved = [pair for p, at in zip(pieces, starts, strict=True) for pair in p.placed(whole, at)]
    assert len(moved) == len(spans)
    for old, new in moved:
        assert (new.start, new.end) == (old.start + shift, old.end + shift)
        assert new.text == old.text == whole[new.start : new.end]


def test_a_piece_inside_a_word_is_found_there_and_a_word_is_not_found_inside_another() -> None:
    inside = pieces_of("#nostopping", [Span("slot", "text", 3, 7, "stop", ("when",))])
    assert find("go #nostopping", inside) == [6]
    alone = pieces_of("stop it", [Span("slot", "text", 0, 4, "stop", ("when",))])
    assert find("nonstop", alone) is None and find("nonstop Stop", alone) == [8]


def test_a_piece_is_not_looked_for_inside_a_longer_one() -> None:
    text = "late night or my night out"
    spans = [
        Span("slot", "text", at, end, text[at:end], ("list",)) for at, end in ((5, 10), (17, 26))
    ]
    assert find("to my night out by night", pieces_of(text, spans)) == [19, 6]
