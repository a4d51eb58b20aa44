"""The one door to S3: whole objects with ETags, puts that hold where nothing changed, listings.

boto3 is imported here alone, and only where a store lies in a bucket. It finds keys, profile,
region and endpoint by itself (AWS_PROFILE, AWS_ENDPOINT_URL_S3, a role of the machine); none of
them is read, passed on or printed by us: an error says the bucket's address and S3's own code.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, NoReturn

from lora.adapter import file_digest
from lora.errors import BrokenFile, Raced, StoreDown

PART = 1 << 20
AGAIN_S, MOST_S = 0.5, 15.0
"""Between two attempts while we are patient: it doubles from the first to the second."""
FIRM = {"NoCredentialsError", "PartialCredentialsError", "ProfileNotFound", "NoRegionError"}
"""What waiting does not mend, beside what the server refuses with a code below 500."""
PASSING = {"SlowDown", "RequestTimeout", "Throttling", "RequestTimeTooSkewed"}
AMAZON = "amazonaws.com"


class Missing(Exception):
    """There is no such object."""


@dataclass(frozen=True)
class Address:
    """A bucket, and where in it the store begins."""

    bucket: str
    prefix: str

    @staticmethod
    def read(words: str) -> Address:
        """Of `s3://bucket/prefix`; raises ValueError."""
        scheme, _, rest = words.partition("://")
        bucket, _, prefix = rest.partition("/")
        if scheme != "s3" or not bucket or set("@:?#") & set(rest) or ".." in rest.split("/"):
            raise ValueError("must be a folder, or s3://bucket/prefix without keys or options")
        return Address(bucket, prefix.strip("/"))

    def __str__(self) -> str:
        return f"s3://{self.bucket}/{self.prefix}".rstrip("/")

    def key(self, name: str) -> str:
        return f"{self.prefix}/{name}" if self.prefix else name


@dataclass(frozen=True)
class Seen:
    """An object as a listing tells it; `modified` by the server's clock."""

    etag: str
    modified: datetime


@dataclass(frozen=True)
class Listing:
    """Objects by their names below what was listed, and when that was by the server's clock."""

    files: Mapping[str, Seen] = field(default_factory=dict)
    now: datetime = field(default_factory=lambda: datetime.now(timezone.utc))


@dataclass(frozen=True)
class Patience:
    """`timeout_s`: of one connection or one silence; `attempts` of one request, by boto3 itself;
    `wait_s`: how long we go on after those, for work that must not be lost; `lease_s`: how long a
    holder of a lease that says nothing counts as at work."""

    timeout_s: float = 10.0
    attempts: int = 3
    wait_s: float = 0.0
    lease_s: float = 60.0


