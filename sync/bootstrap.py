"""The composition root of sync: the one place where its neighbours are built from settings."""

from __future__ import annotations

from jobs import Jobs
from lora.opened import open_store
from settings import InvalidSetting, Settings
from sync.backend_client import BackendClient
from sync.log import Log
from sync.loop import World
from sync.restore import refuse_half
from sync.service_client import SyncClient
from sync.studio import Studio
from sync.terms import check_addresses


def build(settings: Settings) -> World:
    """The loop's world. Opens the log; talks to nobody yet.

    Raises InvalidSetting when a secret that sync cannot work without is missing, Impossible where a
    restore was cut off.
    """
    for name, value in (
        ("STUDIO_TOKEN", settings.studio.token),
        ("SYNC_SECRET", settings.sync.secret),
    ):
        if not value:
            raise InvalidSetting(f"ANNOTUNE_{name} is not set; ANNOTUNE_{name}_FILE works too")
    check_addresses(settings)
    settings.home.mkdir(parents=True, exist_ok=True)
    refuse_half(settings.home)
    return World(
        settings=settings,
        store=open_store(settings),
        log=Log(settings.log_url),
        studio=Studio(
            settings.studio.url,
            settings.studio.token,
            timeout_s=settings.studio.timeout_s,
            page=settings.studio.page,
        ),
        jobs=build_jobs(settings),
        backend=BackendClient(
            settings.backend.url.rstrip("/"), settings.backend.user, settings.backend.password
        ),
        service=SyncClient(settings.sync.url.rstrip("/"), settings.sync.secret),
    )


def build_jobs(settings: Settings) -> Jobs:
    """The queue of these settings."""
    return Jobs(settings.queue.url, settings.queue.name, settings.queue.timeout_s)
