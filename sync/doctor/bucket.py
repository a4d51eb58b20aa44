"""The bucket that holds the store: reached, ours to write, and one that holds conditional puts."""

from __future__ import annotations

from collections.abc import Iterator

from lora.errors import StoreDown
from lora.s3 import S3, Address, Patience
from settings import Settings
from sync.doctor.finding import Finding, ok, problem

FIX = (
    "AWS_ENDPOINT_URL_S3 for a server of your own, AWS_PROFILE or a role for the keys, with rights "
    "to list the bucket and to get, put and delete objects (docs/running.md)"
)


def bucket(settings: Settings) -> Iterator[Finding]:
    """Three small puts and a removal, as every process does before its first conditional put."""
    s3 = S3(Address.read(settings.bucket), Patience(settings.s3.timeout_s, 1))
    try:
        s3.check()
    except StoreDown as down:
        yield problem("store", str(down), FIX)
        return
    yield ok("store", f"{settings.bucket} answers, and holds conditional puts")
