"""What people do on the page: the commands train, promote and rollback, under their own name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import redirect, request, url_for
from werkzeug.wrappers import Response

from lora.errors import LoraError
from lora.store import ProjectStore
from sync import operate
from sync.page.door import LOGIN, name_of, session
from sync.page.words import short


class Deeds:
    """The routes that change something; `acted(project)` is told of each. What was moved gets into
    the audit log when the page is read again, or by sync's next turn: the store has noted it."""

    def __init__(self, acted: Callable[[str], None]) -> None:
        self._acted = acted

    def train(self, store: ProjectStore) -> Response:
        """Ask for a training now."""

        def ask(by: operate.Person) -> str:
            store.ask(by=by.who)
            return "Asked for: sync freezes what people answered and starts it on its next turn."

        return self._do(store, ask)

    def promote(self, store: ProjectStore) -> Response:
        """Make a version serve."""

        def promote(by: operate.Person) -> str:
            self._unchanged(store)
            moved = operate.promote(store, request.form.get("version", ""), by, self._why())
            return f"{short(moved.now)} serves now, in the place of {short(moved.before)}."

        return self._do(store, promote)

    def rollback(self, store: ProjectStore) -> Response:
        """Serve an earlier version again, or the cold start."""

        def rollback(by: operate.Person) -> str:
            self._unchanged(store)
            to = request.form.get("version") or None
            moved = operate.rollback(store, by, to, self._why())
            return (
                f"{short(moved.now)} serves again; {short(moved.before)} was rolled back and comes "
                "back by a person's word alone."
            )

        return self._do(store, rollback)

    def _do(self, store: ProjectStore, deed: Callable[[operate.Person], str]) -> Response:
        """A refusal is told, as what was done is; either way people are back at the project."""
        me = session()
        try:
            by = operate.Person(LOGIN, name_of(request.form.get("name")))
            done = deed(by)
        except (operate.Impossible, LoraError) as refused:
            me.tell("refused", f"Not done: {refused}")
            return self._back(store)
        me.name = by.who
        me.tell("done", done)
        self._acted(store.name)
        return self._back(store)

    @staticmethod
    def _back(store: ProjectStore) -> Response:
        return redirect(url_for("page.project", project=store.name), 303)

    @staticmethod
    def _unchanged(store: ProjectStore) -> None:
        """Raises Impossible where another version serves than when the form was made."""
        now, seen = store.current().version or "", request.form.get("serving", "")
        if now != seen:
            raise operate.Impossible(
                f"{short(now or None)} serves by now, {short(seen or None)} did when you looked; "
                "look again"
            )

    @staticmethod
    def _why() -> str:
        return request.form.get("why", "")

    def of(self, name: str) -> Callable[[ProjectStore], Any]:
        """A deed by its name in the address."""
        found: Callable[[ProjectStore], Any] = {
            "train": self.train,
            "promote": self.promote,
            "rollback": self.rollback,
        }[name]
        return found
