"""A CSV is read as its owner means it, or refused with the place and what would do."""

from pathlib import Path

import pytest

from sync.start.table import BadCsv, read_table


def csv(folder: Path, text: str | bytes) -> Path:
    path = folder / "mine.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    return path


@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_the_separator_is_the_headers(tmp_path: Path, mark: str) -> None:
    text = f'id{mark}text\n1{mark}"Hello{mark} you\nthere"\n\n2{mark}Bye\n'
    table = read_table(csv(tmp_path, text))
    assert table.columns == ("id", "text")
    assert table.rows == (("1", f"Hello{mark} you\nthere"), ("2", "Bye"))
    assert table.lines == (3, 5)


def test_what_spreadsheets_write_is_read(tmp_path: Path) -> None:
    rows = "text;label;;\r\nGrüße; a ;;\r\n;;;\r\n"
    for raw in (rows.encode("utf-8-sig"), rows.encode("utf-16")):
        table = read_table(csv(tmp_path, raw))
        assert (table.columns, table.rows) == (("text", "label"), (("Grüße", "a"),))
    table = read_table(csv(tmp_path, rows.encode("cp1252")), "cp1252")
    assert table.rows == (("Grüße", "a"),)


@pytest.mark.parametrize("first", ["sep=;", '"sep=;"', "SEP=;;"])
def test_the_separator_that_excel_names_in_a_first_line_counts(tmp_path: Path, first: str) -> None:
    table = read_table(csv(tmp_path, f"\ufeff{first}\r\na,b;c\r\n1;2\r\n"))
    assert (table.columns, table.rows, table.lines) == (("a,b", "c"), (("1", "2"),), (3,))


def test_a_columns_key_is_one_that_a_label_config_can_name(tmp_path: Path) -> None:
    table = read_table(csv(tmp_path, "Customer message,größe,?\na,b,c\n"))
    assert [table.key(c) for c in table.columns] == ["Customer_message", "größe", "column_3"]


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "is empty"),
        (b" \n;;\n", "no cell with anything"),
        (b"text,label\n", r"a header \('text', 'label'\) and no rows"),
        (b"text\nfine\ngr\xfc\xdfe\n", r"line 3: byte 0xfc is no utf-8; .* --encoding cp1252"),
        (b"text,label\na,b\na, and b,c\n", r"line 3 has 3 cells and the header 2 .*quotes"),
        (b'text,label\n"never closed,b\nc,d\n', "line 3: unexpected end of data; is a quote"),
        (b"text,\na,b\n", "column 2 has no name"),
        (b"text,text\na,b\n", "'text' and 'text' have one name"),
        (b"a b,a_b\n1,2\n", "'a b' and 'a_b' have one name"),
        (b"PK\x03\x04...", "is a spreadsheet"),
        ("text\na\n".encode("utf-16-le"), "NUL"),
    ],
)
def test_what_cannot_be_meant_is_refused(tmp_path: Path, raw: bytes, said: str) -> None:
    with pytest.raises(BadCsv, match=said):
        read_table(csv(tmp_path, raw))


def test_an_encoding_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BadCsv, match="no encoding 'latin-99'"):
        read_table(csv(tmp_path, "text\na\n"), "latin-99")
