"""Basic auth, checked in constant time before a body is read.

Label Studio sends credentials with /health, /setup, /predict, /versions and the train call, never
with its own webhooks (their only use here is to be ignored; sync deletes that webhook).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from contextlib import suppress
from dataclasses import dataclass, field


@dataclass(frozen=True)
class BasicAuth:
    """One user and password; an empty password lets everybody in (settings: only on loopback)."""

    user: str
    password: str = field(repr=False)

    @property
    def off(self) -> bool:
        return not self.password

    def allows(self, header: str | None) -> bool:
        """True when an Authorization header carries exactly our credentials."""
        if self.off:
            return True
        came = _digest(_decode(header))
        # Digests are of one length and all are compared, so the time taken tells nothing.
        return any([hmac.compare_digest(came, _digest(form)) for form in self._forms()])

    def _forms(self) -> list[bytes]:
        """Our credentials as clients write them: Latin-1 by requests, UTF-8 by the rest."""
        ours = f"{self.user}:{self.password}"
        forms = [ours.encode("utf-8")]
        with suppress(UnicodeEncodeError):
            forms.append(ours.encode("latin-1"))
        return forms


def _decode(header: str | None) -> bytes:
    scheme, _, value = (header or "").partition(" ")
    if scheme.lower() != "basic":
        return b""
    try:
        return base64.b64decode(value.strip(), validate=True)
    except (binascii.Error, ValueError):  # ValueError: a header with non-ASCII characters
        return b""


def _digest(value: bytes) -> bytes:
    return hashlib.sha256(value).digest()
