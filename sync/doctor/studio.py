"""Label Studio itself: is it there, which one is it, what time has it, does it take our token."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from ipaddress import ip_address
from urllib.parse import urlsplit

from settings import Settings
from settings_guard import is_loopback
from sync.doctor.ask import Asker, NoAnswer, NotTaken, token_claims, token_kind
from sync.doctor.finding import Finding, ok, problem, warning

TESTED = "1.23.2"
SLOW_S = 2.0
APART_S, FAR_S = 5.0, 300.0  # 300 s: the life of an access token
SOON_S = 14 * 86_400.0
NTP = "let both machines ask a time server: timedatectl set-ntp true"
HOW = "make one in Label Studio, Account & Settings > Personal Access Token, and put it into the "
HOW += "file that ANNOTUNE_STUDIO_TOKEN_FILE names"


def studio(settings: Settings, asker: Asker) -> Iterator[Finding]:
    """Reached, and of the version that all of this was tried with."""
    where = settings.studio.url
    try:
        health = asker.plain("health")
        version = asker.plain("api/version/")
    except NoAnswer as down:
        fix = "start Label Studio, or set ANNOTUNE_STUDIO_URL to where this machine reaches it"
        yield problem("label studio", f"no answer from {down}", fix)
        return
    release = version.part("release")
    if not health.fine or not isinstance(release, str):
        fix = "set ANNOTUNE_STUDIO_URL to Label Studio's own address, without a path of its pages"
        yield problem("label studio", f"{where} answers, but not as Label Studio does", fix)
        return
    if release != TESTED:
        fix = f"nothing, if all else is well; annotune is tested with {TESTED}"
        yield warning("label studio", f"{where} is Label Studio {release}", fix)
    else:
        yield ok("label studio", f"{where} is Label Studio {release}, as tested")
    if health.seconds > SLOW_S:
        fix = "give it a CPU of its own, or PostgreSQL in place of SQLite"
        yield warning("label studio", f"/health took {health.seconds:.1f} s", fix)
    yield clock("label studio's clock", health.at)


def clock(check: str, at: datetime | None) -> Finding:
    """Another machine's time beside ours."""
    if at is None:
        return warning(check, "it does not say its time", "nothing; compare the clocks by hand")
    apart = (at - datetime.now(timezone.utc)).total_seconds()
    seen = f"{abs(apart):.0f} s {'ahead of' if apart > 0 else 'behind'} this machine"
    if abs(apart) > FAR_S:
        return problem(check, seen, NTP)
    return warning(check, seen, NTP) if abs(apart) > APART_S else ok(check, seen)


def token(settings: Settings, asker: Asker) -> Iterator[Finding]:
    """Of which kind it is, whether it is taken, and what follows from that."""
    given = settings.studio.token
    kind = token_kind(given)
    if kind == "none":
        yield problem("token", "ANNOTUNE_STUDIO_TOKEN is not set", HOW, 10)
        return
    if kind == "access":
        seen = "this is an access token: it holds for five minutes"
        yield problem("token", seen, HOW, 10)
        return
    if (until := token_claims(given).get("exp")) and isinstance(until, (int, float)):
        left = until - datetime.now(timezone.utc).timestamp()
        if 0 < left < SOON_S:
            yield warning("token", f"it holds for {left / 86_400:.0f} more days", HOW, 10)
    try:
        who = asker("GET", "api/current-user/whoami")
    except NotTaken as refused:
        yield problem("token", f"a {kind} token: {refused}", HOW, 10)
        return
    except NoAnswer as down:
        seen = f"a {kind} token, which cannot be tried: no answer from {down}"
        yield warning("token", seen, "mend Label Studio first", 10)
        return
    if who.fine:
        name = who.part("email") or "somebody"
        what = "sync renews its access by itself" if kind == "personal" else "it never expires"
        yield ok("token", f"a {kind} token of {name}, taken; {what}", 10)
    elif kind == "legacy" and who.status == 401:
        fix = (
            "an owner switches legacy tokens on (Organization > Access Token Settings), or better: "
            + HOW
        )
        yield problem("token", f"a legacy token, refused ({who.said})", fix, 10)
    else:
        yield problem("token", f"a {kind} token, refused ({who.said})", HOW, 10)


def addresses(settings: Settings) -> Iterator[Finding]:
    """Whether what Label Studio is told to call can lie where it looks."""
    far = not is_loopback(urlsplit(settings.studio.url).hostname or "")
    for name, url, listens in (
        ("BACKEND", settings.backend.url, settings.backend.host),
        ("SYNC", settings.sync.url, settings.sync.host),
    ):
        host = urlsplit(url).hostname or ""
        check, setting = f"{name.lower()} address", f"ANNOTUNE_{name}_URL"
        if far and is_loopback(host):
            seen = f"Label Studio is elsewhere, and {setting}={url} is this machine only"
            fix = f"set {setting} to an address that Label Studio reaches, _HOST=0.0.0.0, connect"
            yield problem(check, seen, fix, 7, 11)
        elif is_loopback(listens) and not is_loopback(host) and _is_address(host):
            seen = f"{setting}={url}, but it listens on {listens} only"
            fix = f"set ANNOTUNE_{name}_HOST=0.0.0.0, unless a proxy stands before it"
            yield warning(check, seen, fix, 7, 11)
        else:
            yield ok(check, f"{setting}={url}, listening on {listens}")


def _is_address(host: str) -> bool:
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True
