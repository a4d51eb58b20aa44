"""A real PostgreSQL for tests: with a password, on loopback by default, gone with the session.

It refuses to run as root, so that it runs as `postgres` there, in a folder which that user owns.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psycopg

from sync.log import LogDown

USER, PASSWORD = "annotune", "p@ss/w:rd%"
QUOTED = "p%40ss%2Fw%3Ard%25"
FAST = {  # nothing of it is to outlive the machine, and it shares two cores with the tests
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "32MB",
    "max_connections": "40",
    "unix_socket_directories": "",
}


@dataclass
class Postgres:
    """One that runs, until it is killed; `start` brings it back with all that it held."""

    folder: Path
    port: int
    process: subprocess.Popen[bytes] | None = None
    made: list[str] = field(default_factory=list)
    host: str = "127.0.0.1"
    on: Callable[[list[str]], list[str]] = list

    def url(self, database: str = "postgres") -> str:
        return f"postgresql://{USER}:{QUOTED}@{self.host}:{self.port}/{database}"

    def database(self) -> str:
        """The address of a new, empty database: 300 files, so that most tests take `log`."""
        self.made.append(f"log{len(self.made)}")
        self.say("postgres", f"CREATE DATABASE {self.made[-1]}")
        return self.url(self.made[-1])

    def log(self) -> str:
        """The address of a new, empty schema, which is as good for a log."""
        self.made.append(f"log{len(self.made)}")
        self.say("postgres", f"CREATE SCHEMA {self.made[-1]}")
        return f"{self.url('postgres')}?options=-csearch_path%3D{self.made[-1]}"

    def say(self, database: str, words: str) -> list[tuple[object, ...]]:
        """What psql would."""
        where = {"host": self.host, "port": self.port, "user": USER, "password": PASSWORD}
        with psycopg.connect(dbname=database, autocommit=True, **where) as db:  # type: ignore[arg-type]
            said = db.execute(words)
            return list(said.fetchall()) if said.description else []

    def start(self) -> None:
        own = {**FAST, "listen_addresses": self.host}
        words = [_program("postgres"), "-D", str(self.folder / "data"), "-p", str(self.port)]
        words += [w for name, value in own.items() for w in ("-c", f"{name}={value}")]
        with (self.folder / "postgres.log").open("ab") as out:
            self.process = subprocess.Popen(
                self.on(_as_nobody(words)), stdout=out, stderr=out, cwd=self.folder
            )
        end = time.monotonic() + 60
        while True:
            assert self.process.poll() is None, self.last_words()
            try:
                self.say("postgres", "SELECT 1")
                return
            except psycopg.OperationalError as error:
                assert time.monotonic() < end, f"{error}\n{self.last_words()}"
                time.sleep(0.05)

    def kill(self) -> None:
        """At once and for all its processes, as a power cut does it."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)
            self.process.wait(30)

    def last_words(self) -> str:
        return (self.folder / "postgres.log").read_text(errors="replace")[-2000:]


@contextmanager
def run_postgres(
    host: str = "127.0.0.1", on: Callable[[list[str]], list[str]] = list
) -> Iterator[Postgres]:
    """A new one, in a folder of its own that goes with it. `on`: the command that runs another on
    the host with that address."""
    folder = Path(tempfile.mkdtemp(prefix="annotune-postgres-"))  # pytest's own admit only root
    try:
        (folder / "password").write_text(PASSWORD)
        if os.getuid() == 0:
            for path in (folder, folder / "password"):
                shutil.chown(path, "postgres", "postgres")
        words = [_program("initdb"), "-D", str(folder / "data"), "-U", USER, "--no-sync"]
        words += ["-A", "scram-sha-256", "--pwfile", str(folder / "password")]
        words += ["-E", "UTF8", "--locale=C"]
        done = subprocess.run(_as_nobody(words), capture_output=True, text=True, cwd=folder)
        assert done.returncode == 0, done.stderr
        with (folder / "data/pg_hba.conf").open("a") as rules:
            rules.write(f"host all all {host}/24 scram-sha-256\n")
        running = Postgres(folder, _free_port(), host=host, on=on)
        running.start()
        try:
            yield running
        finally:
            running.kill()
    finally:
        shutil.rmtree(folder)


def until(true: Callable[[], object], seconds: float = 60) -> None:
    """Wait until it is true; a log that does not answer is asked again."""
    end = time.monotonic() + seconds
    while not _asked(true):
        assert time.monotonic() < end, f"not within {seconds:.0f} s"
        time.sleep(0.05)


def _asked(true: Callable[[], object]) -> object:
    try:
        return true()
    except LogDown:
        return False


def _as_nobody(words: list[str]) -> list[str]:
    if os.getuid() != 0:
        return words
    as_it = ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]
    return [*as_it, "--pdeathsig=QUIT", *words]  # it ends with us, however we end


def _program(name: str) -> str:
    installed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=_release)
    found = str(installed[-1]) if installed else shutil.which(name)
    assert found, f"no {name}: the log is tested on a real PostgreSQL; apt-get install postgresql"
    return found


def _release(path: Path) -> int:
    return int(path.parts[-3])


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
