"""Texts are fetched from allowed addresses only, within bounds, and no reason holds a token."""

from __future__ import annotations

import gzip
import tracemalloc

import httpx
import pytest

from label_config import read_schema
from label_config.fetch import GIVE_UP, MAX_BYTES, REST_S, Fetcher, NotFetched

SCHEMA = read_schema(
    '<View><Text name="t" value="$url" valueType="url"/><Text name="u" value="$text"/>'
    '<Choices name="c" toName="t"><Choice value="a"/></Choices>'
    '<Choices name="d" toName="u"><Choice value="a"/></Choices></View>',
    urls=True,
)
TALK = read_schema(
    '<View><Paragraphs name="p" value="$url" valueType="url"/>'
    '<Choices name="c" toName="p"><Choice value="a"/></Choices></View>',
    urls=True,
)


def fetcher(answer: httpx.Response | Exception, *prefixes: str) -> Fetcher:
    def handle(request: httpx.Request) -> httpx.Response:
        if isinstance(answer, Exception):
            raise answer
        return answer

    return Fetcher(prefixes or ("https://files.example/texts",), httpx.MockTransport(handle))


def test_the_text_takes_the_place_of_its_address() -> None:
    got = fetcher(httpx.Response(200, content="Grüße".encode())).resolve(
        SCHEMA, {"url": "https://files.example/texts/1.txt?token=s3cret", "text": "kept"}
    )
    assert got == {"url": "Grüße", "text": "kept"}


def test_a_dialogue_is_read_as_json() -> None:
    answer = httpx.Response(200, content=b'[{"author": "A", "text": "hi"}]')
    got = fetcher(answer).resolve(TALK, {"url": "https://files.example/texts/1.json"})
    assert got == {"url": [{"author": "A", "text": "hi"}]}


def test_data_without_addresses_is_left_alone() -> None:
    plain = read_schema(
        '<View><Text name="t" value="$url"/><Choices name="c" toName="t"><Choice value="a"/>'
        "</Choices></View>"
    )
    data = {"url": "https://elsewhere.example/"}
    assert fetcher(RuntimeError("asked")).resolve(plain, data) is data


@pytest.mark.parametrize(
    "address",
    [
        "https://files.example.evil.example/texts/s3cret",
        "https://files.example@evil.example/texts/s3cret",
        "https://user:s3cret@files.example/texts/1",
        "https://files.example:444/texts/s3cret",
        "http://files.example/texts/s3cret",
        "https://files.example/textsX/s3cret",
        "https://files.example/texts/../s3cret",
        "https://files.example/texts/%2e%2e/s3cret",
        "https://files.example/texts/%252e%252e/s3cret",
        "https://files.example/texts/..\\s3cret",
        "https://files.example\\@evil.example/texts/s3cret",
        "file:///etc/s3cret",
        "https://[s3cret/texts",
        "s3cret",
        5,
        None,
    ],
)
def test_any_other_address_is_refused_before_it_is_asked(address: object) -> None:
    with pytest.raises(NotFetched) as told:
        fetcher(RuntimeError("asked")).resolve(SCHEMA, {"url": address})
    assert "'url'" in str(told.value) and "s3cret" not in str(told.value)


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (httpx.Response(302, headers={"location": "http://169.254.169.254/"}), "status 302"),
        (httpx.Response(404), "status 404"),
        (httpx.Response(200, content=b"x" * (MAX_BYTES + 1)), "more than 2000000 bytes"),
        (httpx.Response(200, content=b"\xff\xfe\xff"), "no text that can be decoded"),
        (httpx.ReadTimeout("s3cret"), "ReadTimeout"),
        (httpx.ConnectError("s3cret"), "ConnectError"),
    ],
)
def test_an_answer_that_will_not_do_is_named_without_its_address(
    answer: httpx.Response | Exception, says: str
) -> None:
    with pytest.raises(NotFetched, match=says) as told:
        fetcher(answer).resolve(SCHEMA, {"url": "https://files.example/texts/s3cret"})
    assert "s3cret" not in str(told.value) and told.value.__cause__ is None


def test_a_dialogue_that_is_no_json_is_named() -> None:
    with pytest.raises(NotFetched, match="no JSON"):
        fetcher(httpx.Response(200, content=b"<html>")).resolve(
            TALK, {"url": "https://files.example/texts/1"}
        )


