"""Our webhook in Label Studio: registered, looked after, and set up again when it is gone.

Label Studio, or a person, may delete it, switch it off or change it. Nothing is lost by that, as
the pull is the truth; changes are only noticed later. A webhook's headers, so the secret too, can
be read by whoever may manage webhooks there.
"""

from __future__ import annotations

from collections.abc import Sequence

from settings import Settings
from sync.receiver import ACTIONS, SECRET_HEADER
from sync.studio_values import StudioLike, WebhookInfo


def register(settings: Settings, studio: StudioLike, project: str) -> int:
    """Register ours, in place of what stands there for it; returns how many that Label Studio had
    registered at the backend by itself were removed. Raises StudioError."""
    ours, theirs = _url(settings), f"{settings.backend.url.rstrip('/')}/webhook"
    removed = 0
    for hook in studio.webhooks(project):
        if hook.url in (ours, theirs):  # ours too: its secret may have changed
            studio.remove_webhook(hook.id)
            removed += hook.url == theirs
    studio.add_webhook(project, ours, ACTIONS, {SECRET_HEADER: settings.sync.secret})
    return removed


def trouble(settings: Settings, hooks: Sequence[WebhookInfo]) -> str | None:
    """What is wrong with our webhook among a project's; None: nothing."""
    mine = [hook for hook in hooks if hook.url == _url(settings)]
    if not mine:
        return "is gone"
    if len(mine) > 1:
        return f"is there {len(mine)} times"
    if not mine[0].active:
        return "is switched off"
    if missing := sorted(set(ACTIONS) - set(mine[0].actions)):
        return f"is not called for {', '.join(missing)}"
    if mine[0].headers.get(SECRET_HEADER) != settings.sync.secret:
        return "carries another secret"
    return None


def mend(settings: Settings, studio: StudioLike, project: str) -> str | None:
    """Look at our webhook and set it up again where it must be; returns what was wrong with it.

    Raises StudioError.
    """
    wrong = trouble(settings, studio.webhooks(project))
    if wrong is None:
        return None
    register(settings, studio, project)
    return f"our webhook in Label Studio {wrong}: it was set up again"


def _url(settings: Settings) -> str:
    return f"{settings.sync.url.rstrip('/')}/webhook"
