"""What becomes of a CSV: columns found or named, labels, a config, and what is refused."""

from pathlib import Path

import pytest

from label_config import InvalidConfig, read_schema
from sync.start.own import Columns, Own, read_own
from sync.start.table import BadCsv

MAIL = "id,mail,kind\n7,Where is my parcel? I ordered it weeks ago.,Delivery\n8,Money back!,\n"
XML = """<View><Text name="t" value="$mail"/>
<Choices name="sort" toName="t"><Choice value="Delivery"/><Choice value="Refund"/></Choices>
</View>"""


def read(folder: Path, text: str, columns: Columns) -> Own:
    path = folder / "mine.csv"
    path.write_text(text, encoding="utf-8")
    return read_own(path, columns)


def test_labels_of_a_column_become_choices_and_annotations(tmp_path: Path) -> None:
    rows = "text,kind\nMoney back!,Refund\nHi,\nWhere is it?,Delivery & more\n,Refund\n"
    own = read(tmp_path, rows, Columns(label="kind"))
    control = read_schema(own.config).controls[0]
    assert (control.kind, control.values) == ("Choices", ("Delivery & more", "Refund"))
    assert control.required  # a blind task that is submitted untouched is no answer
    assert [item.task for item in own.items][:2] == [
        {
            "data": {"text": "Money back!"},  # the label is not there to be read
            "annotations": [
                {
                    "result": [
                        {
                            "from_name": control.name,
                            "to_name": control.to_name,
                            "type": "choices",
                            "value": {"choices": ["Refund"]},
                        }
                    ]
                }
            ],
        },
        {"data": {"text": "Hi"}},
    ]
    assert (len(own.items), own.labelled) == (3, 2)
    assert any("1 without a text left out (line " in told for told in own.said)


def test_the_labels_found_are_said_with_their_counts(tmp_path: Path) -> None:
    rows = "text,kind\n" + "".join(f"row {i},k{i % 9}\n" for i in range(11))
    said = read(tmp_path, rows, Columns(label="kind")).said
    by = "by column 'kind' (k0 2, k1 2, k2 1, k3 1, k4 1, k5 1, k6 1, k7 1, 1 more)"
    assert said[-1] == f"11 labelled already, {by}"
    said = read(tmp_path, "text,kind\nx,Bill\ny,bill\nz,App\n", Columns(label="kind")).said
    assert said[-1] == "taken for different labels: 'Bill' and 'bill'"


def test_texts_that_stand_there_twice_are_said_with_the_lines_that_disagree(
    tmp_path: Path,
) -> None:
    rows = "text,kind\nx,a\ny,b\nx,b\ny,\ny,b\n,a\nz,a\n"
    said = read(tmp_path, rows, Columns(label="kind")).said
    assert said[2:5] == (
        "1 without a text left out (line 7)",
        "2 texts stand there more than once",
        "lines 2, 4 have one text and several labels",
    )


def test_the_text_column_is_found_by_name_by_length_or_by_being_alone(tmp_path: Path) -> None:
    labels = Columns(labels=("a", "b"))
    for rows, found in (
        ("note,Text\nlong long long long,x\n", "Text"),
        (MAIL, "mail"),
        ("whatever\nx\n", "whatever"),
    ):
        assert f"text from column '{found}'" in read(tmp_path, rows, labels).said
    alone = Columns(label="kind", labels=("a", "b"))
    assert "text from column 'z'" in read(tmp_path, "z,kind\nx,a\n", alone).said


def test_other_columns_travel_with_the_task(tmp_path: Path) -> None:
    own = read(tmp_path, MAIL, Columns(text="mail", label="kind", labels=("Delivery", "Refund")))
    assert own.items[1].data == {"id": "8", "mail": "Money back!"}
    assert read_schema(own.config).keys == ("mail",)


def test_a_config_of_ones_own_reads_the_columns(tmp_path: Path) -> None:
    (tmp_path / "c.xml").write_text(XML)
    own = read(tmp_path, MAIL, Columns(label="kind", config=tmp_path / "c.xml"))
    assert own.config == XML
    assert [r["from_name"] for r in own.items[0].result] == ["sort"]
    assert not own.items[1].result


@pytest.mark.parametrize(
    ("rows", "columns", "said"),
    [
        (MAIL, Columns(), r"what shall be predicted\? .* columns id, mail, kind: .*--label COLUMN"),
        ("mail\nHi\n", Columns(), r"has one column, mail, the texts': name the labels \(--labels"),
        (MAIL, Columns(label="sort"), "--label: .* no column 'sort'; it has 'id', 'mail', 'kind'"),
        (MAIL, Columns(text="body", label="kind"), "--text: .* no column 'body'"),
        (MAIL, Columns(text="mail", labels=("a",)), "--labels holds one label only, 'a'"),
        ("text,kind\nHi,\n", Columns(label="kind"), "column 'kind' of .* holds no label"),
        (MAIL, Columns(text="kind", label="kind"), "both the text column and the label column"),
        (
            MAIL,
            Columns(label="kind"),
            "column 'kind' of .* holds one label only, 'Delivery'; two or more",
        ),
        (MAIL, Columns(labels=("a", "a")), "--labels names a label twice: a, a"),
        (
            MAIL,
            Columns(label="kind", labels=("a", "b")),
            r"line 2: 'Delivery' is none of .*\(a, b\)",
        ),
        ("a,b\nxx,yy\n", Columns(labels=("u", "v")), "which column .* holds the text"),
        ("text,b\n,yy\n", Columns(labels=("u", "v")), "no row has a text in column 'text'"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    tmp_path: Path, rows: str, columns: Columns, said: str
) -> None:
    with pytest.raises(BadCsv, match=said):
        read(tmp_path, rows, columns)


def test_a_column_of_too_many_labels_is_no_label_column(tmp_path: Path) -> None:
    rows = "text,id\n" + "".join(f"row {i},{i}\n" for i in range(101))
    with pytest.raises(BadCsv, match="column 'id' of .* holds 101 different labels"):
        read(tmp_path, rows, Columns(label="id"))


def test_a_config_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "c.xml"
    file.write_text(XML.replace("$mail", "$letter"))
    with pytest.raises(BadCsv, match=r"reads \$letter, and .* has \$id, \$kind, \$mail"):
        read(tmp_path, MAIL, Columns(config=file))
    file.write_text('<View><Text name="t" value="$mail"/><Rating name="r" toName="t"/></View>')
    with pytest.raises(BadCsv, match="has 0 plain <Choices>"):
        read(tmp_path, MAIL, Columns(config=file, label="kind"))
    file.write_text("<View><Text")
    with pytest.raises(InvalidConfig):
        read(tmp_path, MAIL, Columns(config=file))
