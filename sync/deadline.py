"""An end to answers that come drop by drop.

httpx limits the wait for each piece of an answer, not for all of it: a server that sends a byte a
second would hold the loop, and so every project, for hours.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import httpx

CONNECT_S = 5.0


def timely_client(seconds: float) -> httpx.Client:
    """A client that waits so long for an answer to begin, and so long again for its end."""
    return httpx.Client(
        timeout=httpx.Timeout(seconds, connect=min(CONNECT_S, seconds)),
        follow_redirects=True,
        event_hooks={"response": [_within(seconds)]},
    )


def _within(seconds: float) -> Callable[[httpx.Response], None]:
    """A hook for responses: a body that is not whole after so long is a ReadTimeout."""

    def hurry(response: httpx.Response) -> None:
        if isinstance(response.stream, httpx.SyncByteStream):
            response.stream = _Hurried(response.stream, seconds)

    return hurry


class _Hurried(httpx.SyncByteStream):
    def __init__(self, stream: httpx.SyncByteStream, seconds: float) -> None:
        self._stream, self._until = stream, time.monotonic() + seconds

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._stream:
            yield piece
            if time.monotonic() > self._until:
                raise httpx.ReadTimeout("the answer came too slowly")

    def close(self) -> None:
        self._stream.close()