@pytest.mark.parametrize(
    "prefix", ["files.example", "ftp://a", "https://", "https://u:p@a/", "https://a?x"]
)
def test_a_prefix_that_is_no_address_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match="no address to fetch from"):
        Fetcher([prefix])


def test_no_prefix_allows_nothing() -> None:
    with pytest.raises(NotFetched, match="not under an address"):
        Fetcher([""]).resolve(SCHEMA, {"url": "https://files.example/"})


@pytest.mark.parametrize("body", ["[" + "9" * 5000 + "]", "[" * 100_000])
def test_a_dialogue_that_json_chokes_on_is_not_fetched(body: str) -> None:
    found = fetcher(httpx.Response(200, text=body))
    with pytest.raises(NotFetched, match="no JSON"):
        found.resolve(TALK, {"url": "https://files.example/texts/1"})


@pytest.mark.parametrize(
    "address", ["https://files.example/texts/\ud800", "https://files.example/texts/..;/x"]
)
def test_an_address_that_cannot_be_asked_for_is_not_fetched(address: str) -> None:
    with pytest.raises(NotFetched):
        fetcher(httpx.Response(200, text="x")).resolve(SCHEMA, {"url": address, "text": "y"})


def test_a_host_that_is_down_is_left_alone_for_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    asked, down, now = [], True, 0.0

    def handle(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        if down:
            raise httpx.ConnectTimeout("no answer")
        return httpx.Response(200, text="here")

    monkeypatch.setattr("label_config.fetch.time.monotonic", lambda: now)
    made = Fetcher(["https://files.example/texts"], httpx.MockTransport(handle))
    for n in range(GIVE_UP + 4):
        with pytest.raises(NotFetched, match="not tried" if n >= GIVE_UP else "ConnectTimeout"):
            made.resolve(SCHEMA, {"url": f"https://files.example/texts/{n}"})
    assert len(asked) == GIVE_UP
    down, now = False, REST_S
    assert made.resolve(SCHEMA, {"url": "https://files.example/texts/x"})["url"] == "here"


def test_a_text_that_is_not_there_says_nothing_against_its_host() -> None:
    made = fetcher(httpx.Response(404))
    for _ in range(GIVE_UP + 1):
        with pytest.raises(NotFetched, match="404"):
            made.resolve(SCHEMA, {"url": "https://files.example/texts/1"})


def test_a_small_packed_answer_cannot_fill_the_memory() -> None:
    bomb = gzip.compress(b"0" * (50 * MAX_BYTES))
    assert len(bomb) < MAX_BYTES / 10
    packed = httpx.Response(
        200, stream=httpx.ByteStream(bomb), headers={"Content-Encoding": "gzip"}
    )
    address = {"url": "https://files.example/texts/1"}
    tracemalloc.start()
    try:
        with pytest.raises(NotFetched, match=f"more than {MAX_BYTES} bytes"):
            fetcher(packed).resolve(SCHEMA, address)
        assert tracemalloc.get_traced_memory()[1] < 10 * MAX_BYTES
    finally:
        tracemalloc.stop()


def test_packed_texts_are_read_where_they_were_asked_for_so() -> None:
    raw = gzip.compress("Grüße".encode())
    address = {"url": "https://files.example/texts/1"}
    packed = httpx.Response(200, stream=httpx.ByteStream(raw), headers={"Content-Encoding": "gzip"})
    assert fetcher(packed).resolve(SCHEMA, address)["url"] == "Grüße"
    other = httpx.Response(200, stream=httpx.ByteStream(raw), headers={"Content-Encoding": "zstd"})
    with pytest.raises(NotFetched, match="packed in a way"):
        fetcher(other).resolve(SCHEMA, address)
    cut = httpx.Response(
        200, stream=httpx.ByteStream(raw[:-9]), headers={"Content-Encoding": "gzip"}
    )
    with pytest.raises(NotFetched, match="could not be fetched"):
        fetcher(cut).resolve(SCHEMA, address)
    broken = httpx.Response(
        200, stream=httpx.ByteStream(raw[:3] + b"x" * 40), headers={"Content-Encoding": "gzip"}
    )
    with pytest.raises(NotFetched, match="could not be fetched: error"):
        fetcher(broken).resolve(SCHEMA, address)
