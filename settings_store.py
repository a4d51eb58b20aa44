"""Settings of a store in a bucket: ANNOTUNE_STORE=s3://bucket/prefix, and ANNOTUNE_S3_<FIELD>.

Keys, region and endpoint are no settings of ours: boto3 finds them where AWS has them.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

SCHEME = "s3://"
LEAST_LEASE_S = 8.0


@dataclass(frozen=True)
class S3:
    """A store in a bucket (ANNOTUNE_STORE=s3://bucket/prefix)."""

    cache: str = ""
    """The folder that mirrors it on this machine; empty: one in the home folder."""
    poll_s: float = 5.0
    """How old may be what this process knows of the bucket: so late a new version is noticed."""
    timeout_s: float = 10.0
    """Longest wait for a connection, and for a byte of an answer."""
    attempts: int = 3
    """How often one request is tried, a little apart."""
    patience_s: float = 300.0
    """How long a worker goes on after that, before a training that is done is lost."""
    lease_s: float = 60.0
    """So long after its last word a worker keeps a project's training; the same on all hosts."""


def in_bucket(store: str) -> bool:
    """Whether ANNOTUNE_STORE names a bucket."""
    return store.startswith(SCHEME)


def bucket_of(store: str) -> str:
    """s3://bucket/prefix, where the store is one; else empty."""
    return store.rstrip("/") if in_bucket(store) else ""


def folder_of(home: Path, store: str, own: S3) -> Path:
    """Where the store lies on this machine; of a bucket its mirror, one of its own for each."""
    if not in_bucket(store):
        return Path(store) if store else home / "store"
    name = hashlib.sha256(store.rstrip("/").encode()).hexdigest()[:12]
    return Path(own.cache or home / "cache") / f"store-{name}"


def wrong_with_store(store: str, own: S3) -> str | None:
    """Why these cannot be; None where they can."""
    rest = store[len(SCHEME) :]
    if "://" in store and not in_bucket(store):
        return "ANNOTUNE_STORE must be a folder or s3://bucket/prefix"
    if in_bucket(store) and (
        not rest.partition("/")[0] or set("@:?# ") & set(rest) or ".." in rest.split("/")
    ):
        return "ANNOTUNE_STORE must be s3://bucket/prefix, without keys, port or options in it"
    if own.lease_s < LEAST_LEASE_S:
        return (
            f"ANNOTUNE_S3_LEASE_S={own.lease_s:g} must be {LEAST_LEASE_S:g} or more: S3 tells the "
            "time by the second, and a lease is renewed four times before it ends"
        )
    if min(own.poll_s, own.timeout_s) <= 0 or own.attempts < 1 or own.patience_s < 0:
        return (
            "ANNOTUNE_S3_POLL_S and _TIMEOUT_S must be above 0, _ATTEMPTS 1 or more and "
            "_PATIENCE_S 0 or more"
        )
    return None
