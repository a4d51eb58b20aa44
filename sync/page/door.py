"""The page's door: signing in, the cookie, the token of every change, and the headers.

Nothing of the page answers without a session but the sign-in form and the files in `static/`, which
say nothing of any project. The webhook's secret opens no page, and a session no webhook.
"""

from __future__ import annotations

import logging
import re
import traceback
from typing import Any
from urllib.parse import urlsplit

from flask import Blueprint, Response, g, make_response, redirect, render_template, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from settings import Settings
from settings_guard import is_loopback
from sync.operate import Impossible, Person
from sync.page.session import Session, Sessions, alike

logger = logging.getLogger(__name__)

LOGIN = "operators' page"
"""Instead of a user of the operating system, in the audit log."""
OPEN = {"page.sign_in", "page.static"}
INWARD = re.compile(r"(/[A-Za-z0-9_.-]+)*/?")  # where a sign-in may lead: a path of ours
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
CLOSED = (
    "This page lets nobody in yet: set ANNOTUNE_PAGE_PASSWORD (or ANNOTUNE_PAGE_PASSWORD_FILE) and "
    "start annotune again. The command line does all the same: annotune status."
)


def name_of(raw: str | None) -> str:
    """A person's name as the audit log takes it; raises Impossible."""
    name = (raw or "").strip()
    if not name:
        raise Impossible("a name is needed: it goes into the audit log")
    return Person(LOGIN, name).who


class Door:
    """Puts itself before every route of a blueprint."""

    def __init__(self, settings: Settings) -> None:
        self.own = settings.page
        self._cookie = f"annotune_{settings.sync.port}"  # cookies know no ports
        self._sessions = Sessions(self.own.session_h * 3600)

    def guard(self, page: Blueprint) -> None:
        """Guard these routes, and add those for signing in and out."""
        page.before_request(self._enter)
        page.after_request(_closed_in)
        page.register_error_handler(Exception, _failed)
        page.add_url_rule("/login", "sign_in", self._sign_in, methods=["GET", "POST"])
        page.add_url_rule("/logout", "sign_out", self._sign_out, methods=["POST"])

    def _enter(self) -> Response | None:
        g.session = found = self._sessions.find(request.cookies.get(self._cookie))
        if request.endpoint in OPEN:
            return None
        if found is None and self.own.open:
            return self._let_in()
        if found is None:
            return self._ask(request.path if request.method == "GET" else "/")
        if request.method not in {"GET", "HEAD"} and not found.allows(request.form.get("csrf")):
            return _said(403, "This form has expired; go back, load the page again and repeat it.")
        return None

    def _let_in(self) -> Response | None:
        """Whoever is on this machine; a name that leads here (DNS rebinding) is not enough."""
        if not is_loopback(_host()):
            return _said(401, "Without a password this page answers on localhost alone.")
        if request.method not in {"GET", "HEAD"}:
            return _said(401, "Load the page first: a change needs its token.")
        cookie, g.session = self._sessions.open("")
        g.fresh = self._set, cookie
        return None

    def _ask(self, leads_to: str, problem: str = "", name: str = "") -> Response:
        shut = not self.own.password
        page = render_template(
            "login.html", problem=CLOSED if shut else problem, shut=shut, next=leads_to, name=name
        )
        return make_response(page, 401)

    def _sign_in(self) -> AnyResponse:
        if request.method == "GET":
            answer = self._ask("/")
            answer.status_code = 200
            return answer
        leads_to, given = request.form.get("next", "/"), request.form.get("password", "")
        raw = request.form.get("name", "")
        if not INWARD.fullmatch(leads_to):
            leads_to = "/"
        if not alike(given, self.own.password):
            logger.warning("a wrong password for the operators' page from %s", request.remote_addr)
            return self._ask(leads_to, "That is not the password.", raw[:120])
        try:
            name = name_of(raw)
        except Impossible as refused:
            return self._ask(leads_to, str(refused))
        self._sessions.close(request.cookies.get(self._cookie))
        cookie, _ = self._sessions.open(name)
        there = redirect(leads_to, 303)
        self._set(there, cookie)
        return there

    def _sign_out(self) -> AnyResponse:
        self._sessions.close(request.cookies.get(self._cookie))
        answer = redirect("/login", 303)
        answer.delete_cookie(self._cookie, path="/", httponly=True, samesite="Strict")
        return answer

    def _set(self, answer: AnyResponse, cookie: str) -> None:
        answer.set_cookie(
            self._cookie, cookie, httponly=True, samesite="Strict", secure=self.own.https, path="/"
        )


def _host() -> str:
    """The name by which the browser came here, without its port."""
    try:
        return urlsplit(f"//{request.host}").hostname or ""
    except ValueError:
        return ""


def _closed_in(answer: Response) -> Response:
    """Every answer's headers; a page of somebody signed in is kept by no cache."""
    answer.headers.update(HEADERS)
    if request.endpoint != "page.static":
        answer.headers["Cache-Control"] = "no-store"
    if fresh := g.pop("fresh", None):
        put, cookie = fresh
        put(answer, cookie)
    return answer


def _said(status: int, text: str) -> Response:
    return make_response(render_template("said.html", text=text, status=status), status)


def _failed(error: Exception) -> Any:
    """A failure as a page; what it says inside goes to the log, without the error's own words."""
    if isinstance(error, HTTPException):
        return _said(error.code or 500, error.description or error.name)
    frames = "".join(traceback.format_tb(error.__traceback__))
    logger.error("a page failed: %s\n%s", type(error).__name__, frames)
    return _said(500, "This page failed inside; sync's log has it.")


def session() -> Session:
    """Of whoever asks; `guard` has seen to it that there is one."""
    found: Session = g.session
    return found
