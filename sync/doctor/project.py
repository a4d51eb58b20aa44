"""One project in Label Studio: is it ours, does it show predictions, in which order, who calls.

Two requests probe Label Studio's guard against private addresses. Each is wrong on purpose in a
part that is looked at later (no password; an action that there is none), so nothing is ever made.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from time import monotonic
from typing import Any

from settings import Settings
from sync.backend_client import BackendClient, BackendDown
from sync.doctor.ask import Answer, Asker
from sync.doctor.backend import quick
from sync.doctor.finding import Finding, ok, problem, warning
from sync.hooks import trouble
from sync.studio_values import UNCERTAINTY, WebhookInfo

CONNECTED = "CO"
NO_ACTION = "ANNOTUNE_DOCTOR"  # none of Label Studio's
ML_SWITCH, HOOK_SWITCH = "LABEL_STUDIO_ML_BLOCK_LOCAL_IP", "LABEL_STUDIO_SSRF_PROTECTION_ENABLED"


class Project:
    """The checks of one project; each asks for itself, so that none needs another."""

    def __init__(self, settings: Settings, asker: Asker, project: str) -> None:
        self._settings, self._ask, self._id = settings, asker, project
        self._again = f"annotune connect {project}"

    def _name(self, what: str) -> str:
        return f"project {self._id} {what}"

    def _get(self, path: str, params: Mapping[str, object] | None = None) -> Answer:
        return self._ask("GET", path, params)

    def shown(self) -> Iterator[Finding]:
        """Whether predictions are shown, of which version, and in which order tasks come."""
        got = self._get(f"api/projects/{self._id}")
        if not got.fine:
            fix = "look at the number in the project's address; may the token's owner see it?"
            yield problem(self._name("settings"), f"cannot be read ({got.said})", fix)
            return
        if not got.part("show_collab_predictions"):
            fix = "in its Settings > Annotation: switch on 'Use predictions to prelabel tasks'"
            yield problem(self._name("shown"), "predictions are not shown to people", fix, 11)
        if got.part("evaluate_predictions_automatically"):
            seen = "each page of the Data Manager waits for predictions of all its tasks"
            fix = "in its Settings > Annotation: no automatic retrieval; sync pushes them anyway"
            yield warning(self._name("retrieval"), seen, fix, 5)
        else:
            yield ok(self._name("retrieval"), "sync pushes predictions; no page waits for them", 5)
        if got.part("sampling") != UNCERTAINTY:
            seen = f"tasks come by {got.part('sampling')!r}, not the least certain first"
            yield warning(self._name("order"), seen, self._again, 14)
        else:
            yield ok(self._name("order"), "the least certain task first", 14)
        yield from self._version(got)

    def _version(self, got: Answer) -> Iterator[Finding]:
        check, names = self._name("model_version"), str(got.part("model_version") or "")
        if not names:
            seen = "not set: no prediction is shown, and the order is random"
            yield problem(check, seen, f"{self._again}; sync then names what serves", 11, 12, 14)
            return
        own = self._settings.backend
        client = BackendClient(own.url.rstrip("/"), own.user, own.password)
        began = monotonic()
        try:
            serves = client.version(self._id, str(got.part("label_config") or ""))
        except BackendDown:
            seen = f"{names}; the backend does not say what serves"
            yield warning(check, seen, "mend the backend first (see above)", 11)
            return
        yield quick(self._name("/setup"), "setup", monotonic() - began)
        if names != serves:
            seen = f"{names} is shown and {serves} serves"
            fix = "a moment after a swap that is so; if it stays: annotune once " + self._id
            yield warning(check, seen, fix, 11, 12, 14)
        else:
            yield ok(check, f"{names}, which serves: order and answers are of it", 11, 12, 14)

    def connection(self) -> Iterator[Finding]:
        """Our backend there: its address, its password, what Label Studio makes of it."""
        got = self._get("api/ml", {"project": self._id})  # asks each one's /health and /setup
        check, own = self._name("backend"), self._settings.backend
        if not got.fine or not isinstance(got.body, list):
            yield problem(check, f"backends cannot be listed ({got.said})", self._again)
            return
        there = [b for b in got.body if isinstance(b, Mapping)]
        mine = [b for b in there if str(b.get("url", "")).rstrip("/") == own.url.rstrip("/")]
        if len(mine) == len(there):
            seen = "no other beside ours, so predictions are of one"
            yield ok(self._name("other backend"), seen, 1, 8, 9)
        for other in (b for b in there if b not in mine):
            seen = f"{other.get('url')} is connected beside ours: predictions of two are mixed"
            fix = "disconnect it (Settings > Model), and its webhook (Settings > Webhooks)"
            yield warning(self._name("other backend"), seen, fix, 1, 8, 9)
        if not mine:
            yield problem(check, f"{own.url} is not connected", self._again, 11)
            return
        yield self._state(check, mine[0])
        if len(mine) > 1:
            fix = "disconnect all but one (Settings > Model)"
            yield warning(check, f"ours is connected {len(mine)} times", fix, 12)
        closed = bool(own.password)
        if (mine[0].get("auth_method") == "BASIC_AUTH") != closed or (
            closed and mine[0].get("basic_auth_user") != own.user
        ):
            seen = "it is connected with another user, or without the password"
            yield problem(self._name("backend password"), seen, self._again, 10)

    def _state(self, check: str, mine: Mapping[str, Any]) -> Finding:
        if mine.get("state") == CONNECTED:
            return ok(check, f"{mine.get('url')} is connected, and Label Studio reaches it", 4)
        told = str(mine.get("error_message") or mine.get("readable_state") or "no reason given")
        if "401" in told:
            return problem(check, "Label Studio holds another password", self._again, 10)
        if "timed out" in told.lower():
            fix = "see `backend /setup`; or raise ML_TIMEOUT_SETUP in Label Studio's environment"
            return problem(check, f"too slow for Label Studio: {told[:160]}", fix, 3, 4)
        fix = f"does Label Studio reach {mine.get('url')}? name, port, firewall; then {self._again}"
        return problem(check, f"Label Studio does not reach it: {told[:160]}", fix, 4, 11)

    def webhook(self) -> Iterator[Finding]:
        """Ours, whole; and those that nobody needs."""
        check, got = self._name("webhook"), self._get("api/webhooks/", {"project": self._id})
        if not got.fine or not isinstance(got.body, list):
            yield problem(check, f"webhooks cannot be listed ({got.said})", self._again)
            return
        hooks = [_hook(h) for h in got.body if isinstance(h, Mapping)]
        if wrong := trouble(self._settings, hooks):
            fix = f"{self._again}; a running sync does it within five minutes"
            yield problem(check, f"ours {wrong}", fix, 7, 9, 15)
        else:
            yield ok(check, "ours is there, switched on, with our secret", 7, 9, 15)
        for_model = f"{self._settings.backend.url.rstrip('/')}/webhook"
        if any(h.url == for_model for h in hooks):
            seen = f"Label Studio's own at {for_model} does nothing but cost each submit a call"
            yield warning(self._name("webhooks"), seen, self._again, 9)
        ours = f"{self._settings.sync.url.rstrip('/')}/webhook"
        others = [h for h in hooks if h.url not in (ours, for_model) and h.active]
        if others:
            seen = f"{len(others)} more are called at each submit, up to a second each"
            fix = "delete what nobody uses (Settings > Webhooks)"
            yield warning(self._name("webhooks"), seen, fix, 9)

    def guard(self) -> Iterator[Finding]:
        """Whether Label Studio may call our two addresses at all."""
        number, own = int(self._id), self._settings
        model = {"url": own.backend.url, "project": number, "auth_method": "BASIC_AUTH"}
        hook = {"url": own.sync.url, "project": number, "actions": [NO_ACTION]}
        for what, path, body, switch, pain in (
            ("backend", "api/ml", model, ML_SWITCH, 4),
            ("webhook", "api/webhooks/", hook, HOOK_SWITCH, 7),
        ):
            check, got = self._name(f"{what} guard"), self._ask("POST", path, None, body)
            if got.status == 400:
                yield ok(check, f"Label Studio may call {body['url']}", pain)
            elif got.status == 403 and _is_guard(got):
                seen = f"Label Studio refuses to call {body['url']} ({got.said})"
                fix = f"{switch}=false in its environment; narrower: docs/running.md"
                yield problem(check, seen, fix, pain, 11)
            elif got.status == 403:
                fix = "take a token of somebody who may change the project"
                yield warning(check, f"cannot be told: {got.said}", fix, 10)
            else:
                fix = "can Label Studio resolve this name? set an address that it can"
                yield warning(check, f"cannot be told: {got.said}", fix, pain)


def _is_guard(got: Answer) -> bool:
    """Its own words, rather than a missing right's."""
    return any(word in got.said for word in ("reserved network", "SSRF", "was not allowed"))


def _hook(raw: Mapping[str, Any]) -> WebhookInfo:
    return WebhookInfo(
        id=int(raw.get("id") or 0),
        url=str(raw.get("url") or ""),
        actions=tuple(map(str, raw.get("actions") or ())),
        active=raw.get("is_active") is not False,
        headers={str(k): str(v) for k, v in (raw.get("headers") or {}).items()},
    )
