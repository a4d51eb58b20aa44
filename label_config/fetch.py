"""Texts that stand at an address (valueType="url"), fetched only from where an admin allowed it.

The only file of this room that opens a connection. A prefix from the server's settings is the
permission: same scheme, host and port, and a path below the prefix's. Redirects are not followed,
answers are cut off by size and time, and no reason names more of an address than its host, because
the rest may hold a token.
"""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import SplitResult, unquote, urlsplit

import httpx

from label_config.controls import Schema

TIMEOUT_S = 10.0
MAX_BYTES = 2_000_000
GIVE_UP, REST_S = 3, 30.0  # failures in a row after which a host is left alone, and for how long


class NotFetched(ValueError):
    """A text could not be fetched; the message says of which data key, from which host and why."""


class _Slow(NotFetched):
    """The host did not keep to the time."""


@dataclass(frozen=True)
class _Allowed:
    scheme: str
    host: str
    port: int
    path: str


class Fetcher:
    """Fetches the texts of url objects; `prefixes` are the addresses that are allowed.

    A host that fails a few times in a row is left alone for a while, so that one that is down costs
    its askers seconds. Any thread may use it. Raises ValueError for a prefix that is no http(s)
    address. `transport` is for tests.
    """

    def __init__(
        self, prefixes: Sequence[str], transport: httpx.BaseTransport | None = None
    ) -> None:
        self._allowed = tuple(_allowed(p.strip()) for p in prefixes if p.strip())
        self._transport = transport
        self._failures: dict[str, tuple[int, float]] = {}  # host -> in a row, when the last was

    def resolve(self, schema: Schema, data: Mapping[str, object]) -> Mapping[str, object]:
        """The data with the address of each url object replaced by what stands there.

        Raises NotFetched. Data without url objects comes back as it is.
        """
        wanted = [o for o in schema.objects if o.url]
        if not wanted:
            return data
        found = dict(data)
        for shown in wanted:
            text = self._fetch(shown.key, data.get(shown.key))
            found[shown.key] = _turns(shown.key, text) if shown.kind == "Paragraphs" else text
        return found

    def _fetch(self, key: str, address: object) -> str:
        if not isinstance(address, str):
            raise NotFetched(f"data key {key!r} holds no address")
        parts = _split(address)
        if parts is None:
            raise NotFetched(f"data key {key!r} holds no http(s) address")
        where = f"data key {key!r} ({parts.hostname})"
        if not any(_below(parts, a) for a in self._allowed):
            raise NotFetched(f"{where} is not under an address that this server may fetch from")
        host = parts.netloc
        failed, when = self._failures.get(host, (0, 0.0))
        if failed >= GIVE_UP and time.monotonic() - when < REST_S:
            raise NotFetched(f"{where} was not tried: it failed {failed} times in a row")
        try:
            text = self._read(address, where)
        except _Slow as error:
            self._failures[host] = failed + 1, time.monotonic()
            raise NotFetched(str(error)) from None
        except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, zlib.error) as error:
            self._failures[host] = failed + 1, time.monotonic()
            # No chain: httpx names the whole address, and that may hold a token.
            raise NotFetched(f"{where} could not be fetched: {type(error).__name__}") from None
        self._failures.pop(host, None)
        return text

    def _read(self, address: str, where: str) -> str:
        until = time.monotonic() + TIMEOUT_S
        client = httpx.Client(
            timeout=TIMEOUT_S,
            follow_redirects=False,
            trust_env=False,
            transport=self._transport,
        )
        plain = {"Accept-Encoding": "gzip, identity"}
        with client, client.stream("GET", address, headers=plain) as answer:
            if answer.status_code != 200:
                raise NotFetched(f"{where} answered with status {answer.status_code}")
            body = bytearray()
            for piece in _pieces(answer, where):
                body += piece
                if len(body) > MAX_BYTES:
                    raise NotFetched(f"{where} holds more than {MAX_BYTES} bytes")
                if time.monotonic() > until:
                    raise _Slow(f"{where} took longer than {TIMEOUT_S:g} seconds")
            try:
                return bytes(body).decode(answer.charset_encoding or "utf-8")
            except (UnicodeError, LookupError):
                raise NotFetched(f"{where} is no text that can be decoded") from None


def _pieces(answer: httpx.Response, where: str) -> Iterator[bytes]:
    """The body as it comes; a packed one opened to MAX_BYTES and little more, since a few packed
    bytes can hold gigabytes."""
    kind = answer.headers.get("Content-Encoding", "").strip().lower()
    if kind in {"", "identity"}:
        yield from answer.iter_bytes()
        return
    if kind != "gzip":
        raise NotFetched(f"{where} is packed in a way that was not asked for")
    opener = zlib.decompressobj(16 + zlib.MAX_WBITS)
    for piece in answer.iter_raw():
        yield opener.decompress(piece, MAX_BYTES + 1)
    if not opener.eof or opener.unused_data:
        raise zlib.error("it is cut off, or of several parts")


def _split(address: str) -> SplitResult | None:
    try:
        parts = urlsplit(address)
        usable = parts.scheme in {"http", "https"} and parts.hostname and _port(parts)
    except ValueError:
        return None
    return parts if usable else None


def _port(parts: SplitResult) -> int:
    return parts.port or (443 if parts.scheme == "https" else 80)


def _allowed(prefix: str) -> _Allowed:
    parts = _split(prefix)
    if parts is None or parts.query or parts.fragment or parts.username is not None:
        raise ValueError(
            f"{prefix!r} is no address to fetch from; write http(s)://host[:port][/folder]"
        )
    return _Allowed(parts.scheme, str(parts.hostname), _port(parts), parts.path.rstrip("/"))


def _below(parts: SplitResult, allowed: _Allowed) -> bool:
    """Same scheme, host and port, no user name, and a path inside the prefix's folder."""
    if parts.username is not None or "\\" in parts.geturl():
        return False
    if (parts.scheme, parts.hostname, _port(parts)) != (
        allowed.scheme,
        allowed.host,
        allowed.port,
    ):
        return False
    path = parts.path
    for _ in range(3):  # %252e%252e and the like
        path = unquote(path)
    if any(step.split(";")[0] in {".", ".."} for step in path.replace("\\", "/").split("/")):
        return False
    return parts.path == allowed.path or parts.path.startswith(allowed.path + "/")


def _turns(key: str, text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):  # a number of thousands of digits is a bare ValueError
        raise NotFetched(f"data key {key!r} leads to a text that is no JSON") from None