class S3:
    """One bucket. Any thread may call it. Everything raises StoreDown."""

    def __init__(self, address: Address, patience: Patience | None = None) -> None:
        self.address = address
        self.patience = patience or Patience()
        self.problem: str | None = None
        self.answered = 0.0  # time.time() of its last answer
        self.quiet_until = 0.0  # time.monotonic() before which nobody asks who need not
        self._making = threading.Lock()
        self._client: Any = None
        self._holds: bool | None = None

    def brisk(self) -> S3:
        """The same, without the patience of a worker."""
        made = S3(self.address, replace(self.patience, wait_s=0.0))
        made._client, made._holds = self._client, self._holds
        return made

    def get(self, name: str) -> tuple[bytes, str]:
        """An object and its ETag. Raises Missing, and BrokenFile where its bytes are not those that
        were put."""
        found = self._ask("get_object", name)
        raw: bytes = found["Body"]
        told = found.get("Metadata", {}).get("sha256")
        if told and told != hashlib.sha256(raw).hexdigest():
            where = self.where(name)
            raise BrokenFile(f"{where} holds other bytes than were written; put a good copy there")
        return raw, str(found["ETag"])

    def load(self, name: str, to: Path) -> str:
        """Write an object into a file; returns the SHA-256 of its bytes. Raises Missing."""
        return str(self._ask("get_object", name, to)["Body"])

    def put(self, name: str, raw: bytes, *, match: str | None = None, new: bool = False) -> str:
        """Write an object whole and return its ETag. `match`: only where its ETag still is this
        one; `new`: only where there is none; else raises Raced."""
        how = {"IfMatch": match} if match else {"IfNoneMatch": "*"} if new else {}
        if how:
            self.check()
        digest = hashlib.sha256(raw)
        try:
            return self._put(name, raw, digest.digest(), how)
        except (Raced, Missing):
            if how and self._is_ours(name, digest.hexdigest()):  # its answer to us was lost
                return str(self._ask("head_object", name)["ETag"])
            raise Raced(f"{self.where(name)} was changed by somebody else meanwhile") from None

    def store(self, name: str, path: Path) -> None:
        """Upload a file; the server checks its SHA-256."""
        self._put(name, path, bytes.fromhex(file_digest(path)), {})

    def delete(self, *names: str) -> None:
        """Remove objects; one that is gone stays gone."""
        for name in names:
            self._ask("delete_object", name)

    def listing(self, under: str, deep: bool = False) -> Listing:
        """What lies below `under`, which ends in a slash; `deep`: in its folders, too."""
        prefix, files, more = self.address.key(under), dict[str, Seen](), dict[str, Any]()
        now = datetime.now(timezone.utc)
        while True:
            how = more if deep else {"Delimiter": "/", **more}
            page = self._ask("list_objects_v2", None, Prefix=prefix, **how)
            now = _date(page) or now
            for one in page.get("Contents", ()):
                files[one["Key"][len(prefix) :]] = Seen(one["ETag"], one["LastModified"])
            if not page.get("IsTruncated"):
                return Listing(files, now)
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def folders(self, under: str) -> list[str]:
        """The names of the folders below `under`."""
        prefix, found, more = self.address.key(under), list[str](), dict[str, Any]()
        while True:
            page = self._ask("list_objects_v2", None, Prefix=prefix, Delimiter="/", **more)
            found += [p["Prefix"][len(prefix) : -1] for p in page.get("CommonPrefixes", ())]
            if not page.get("IsTruncated"):
                return found
            more = {"ContinuationToken": page["NextContinuationToken"]}

    def where(self, name: str) -> str:
        return f"s3://{self.address.bucket}/{self.address.key(name)}"

    def _put(self, name: str, body: bytes | Path, digest: bytes, how: Mapping[str, str]) -> str:
        told = {"ChecksumSHA256": base64.b64encode(digest).decode(), **how}
        marked = {"Metadata": {"sha256": digest.hex()}, **told}
        return str(self._ask("put_object", name, body, **marked)["ETag"])

    def _is_ours(self, name: str, digest: str) -> bool:
        try:
            return str(self._ask("head_object", name)["Metadata"].get("sha256")) == digest
        except Missing:
            return False

    def check(self) -> None:
        """Raises StoreDown where the server takes a conditional put for a plain one: then two
        writers would overwrite each other, and nobody would notice."""
        if self._holds is None:
            name, raw = f".probe-{secrets.token_hex(8)}", b"annotune"
            digest, held = hashlib.sha256(raw).digest(), 0
            self._put(name, raw, digest, {"IfNoneMatch": "*"})
            for how in ({"IfNoneMatch": "*"}, {"IfMatch": '"00000000000000000000000000000000"'}):
                try:
                    self._put(name, raw, digest, how)
                except Raced:
                    held += 1
            self.delete(name)
            self._holds = held == 2
        if not self._holds:
            raise StoreDown(
                f"{self.address}: this server does not hold If-None-Match and If-Match at a put, "
                "without which two writers overwrite each other; take one that does"
            )

    # ---- the wire

    def _ask(
        self, what: str, name: str | None, body: bytes | Path | None = None, **how: Any
    ) -> dict[str, Any]:
        """One request, again while we are patient. `body`: what to put, or where to write what was
        got. Raises StoreDown, Raced, Missing."""
        end, pause = time.monotonic() + self.patience.wait_s, AGAIN_S
        key = {} if name is None else {"Key": self.address.key(name)}
        while True:
            try:
                found = self._once(what, body, Bucket=self.address.bucket, **key, **how)
            except (Raced, Missing):
                self.problem, self.answered = None, time.time()
                raise
            except StoreDown as down:
                left = end - time.monotonic()
                if left <= 0 or down.errno == 1:
                    self.problem = str(down)
                    raise
                time.sleep(min(pause, left))
                pause = min(MOST_S, 2 * pause)
            else:
                self.problem, self.answered = None, time.time()
                return found

    def _once(self, what: str, body: bytes | Path | None, **how: Any) -> dict[str, Any]:
        made = self._made()
        from botocore.exceptions import BotoCoreError, ClientError

        ask = getattr(made, what)
        try:
            if what == "get_object":
                found: dict[str, Any] = ask(**how)
                return {**found, "Body": _read(found["Body"], body)}
            if isinstance(body, Path):
                with body.open("rb") as handle:
                    return dict(ask(Body=handle, **how))
            return dict(ask(**how) if body is None else ask(Body=body, **how))
        except ClientError as error:
            self._refused(error)
        except BotoCoreError as error:
            name = type(error).__name__
            raise _down(self.address, name, firm=name in FIRM) from None  # it may quote a URL

    def _refused(self, error: Any) -> NoReturn:
        """What S3 said, as what it means here."""
        status = int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
        code = str(error.response.get("Error", {}).get("Code", status))
        if status == 412 or (status == 409 and "Condition" in code):
            raise Raced(code) from None
        if code in {"NoSuchKey", "404"}:
            raise Missing(code) from None
        firm = 400 <= status < 500 and code not in PASSING and status not in {408, 429}
        raise _down(self.address, code, firm=firm) from None

    def _made(self) -> Any:
        with self._making:
            if self._client is None:
                self._client = _client(self.address, self.patience)
            return self._client


