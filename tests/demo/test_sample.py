"""The sample project that ships with the demo."""

from collections import Counter
from pathlib import Path

from demo.rows import Row, load_data, normal, read_rows
from label_config import read_schema

FOLDER = Path("demo/data")
INTENTS = {
    "Account",
    "Cancel order",
    "Damaged item",
    "Delivery",
    "Product question",
    "Refund",
}
KINDS = {"Date", "Order number", "Person", "Product"}


def rows() -> list[Row]:
    return read_rows(FOLDER, "train") + read_rows(FOLDER, "test")


def test_there_are_enough_rows_of_each_intent() -> None:
    train, test = read_rows(FOLDER, "train"), read_rows(FOLDER, "test")
    assert len(train) >= 220 and len(test) >= 60
    assert min(Counter(row.label for row in train).values()) >= 35
    assert min(Counter(row.label for row in test).values()) >= 10
    assert {row.label for row in rows()} == INTENTS


def test_each_span_covers_whole_words_and_no_two_overlap() -> None:
    for row in rows():
        last = 0
        for span in row.spans:
            assert span.start >= last and span.label in KINDS
            piece = row.text[span.start : span.end]
            assert piece == piece.strip() and piece
            assert not row.text[span.start - 1 : span.start].isalnum() or span.start == 0
            assert not row.text[span.end : span.end + 1].isalnum()
            last = span.end


def test_order_numbers_are_marked_wherever_they_stand() -> None:
    for row in rows():
        marked = [row.text[s.start : s.end] for s in row.spans if s.label == "Order number"]
        assert all(number[0] in "ABCR" and number[1] == "-" for number in marked)
        assert sum(f"{letter}-" in row.text for letter in "ABC") <= len(marked)


def test_no_text_appears_twice_and_none_of_the_test_file_is_in_train() -> None:
    texts = [normal(row.text) for row in rows()]
    assert len(texts) == len(set(texts))
    assert load_data(FOLDER, seed=0).dropped == 0


def test_the_config_made_from_the_labels_is_one_we_predict() -> None:
    schema = read_schema(load_data(FOLDER, seed=0).config)
    assert schema.unsupported == ()
    assert {c.kind: set(c.values) for c in schema.controls} == {"Choices": INTENTS, "Labels": KINDS}
