"""Label names become words an encoder can read."""

import pytest

from label_config import Label, label_text, spell_out


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("AddToPlaylist", "add to playlist"),
        ("add_to_playlist", "add to playlist"),
        ("card-arrival", "card arrival"),
        ("HTTPServer", "http server"),
        ("top10", "top 10"),
        ("city/town", "city town"),
        ("B-PER", "b per"),
        ("  two   words ", "two words"),
        ("Straße", "straße"),
        ("日本語", "日本語"),
        ("😀", "😀"),
        ("---", "---"),
        ("_", "_"),
    ],
)
def test_names_are_split_where_a_reader_would(name: str, words: str) -> None:
    assert spell_out(name) == words


def test_spelling_out_twice_changes_nothing() -> None:
    assert spell_out(spell_out("AddToPlaylist")) == "add to playlist"


def test_a_label_reads_as_what_is_shown_and_its_hint() -> None:
    assert label_text(Label("PER", "PersonName")) == "person name"
    assert label_text(Label("PER", "PersonName", " of people ")) == "person name: of people"
    assert label_text(Label("PER", "PersonName", "  ")) == "person name"
