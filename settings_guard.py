"""What the settings owe to whoever can reach us: a part of settings.py, which reads them.

Beyond this machine nobody listens without a secret of their own, no address carries a password
(addresses are printed), and what is open on purpose is said at every start.
"""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_address
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from settings import Settings

DEMO = "demo-"
"""How the demo's passwords begin, so that one that was copied elsewhere is known again."""
LEAST = 12  # characters of a secret that others can try at


def unguarded(s: Settings) -> str | None:
    """Which of them leaves a door open, and what would do."""
    found = _listening(s) or _addresses(s) or _queue(s)
    if found or s.sync.secret.isascii() and s.sync.secret.isprintable():
        return found
    return "ANNOTUNE_SYNC_SECRET has signs in it that no HTTP header can hold"


def missing_password(s: Settings) -> str | None:
    """Why the backend cannot be started, if it has no password and is not open on purpose."""
    if s.backend.password or s.backend.open:
        return None
    return (
        "ANNOTUNE_BACKEND_PASSWORD (or _PASSWORD_FILE) is not set; ANNOTUNE_BACKEND_OPEN=1 lets "
        "in everybody on this machine"
    )


def warnings(s: Settings) -> Iterator[str]:
    """What is open on purpose, for the log at each start."""
    if not s.backend.password and s.backend.open:
        yield (
            "ANNOTUNE_BACKEND_OPEN: the backend asks for no password; whoever can run a program on "
            "this machine, or open a page in a browser on it, can ask it"
        )
    if s.page.open:
        yield (
            "ANNOTUNE_PAGE_OPEN: the operators' page asks for no password; whoever can run a "
            "program on this machine can read it, and promote and roll back"
        )
    if s.queue.open and _lies_beyond(s):
        yield (
            "ANNOTUNE_QUEUE_OPEN: the queue's Redis is beyond this machine and has no password; "
            "whoever reaches it can stop trainings, or ask for them"
        )


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches an address; a name that is not localhost may be any."""
    if host == "localhost":
        return True
    try:
        return ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _listening(s: Settings) -> str | None:
    listed = (
        ("BACKEND", "BACKEND", s.backend.host, "PASSWORD", s.backend.password),
        ("SYNC", "SYNC", s.sync.host, "SECRET", s.sync.secret),
        ("SYNC", "PAGE", s.sync.host, "PASSWORD", s.page.password),
    )
    for door, section, host, kind, secret in listed:
        if is_loopback(host):
            continue
        where, name = f"ANNOTUNE_{door}_HOST={host}", f"ANNOTUNE_{section}_{kind}"
        if section == "PAGE" and s.page.open:
            return f"{where} listens beyond this machine; unset ANNOTUNE_PAGE_OPEN and set {name}"
        if not secret and section == "BACKEND":
            return (
                f"{where} listens beyond this machine without a password; set {name} (or "
                f"_{kind}_FILE)"
            )
        if secret.startswith(DEMO):
            return f"{where} listens beyond this machine, and {name} is the demo's; make your own"
        if secret and len(secret) < LEAST:
            return (
                f"{where} listens beyond this machine, and {name} has {len(secret)} characters; "
                f"{LEAST} or more, drawn at random, would do"
            )
    return None


def _addresses(s: Settings) -> str | None:
    for name, url in (("STUDIO", s.studio.url), ("BACKEND", s.backend.url), ("SYNC", s.sync.url)):
        try:
            parts = urlsplit(url)
            fine = parts.scheme in {"http", "https"} and parts.hostname and not parts.query
        except ValueError:
            fine = False
        if not fine:
            return f"ANNOTUNE_{name}_URL must be an address such as http://127.0.0.1:8080"
        if "@" in parts.netloc:
            return f"ANNOTUNE_{name}_URL holds a user or a password; it shows in logs and errors"
    return None


def _queue(s: Settings) -> str | None:
    try:
        parts = urlsplit(s.queue.url)
    except ValueError:
        return "ANNOTUNE_QUEUE_URL must be an address such as redis://:PASSWORD@HOST:6379/0"
    known = parts.password or "password=" in parts.query
    if s.queue.open or known or not _lies_beyond(s):
        return None
    return (
        "ANNOTUNE_QUEUE_URL leads to a Redis beyond this machine without a password; write "
        "redis://:PASSWORD@HOST:PORT/0, or set ANNOTUNE_QUEUE_OPEN=1 if that network is your own"
    )


def _lies_beyond(s: Settings) -> bool:
    parts = urlsplit(s.queue.url)
    return parts.scheme != "unix" and not is_loopback(parts.hostname or "localhost")