def _client(address: Address, patience: Patience) -> Any:
    """Raises StoreDown where boto3 is not installed."""
    try:
        import boto3
        from botocore.config import Config
        from botocore.exceptions import BotoCoreError
    except ImportError as error:
        raise _down(
            address, "a store in a bucket needs the package boto3: pip install 'annotune[s3]'"
        ) from error
    own = Config(
        connect_timeout=patience.timeout_s,
        read_timeout=patience.timeout_s,
        retries={"total_max_attempts": patience.attempts, "mode": "standard"},
        request_checksum_calculation="when_required",  # ours is sent; others' servers know no more
        response_checksum_validation="when_required",
    )
    try:
        session = boto3.session.Session()
        made = session.client("s3", config=own)
        if AMAZON not in made.meta.endpoint_url:  # of another's server no bucket has a name in DNS
            paths = own.merge(Config(s3={"addressing_style": "path"}))
            made = session.client("s3", config=paths)
    except (BotoCoreError, ValueError) as error:
        raise _down(address, type(error).__name__) from None
    return made


def _read(body: Any, into: bytes | Path | None) -> bytes | str:
    """The bytes of an answer, or the SHA-256 of those that went into a file."""
    if not isinstance(into, Path):
        return bytes(body.read())
    digest = hashlib.sha256()
    with into.open("wb") as out:
        while part := body.read(PART):
            digest.update(part)
            out.write(part)
    return digest.hexdigest()


def _down(address: Address, why: str, firm: bool = True) -> StoreDown:
    """`firm`: to wait would not help; in errno, as 1."""
    down = StoreDown(f"the store {address} cannot be used now: {why}")
    down.errno = 1 if firm else 0
    return down


def _date(page: Mapping[str, Any]) -> datetime | None:
    told = page["ResponseMetadata"].get("HTTPHeaders", {}).get("date")
    return parsedate_to_datetime(told) if told else None
