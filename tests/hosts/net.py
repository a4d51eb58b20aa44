"""Hosts on one machine: a network namespace each, with a cable to one bridge. Linux, root, `ip`.

    bridge atn<pid>b, on the test's own side, 10.213.x.1
      +-- atn<pid>n0 === cable === eth0 of atn<pid>-redis, 10.213.x.2
      +-- ...

All names carry the pid of the test that made them: what one that was killed left is swept by the
next. A cable is pulled on the bridge's side, so that the host notices nothing but silence.
"""

from __future__ import annotations

import ctypes
import json
import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import psutil

PREFIX = "atn"
OURS = re.compile(rf"^{PREFIX}(\d+)(b$|-)")
CLONE_NEWNET = 0x40000000  # setns(2)
T = TypeVar("T")


class NoHosts(Exception):
    """This machine makes no network namespaces for us; the message says why."""


@dataclass(frozen=True)
class Host:
    """One host: its namespace, its address, and the bridge's end of its cable."""

    name: str
    space: str
    address: str
    cable: str

    def words(self, argv: Sequence[str]) -> list[str]:
        """The command that runs `argv` there; nothing forks, so its pid is the program's."""
        return ["nsenter", f"--net=/run/netns/{self.space}", *argv]

    def inside(self, ask: Callable[[], T]) -> T:
        """Call it in a thread that is there: its sockets, and those of threads that it starts, are
        the host's, whether its cable is plugged in or not."""

        def there() -> T:
            with Path(f"/run/netns/{self.space}").open() as space:
                if ctypes.CDLL(None, use_errno=True).setns(space.fileno(), CLONE_NEWNET):
                    raise OSError(ctypes.get_errno(), f"cannot go to {self.space}")
            return ask()

        with ThreadPoolExecutor(1) as thread:
            return thread.submit(there).result()


@dataclass
class Net:
    """Hosts, by name."""

    hosts: dict[str, Host] = field(default_factory=dict)

    def cut(self, name: str) -> None:
        """Pull a host's cable."""
        _ip("link", "set", self.hosts[name].cable, "down")

    def plug(self, name: str) -> None:
        """Plug it in again."""
        _ip("link", "set", self.hosts[name].cable, "up")


@contextmanager
def network(names: Sequence[str]) -> Iterator[Net]:
    """Hosts of these names, gone when the block ends. Raises NoHosts."""
    if not shutil.which("ip") or not shutil.which("nsenter"):
        raise NoHosts("there is no `ip` or no `nsenter` here: apt-get install iproute2 util-linux")
    if os.getuid() != 0:
        raise NoHosts("network namespaces are root's")
    sweep()
    own, made, subnet = f"{PREFIX}{os.getpid()}", Net(), _free_subnet()
    try:
        _ip("link", "add", f"{own}b", "type", "bridge")
        _ip("addr", "add", f"{subnet}.1/24", "dev", f"{own}b")
        _ip("link", "set", f"{own}b", "up")
        for n, name in enumerate(names):
            host = Host(name, f"{own}-{name}", f"{subnet}.{n + 2}", f"{own}n{n}")
            _ip("netns", "add", host.space)
            _ip(*f"link add {host.cable} type veth peer name eth0 netns {host.space}".split())
            _ip("link", "set", host.cable, "master", f"{own}b", "up")
            for words in (f"addr add {host.address}/24 dev eth0", "link set eth0 up"):
                _ip("-n", host.space, *words.split())
            _ip("-n", host.space, "link", "set", "lo", "up")
            made.hosts[name] = host
        yield made
    finally:
        _remove(os.getpid())


def sweep() -> list[int]:
    """Remove what tests left that were killed; returns their pids."""
    dead = sorted(pid for pid in _owners() if not psutil.pid_exists(pid))
    for pid in dead:
        _remove(pid)
    return dead


def _owners() -> set[int]:
    spaces = [str(one["name"]) for one in _seen("netns", "list")]
    bridges = [str(one["ifname"]) for one in _seen("link", "show", "type", "bridge")]
    return {int(found[1]) for found in map(OURS.match, spaces + bridges) if found}


def _remove(pid: int) -> None:
    """Namespaces with all that runs in them, and the bridge; cables go with their hosts."""
    for one in _seen("netns", "list"):
        if (found := OURS.match(str(one["name"]))) and int(found[1]) == pid:
            _end_all_in(str(one["name"]))
            _ip("netns", "del", str(one["name"]))
    for one in _seen("link", "show", "type", "bridge"):
        if one["ifname"] == f"{PREFIX}{pid}b":
            _ip("link", "del", one["ifname"])


def _end_all_in(space: str) -> None:
    """Nobody but a test that ended too early leaves anything there; but never ourselves, one of
    whose threads may be on its way out."""
    end = time.monotonic() + 20
    while others := {int(p) for p in _ip("netns", "pids", space).split()} - {os.getpid()}:
        for pid in others:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        assert time.monotonic() < end, f"{others} do not end, in {space}"
        time.sleep(0.05)


def _free_subnet() -> str:
    taken = {a["local"] for link in _seen("addr", "show") for a in link["addr_info"]}
    numbers = ((os.getpid() + n) % 256 for n in range(256))
    return next(s for s in (f"10.213.{n}" for n in numbers) if f"{s}.1" not in taken)


def _seen(*words: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(_ip("-j", *words) or "[]")
    return [one for one in found if one]


def _ip(*words: str) -> str:
    """Always on the test's own side, whichever host the calling thread is on. Raises NoHosts."""
    here = ["nsenter", f"--net=/proc/{os.getpid()}/ns/net", "ip", *words]
    done = subprocess.run(here, capture_output=True, text=True)
    if done.returncode:
        raise NoHosts(f"`ip {' '.join(words)}` here: {done.stderr.strip()}")
    return done.stdout
