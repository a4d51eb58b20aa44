"""Who is signed in: sessions in memory, so that signing out and a restart end them for good.

The browser holds a random name in its cookie; here lie its digest, the person's name and the token
that every change must carry.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

MOST = 200  # sessions; beyond it the one that was quiet for longest is ended


@dataclass
class Session:
    """One browser. `csrf`: goes into each form; `notes`: what to tell once, with its kind."""

    name: str
    csrf: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    notes: list[tuple[str, str]] = field(default_factory=list)
    seen: float = 0.0

    def allows(self, token: str | None) -> bool:
        """Whether a form came from one of our own pages."""
        return alike(token or "", self.csrf)

    def tell(self, kind: str, text: str) -> None:
        """Say something on the next page; `kind`: done or refused."""
        self.notes.append((kind, text))

    def told(self) -> list[tuple[str, str]]:
        """What is to be said, once."""
        notes, self.notes = self.notes, []
        return notes


class Sessions:
    """All of them; any thread may ask."""

    def __init__(self, idle_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._idle_s, self._clock = idle_s, clock
        self._known: dict[str, Session] = {}
        self._lock = threading.Lock()

    def open(self, name: str) -> tuple[str, Session]:
        """A new one, and what its cookie holds."""
        cookie, made = secrets.token_urlsafe(32), Session(name, seen=self._clock())
        with self._lock:
            self._sweep()
            self._known[_digest(cookie)] = made
            while len(self._known) > MOST:
                del self._known[min(self._known, key=lambda k: self._known[k].seen)]
        return cookie, made

    def find(self, cookie: str | None) -> Session | None:
        """The session of a cookie, if it goes on; looking keeps it alive."""
        with self._lock:
            self._sweep()
            found = self._known.get(_digest(cookie)) if cookie else None
            if found:
                found.seen = self._clock()
            return found

    def close(self, cookie: str | None) -> None:
        """End a session."""
        with self._lock:
            self._known.pop(_digest(cookie or ""), None)

    def _sweep(self) -> None:
        late = self._clock() - self._idle_s
        self._known = {k: s for k, s in self._known.items() if s.seen >= late}


def alike(given: str, known: str) -> bool:
    """Compared in constant time, whatever their lengths; nothing is like an empty secret."""
    same = hmac.compare_digest(_digest(given), _digest(known))
    return same and bool(known)


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
