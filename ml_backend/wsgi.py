"""The backend's server: one process, a fixed number of threads, and a few kept free."""

from __future__ import annotations

from typing import Any

from flask import Flask

import listening
from ml_backend.auth import BasicAuth
from ml_backend.slots import RESERVED
from settings import Backend


def make_server(app: Flask, settings: Backend) -> Any:
    """A listening server for the app; raises OSError when the address cannot be had."""
    auth = BasicAuth(settings.user, settings.password)
    return listening.make_server(
        app,
        settings.host,
        settings.port,
        threads=settings.threads + RESERVED,
        max_body=settings.max_body,
        allows=lambda headers: auth.allows(headers.get("AUTHORIZATION")),
    )
