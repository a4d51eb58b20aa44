"""moto's S3 server (ThreadedMotoServer) on a free port of loopback: real HTTP, objects in memory.

test_s3.py looks whether its conditional puts hold before anything is built on them. What it looks
at and what it writes are two steps, of which another request may come in between; S3's are one. So
requests are answered one at a time here.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import boto3
from botocore.config import Config
from moto.moto_server.werkzeug_app import (
    DomainDispatcherApplication,
    MotoRequestHandler,
    create_backend_app,
)
from moto.server import ThreadedMotoServer
from werkzeug.serving import make_server

Before = Callable[[str, str], None]
KEY, SECRET = "AKIDTEST", "never-in-a-log-9d1c"


def nothing(method: str, path: str) -> None:
    pass


class OneAtATime:
    """A WSGI application, one request at a time, each once all of it is here: who is cut off in the
    middle of one keeps nobody waiting."""

    def __init__(self, app: Any, before: Before) -> None:
        self._app, self._before, self._lock = app, before, threading.Lock()

    def __call__(self, environ: Any, start_response: Any) -> Any:
        if length := int(environ.get("CONTENT_LENGTH") or 0):
            environ["wsgi.input"] = BytesIO(environ["wsgi.input"].read(length))
        with self._lock:
            self._before(environ["REQUEST_METHOD"], environ["PATH_INFO"])
            return self._app(environ, start_response)


class Moto(ThreadedMotoServer):
    before: Before

    def _server_entry(self) -> None:
        app, how = DomainDispatcherApplication(create_backend_app), MotoRequestHandler
        app = OneAtATime(app, self.before)
        self._server = make_server(self._ip_address, self._port, app, True, request_handler=how)
        self._server_ready_event.set()
        self._server.serve_forever()


@dataclass
class Server:
    """Objects stay while it is stopped. `before`: called with the method and path of each request
    before it is done."""

    port: int = 0
    running: Any = None
    host: str = "127.0.0.1"
    before: Before = nothing

    @classmethod
    @contextmanager
    def started(cls, host: str = "127.0.0.1") -> Iterator[Server]:
        found = cls(host=host)
        found.start()
        try:
            yield found
        finally:
            found.stop()

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    def start(self) -> None:
        if self.running is None:
            self.running = Moto(self.host, self.port, verbose=False)
            self.running.before = lambda *told: self.before(*told)
            self.running.start()
            self.port = self.running.get_host_and_port()[1]

    def stop(self) -> None:
        """From here on a connection is refused."""
        if self.running is not None:
            self.running.stop()
            self.running._server.server_close()
            self.running = None

    def client(self) -> Any:
        """A plain client, to look and to do harm with."""
        quick = Config(retries={"total_max_attempts": 1}, connect_timeout=2, read_timeout=5)
        own = {"aws_access_key_id": KEY, "aws_secret_access_key": SECRET}
        return boto3.client(
            "s3", endpoint_url=self.url, region_name="us-east-1", config=quick, **own
        )

    def make_bucket(self, name: str) -> None:
        self.client().create_bucket(Bucket=name)

    def names(self, address: str) -> list[str]:
        """The keys of a store, without its prefix."""
        bucket, _, prefix = address.removeprefix("s3://").partition("/")
        found = self.client().list_objects_v2(Bucket=bucket, Prefix=prefix + "/")
        return [one["Key"][len(prefix) + 1 :] for one in found.get("Contents", ())]

    def flip(self, address: str, name: str) -> None:
        """Turn one bit of an object, and leave all that is said of it."""
        bucket, _, prefix = address.removeprefix("s3://").partition("/")
        where, client = {"Bucket": bucket, "Key": f"{prefix}/{name}"}, self.client()
        found = client.get_object(**where)
        raw = bytearray(found["Body"].read())
        raw[len(raw) // 2] ^= 1
        client.put_object(**where, Body=bytes(raw), Metadata=found["Metadata"])


def environment(server: Server) -> dict[str, str]:
    """How AWS's own programs are told of it; nothing of ours names a key."""
    return {
        "AWS_ACCESS_KEY_ID": KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET,
        "AWS_ENDPOINT_URL_S3": server.url,
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_CONFIG_FILE": "/dev/null",
        "AWS_SHARED_CREDENTIALS_FILE": "/dev/null",
    }
