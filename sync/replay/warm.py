"""One process that has imported what models need, and forks for each step of a replay: every step
has a process of its own still, and none pays the imports again (six to ten seconds of a core each,
more than some trainings).

`python -m sync.replay.warm SOCKET PROGRAM ... -- MODULE ...` is the process; `Warm` starts it when
it is first needed and takes the place of `children.cold`. On Linux without a GPU; elsewhere all
steps are cold: CUDA does not outlive a fork, and some imports wake it.
"""

from __future__ import annotations

import importlib
import json
import logging
import os
import signal
import socket
import subprocess  # nosec B404  # lists, no shell
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, TracebackType
from typing import IO, Any

from sync.children import cold
from sync.processes import die_with_parent

logger = logging.getLogger(__name__)

MOST = 1_000_000  # bytes of a message; it holds the environment
PROGRAMS = ("lora.train", "lora.say", "sync.expand")
MODULES = ("transformers.models.auto", "peft", "sklearn.linear_model", "scipy.optimize")
READY_S = 300.0


class Gone(Exception):
    """The warm process has ended, or says nothing."""


def any_gpu() -> bool:
    """Whether a driver of NVIDIA's or AMD's has left its device."""
    return any(Path(name).exists() for name in ("/dev/nvidiactl", "/dev/kfd"))


@dataclass
class Warm:
    """Runs `programs` in forks of one process that also knows `modules`; others as `cold` does."""

    programs: Sequence[str] = PROGRAMS
    modules: Sequence[str] = MODULES
    _process: subprocess.Popen[bytes] | None = None
    _line: socket.socket | None = None
    _off: bool = field(default_factory=lambda: sys.platform != "linux" or any_gpu())

    def __enter__(self) -> Warm:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        self.close()

    def __call__(
        self, argv: Sequence[str], env: Mapping[str, str], sink: IO[bytes], timeout_s: float
    ) -> int | None:
        """The exit code; None where it was killed because it took too long. As `cold`."""
        known = list(argv[:2]) == [sys.executable, "-m"] and argv[2] in self.programs
        if self._off or not known:
            return cold(argv, env, sink, timeout_s)
        over = False
        try:
            code = self._run(argv[2], argv[3:], env, sink, timeout_s)
            over = True
            return code
        except (Gone, TimeoutError) as gone:
            why = str(gone) if isinstance(gone, Gone) else "the warm process says nothing"
            logger.warning("%s; the steps pay their imports again", why)
            self._off = True
            self.close()
            return cold(argv, env, sink, timeout_s)
        finally:
            if not over:  # interrupted, say: what was begun ends with the process it came from
                self.close()

    def close(self) -> None:
        """End the process, and with it whatever it has forked."""
        if self._line is not None:
            self._line.close()
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        self._line = self._process = None

    def _run(
        self,
        program: str,
        args: Sequence[str],
        env: Mapping[str, str],
        sink: IO[bytes],
        timeout_s: float,
    ) -> int | None:
        line = self._line or self._begin(env)
        told = {"program": program, "args": list(args), "env": dict(env)}
        try:
            socket.send_fds(line, [json.dumps(told).encode()], [sink.fileno()])
        except OSError as error:
            raise Gone(f"the warm process is gone ({error.strerror})") from error
        ends = time.monotonic() + timeout_s
        pid = int(self._hear(line, timeout_s)["pid"])
        try:
            return int(self._hear(line, max(0.0, ends - time.monotonic()))["code"])
        except TimeoutError:
            with suppress(ProcessLookupError):  # it ended just now
                os.kill(pid, signal.SIGKILL)
            try:
                self._hear(line, READY_S)
            except (Gone, TimeoutError):
                self.close()  # the next step begins another
            return None

    def _begin(self, env: Mapping[str, str]) -> socket.socket:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        argv = [sys.executable, "-m", "sync.replay.warm", str(theirs.fileno()), *self.programs]
        with theirs:
            self._process = subprocess.Popen(  # nosec B603  # a list of our own words
                [*argv, "--", *self.modules],
                env=env,
                stdin=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                preexec_fn=die_with_parent,
            )
        self._line = ours
        self._hear(ours, READY_S)
        return ours

    @staticmethod
    def _hear(line: socket.socket, patience_s: float) -> dict[str, Any]:
        """Raises TimeoutError, and Gone."""
        line.settimeout(max(patience_s, 0.001))
        try:
            heard = line.recv(MOST)
        except ConnectionError as error:
            raise Gone(f"the warm process is gone ({error.strerror})") from error
        if not heard:
            raise Gone("the warm process has ended")
        found: dict[str, Any] = json.loads(heard)
        return found


def main(argv: Sequence[str]) -> int:
    """Run what comes until the other end is closed."""
    number, *names = argv
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is for who started us
    split = names.index("--")
    for name in names[split + 1 :]:
        importlib.import_module(name)
    programs = {name: importlib.import_module(name) for name in names[:split]}
    with socket.socket(fileno=int(number)) as line:
        _say(line, {"ready": sorted(programs)})
        while True:
            heard, sinks, _, _ = socket.recv_fds(line, MOST, 1)
            if not heard:
                return 0
            told = json.loads(heard)
            pid = os.fork()
            if pid == 0:
                line.close()
                _fork(programs[told["program"]], told["args"], told["env"], sinks[0])
            for sink in sinks:
                os.close(sink)
            _say(line, {"pid": pid})
            _, status = os.waitpid(pid, 0)
            _say(line, {"code": os.waitstatus_to_exitcode(status)})


def _fork(program: ModuleType, args: list[str], env: dict[str, str], sink: int) -> None:
    """As `python -m PROGRAM ARGS` would, writing to `sink`; never returns."""
    code = 1
    try:
        die_with_parent()
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.dup2(sink, 1)
        os.dup2(sink, 2)
        os.environ.clear()
        os.environ.update(env)
        sys.argv = [str(program.__file__), *args]
        code = int(program.main())
    except SystemExit as ended:
        code = ended.code if isinstance(ended.code, int) else 1
    except Exception:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _say(line: socket.socket, what: dict[str, Any]) -> None:
    line.send(json.dumps(what).encode())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
