"""Which annotune this is."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version


def own_release() -> str:
    """The installed version, or that it runs from a checkout; as ml_backend says on /health."""
    try:
        return version("annotune")
    except PackageNotFoundError:
        return "checkout"
