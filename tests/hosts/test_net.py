"""The hosts themselves: pulled cables, and what a killed test leaves."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.kills.running import ROOT, wait
from tests.hosts.net import Host, NoHosts, network, sweep

pytestmark = pytest.mark.real
KILLED = """
import os, signal, subprocess
from tests.hosts.net import network
with network(["a"]) as net:
    null = subprocess.DEVNULL
    subprocess.Popen(net.hosts["a"].words(["sleep", "300"]), stdout=null, stderr=null)
    print(os.getpid(), flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture(autouse=True)
def makes_hosts() -> None:
    try:
        with network(["probe"]):
            pass
    except NoHosts as why:
        pytest.skip(f"NO MULTI-HOST TEST ON THIS MACHINE: {why}")


def reaches(host: Host, other: socket.socket) -> bool:
    def reach() -> bool:
        try:
            with socket.create_connection(other.getsockname(), timeout=1.5):
                return True
        except OSError:
            return False

    return host.inside(reach)


def test_a_host_reaches_another_while_its_cable_is_in() -> None:
    with network(["a", "b"]) as net:
        a, b = net.hosts["a"], net.hosts["b"]
        with b.inside(lambda: socket.create_server((b.address, 0))) as listens:
            assert reaches(a, listens)
            net.cut("a")
            assert not reaches(a, listens) and reaches(b, listens)
            net.plug("a")
            wait(lambda: reaches(a, listens), 30, "it stayed cut off")
        with pytest.raises(OSError, match="annot assign"):
            socket.create_server((b.address, 0))


def test_what_a_killed_test_left_is_swept() -> None:
    """Its pid is in the names, and nobody has it any more."""
    done = subprocess.run([sys.executable, "-c", KILLED], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == -signal.SIGKILL, done.stderr
    pid = int(done.stdout)
    left = [Path(f"/run/netns/atn{pid}-a"), Path(f"/sys/class/net/atn{pid}b")]
    assert all(map(os.path.exists, left))
    assert pid in sweep()
    assert not any(map(os.path.exists, left))
