"""HTML is read as the editor's DOM has it: the same text nodes, the same offsets."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from label_config.hypertext import INSERTED, read_page


def counted(html: str, inline: bool = False) -> str:
    """What the editor counts in: its text without the line ends we add, with the hidden text."""
    page = read_page(html, inline)
    length = max([n.start + len(n.text) for n in page.nodes] + [0])
    chars = ["\n"] * max([length, *(p + 1 for p in page.places)])
    for node in page.nodes:
        chars[node.start : node.start + len(node.text)] = node.text
    return "".join(chars)


@pytest.mark.parametrize(
    ("html", "text", "counts"),
    [
        ("plain", "plain", "plain"),
        ("<p>a</p><p>b</p>", "a\nb", "ab"),
        ("<p>a</p>\n<p>b</p>", "a\nb", "a\nb"),
        ("a<br>b<br/>c</br>d", "a\nb\nc\nd", "a\nb\nc\nd"),
        ("a<b>c</b>d", "acd", "acd"),
        ("1 &lt; 2 &amp; &eacute;&#128512;&nbsp;x", "1 < 2 & é😀\xa0x", "1 < 2 & é😀\xa0x"),
        ("a\r\nb\rc", "a\nb\nc", "a\nb\nc"),
        ("a<script>let x = '<p>';</script>b", "ab", "ab"),
        ("a<!-- no -->b", "ab", "ab"),
        ("a<textarea>no</textarea><noscript>no</noscript>b", "ab", "ab"),
        ("<p>a</p><style>p {}</style>b", "a\nb", "ap {}b"),
        ("<style>p {}</style><p>a</p>", "a", "a"),
        ("  \n <p>a</p>", "a", "a"),
        ("<html><head><title>no</title></head><body> a</body></html>", " a", " a"),
        ("<pre>\na\nb</pre>", "a\nb", "a\nb"),
        ("", "", ""),
        ("<", "<", "<"),
    ],
)
def test_the_text_and_what_the_editor_counts(html: str, text: str, counts: str) -> None:
    assert read_page(html).text == text
    assert counted(html) == counts


def test_an_inline_page_keeps_what_stands_before_the_body() -> None:
    assert counted(" <style>p</style> a", inline=True) == " p a"
    assert read_page(" <style>p</style> a", inline=True).text == "  a"


def test_paths_are_those_of_the_browser() -> None:
    page = read_page("<div><p>one</p><p>t\U0001f600wo <b>three</b> four</p></div>five")
    assert page.sure
    assert [(n.path, n.text) for n in page.nodes] == [
        ("/div[1]/p[1]/text()[1]", "one"),
        ("/div[1]/p[2]/text()[1]", "t\U0001f600wo "),
        ("/div[1]/p[2]/b[1]/text()[1]", "three"),
        ("/div[1]/p[2]/text()[2]", " four"),
        ("/text()[1]", "five"),
    ]
    assert page.to_paths(5, 8) == (
        *("/div[1]/p[2]/text()[1]", 3),  # behind the emoji, in UTF-16 units
        *("/div[1]/p[2]/text()[1]", 6),
    )
    assert page.from_paths("/div[1]/p[2]/text()[1]", 3, "/div[1]/p[2]/text()[1]", 6) == (5, 8)


@pytest.mark.parametrize(
    "html",
    [
        "<p>a<p>b",
        "<p>a<div>b</div></p>",
        "<table><tr><td>a</td></tr></table>",
        "<table>a</table>",
        "<li>a</li>",
        "<b>a<i>b</b>c</i>",
        "<div>a",
        "<svg><text>a</text></svg>",
        '<a href="x">a<a href="y">b</a></a>',
    ],
)
def test_a_tree_that_a_browser_would_mend_gets_no_paths(html: str) -> None:
    page = read_page(html)
    assert not page.sure and page.to_paths(0, 1) is None


PIECES = [
    *("a", "é", "\U0001f600", "e\u0301", "\u200d", " ", "\n", "\r\n", "<", ">", "&"),
    *("&amp;", "&#x1F468;", "<br>", "<b>", "</b>", "<p>", "</p>", "<div>", "</div>", "<pre>"),
    *("<script>", "</script>", "<style>", "</style>", "<!--", "-->", "<td>", "</td>"),
    *("<table>", "</table>", '<a href="', '">', "<![", "<!x", "]]>"),
]


@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join) | st.text(max_size=30))
@settings(max_examples=300)
def test_any_html_is_read_and_its_places_rise(html: str) -> None:
    page = read_page(html)
    assert len(page.places) == len(page.text)
    real = [p for p in page.places if p != INSERTED]
    assert real == sorted(set(real))
    if real:
        whole = page.to_global(0, len(page.text))
        assert whole == (real[0], real[-1] + 1)


@pytest.mark.parametrize("piece", ["<b>", "</b>", "<", "<p>", "&", "<a ", "<!--", "<br>", "x<i>"])
def test_odd_html_costs_no_more_than_its_length(piece: str) -> None:
    began = time.process_time()
    page = read_page(piece * 20_000)
    assert time.process_time() - began < 5 and len(page.text) <= 40_000


@pytest.mark.parametrize("sign", ["<![0]) x>", "<![ endif]>", "<!ELEMENT br>", "<![CDATA[x]]>"])
def test_a_declaration_is_no_text_and_no_error(sign: str) -> None:
    assert read_page(f"<p>if (a {sign}b)</p>").text == "if (a b)"
