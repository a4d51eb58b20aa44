"""The door to S3, against moto's server (ThreadedMotoServer, moto 5.2.5) over HTTP on loopback.

Its conditional puts hold: If-None-Match and If-Match are refused with 412 as AWS does. The first
test says so by a plain client, before anything of ours is built on it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from lora.errors import BrokenFile, Raced, StoreDown
from lora.s3 import S3, Address, Missing, Patience
from tests.bucket.conftest import MADE, Machines
from tests.bucket.server import SECRET, Server

QUICK = Patience(timeout_s=2, attempts=1)


@pytest.fixture
def s3(bucket: Machines) -> S3:
    return S3(Address.read(bucket.address), QUICK)


def code(error: pytest.ExceptionInfo[ClientError]) -> int:
    return int(error.value.response["ResponseMetadata"]["HTTPStatusCode"])


def test_the_server_holds_conditional_puts(server: Server, bucket: Machines) -> None:
    client, where = server.client(), {"Bucket": bucket.address.split("/")[2], "Key": "k"}
    first = client.put_object(**where, Body=b"1", IfNoneMatch="*")["ETag"]
    with pytest.raises(ClientError) as refused:
        client.put_object(**where, Body=b"2", IfNoneMatch="*")
    assert code(refused) == 412
    client.put_object(**where, Body=b"3", IfMatch=first)
    with pytest.raises(ClientError) as refused:
        client.put_object(**where, Body=b"4", IfMatch=first)
    assert code(refused) == 412
    assert client.get_object(**where)["Body"].read() == b"3"


def test_a_put_for_nothing_there_holds_once(s3: S3) -> None:
    etag = s3.put("a", b"one", new=True)
    with pytest.raises(Raced, match="/a was changed by somebody else"):
        s3.put("a", b"two", new=True)
    assert s3.get("a") == (b"one", etag)


def test_a_put_over_what_was_read_holds_where_nothing_changed(s3: S3) -> None:
    first = s3.put("a", b"one")
    s3.put("a", b"two", match=first)
    with pytest.raises(Raced):
        s3.put("a", b"three", match=first)
    assert s3.get("a")[0] == b"two"


def test_a_put_over_what_is_gone_is_lost(s3: S3) -> None:
    first = s3.put("a", b"one")
    s3.delete("a")
    with pytest.raises(Raced):
        s3.put("a", b"two", match=first)


def test_a_put_whose_answer_was_lost_counts_as_ours(
    s3: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    """boto3 sends it again, and the server refuses what it has taken already."""
    s3.put("probed", b"", new=True)
    once = s3._once

    def twice(what: str, body: Any, **how: Any) -> dict[str, Any]:
        if what == "put_object":
            once(what, body, **how)
        return once(what, body, **how)

    monkeypatch.setattr(s3, "_once", twice)
    etag = s3.put("a", b"one", new=True)
    assert s3.get("a") == (b"one", etag)


def test_a_server_that_takes_a_conditional_put_for_a_plain_one_is_refused(
    s3: S3, monkeypatch: pytest.MonkeyPatch
) -> None:
    once = s3._once

    def forgetful(what: str, body: Any, **how: Any) -> dict[str, Any]:
        how.pop("IfMatch", None), how.pop("IfNoneMatch", None)
        return once(what, body, **how)

    monkeypatch.setattr(s3, "_once", forgetful)
    with pytest.raises(StoreDown, match="does not hold If-None-Match and If-Match"):
        s3.put("a", b"one", new=True)
    assert s3.listing("", deep=True).files == {}


def test_what_is_listed_is_what_was_put(s3: S3) -> None:
    tags = {name: s3.put(f"p/{name}", name.encode()) for name in ("a", "b", "deep/c")}
    assert set(s3.listing("p/").files) == {"a", "b"}
    deep = s3.listing("p/", deep=True)
    assert {n: seen.etag for n, seen in deep.files.items()} == tags
    assert abs((deep.now - deep.files["a"].modified).total_seconds()) < 60
    assert s3.folders("p/") == ["deep"]


def test_a_long_listing_is_whole(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(5):
        s3.put(f"p/{n}", b"")
    once = s3._once

    def short(what: str, body: Any, **how: Any) -> dict[str, Any]:
        return once(what, body, **how, **({"MaxKeys": 2} if what.startswith("list") else {}))

    monkeypatch.setattr(s3, "_once", short)
    assert set(s3.listing("p/", deep=True).files) == set("01234")
    assert set(s3.listing("p/").files) == set("01234")


def test_a_flipped_bit_is_noticed(s3: S3, server: Server, bucket: Machines) -> None:
    s3.put("a.json", b'{"version": 1}')
    server.flip(bucket.address, "a.json")
    with pytest.raises(BrokenFile, match=r"a\.json holds other bytes than were written"):
        s3.get("a.json")


def test_a_file_goes_up_and_comes_back(s3: S3, tmp_path: Path) -> None:
    (tmp_path / "up").write_bytes(bytes(range(256)) * 9000)
    s3.store("weights", tmp_path / "up")
    digest = s3.load("weights", tmp_path / "down")
    assert (tmp_path / "down").read_bytes() == (tmp_path / "up").read_bytes()
    assert digest == s3._ask("head_object", "weights")["Metadata"]["sha256"]
    with pytest.raises(Missing):
        s3.load("none", tmp_path / "down")


def test_a_server_that_is_gone_is_named_without_a_key(
    s3: S3, server: Server, bucket: Machines
) -> None:
    server.stop()
    with pytest.raises(StoreDown) as down:
        s3.get("a")
    assert str(down.value) == (
        f"the store {bucket.address} cannot be used now: EndpointConnectionError"
    )
    assert s3.problem == str(down.value)
    server.start()
    with pytest.raises(Missing):
        s3.get("a")
    assert s3.problem is None or "Endpoint" not in s3.problem


def test_a_bucket_that_is_none_is_said_at_once(server: Server, bucket: Machines) -> None:
    patient = S3(Address("nobody-has-it", ""), Patience(timeout_s=2, attempts=1, wait_s=600))
    with pytest.raises(StoreDown, match="NoSuchBucket") as down:
        patient.get("a")
    assert SECRET not in repr(down.value)


def test_patience_outlasts_a_server_that_comes_back(
    server: Server, bucket: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    import time

    server.stop()
    waits: list[float] = []

    def comes_back(seconds: float) -> None:
        waits.append(seconds)
        if len(waits) == 3:
            server.start()

    monkeypatch.setattr(time, "sleep", comes_back)
    S3(Address.read(bucket.address), Patience(2, 1, wait_s=60)).put("a", b"one")
    assert waits == [0.5, 1.0, 2.0]


def test_without_the_package_its_name_is_said(
    bucket: Machines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lora.s3._client", MADE)
    monkeypatch.setitem(sys.modules, "boto3", None)
    with pytest.raises(StoreDown, match=r"needs the package boto3: pip install 'annotune\[s3\]'"):
        S3(Address.read(bucket.address), QUICK).get("a")


@pytest.mark.parametrize(
    "words", ["s3://", "gs://b/p", "s3://key:secret@b/p", "s3://b/../p", "s3://b?x=1"]
)
def test_an_address_holds_a_bucket_and_a_prefix_alone(words: str) -> None:
    with pytest.raises(ValueError, match="s3://bucket/prefix"):
        Address.read(words)
    assert str(Address.read("s3://b/p/")) == "s3://b/p"
    assert Address.read("s3://b").key("x") == "x"
