"""Runs the Dockerfile step by step where no engine is: `make image-steps`, as root on Linux.

Each step runs in a chroot in a mount namespace of its own: this machine's /usr read only, a Python
of the version that FROM names in an empty environment, nothing of this checkout but what COPY
brings. So it shows that the commands work, that nothing is missing from COPY and that the image's
user can run what compose runs; it says nothing of the base image's own packages. However it ends,
by Ctrl-C or SIGTERM too, no process of a step and no folder stays behind.
"""

from __future__ import annotations

import fnmatch
import os
import re
import shlex
import shutil
import signal
import subprocess  # nosec B404  # lists, no shell of ours
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).parents[1]
SHARED = ("/usr", "/bin", "/sbin", "/lib", "/lib64", "/opt", "/dev", "/proc", sys.base_prefix)
ETC = (
    "passwd",
    "group",
    "shadow",
    "gshadow",
    "login.defs",
    "nsswitch.conf",
    "hosts",
    "resolv.conf",
)
ETC_TOO = (
    "ld.so.cache",
    "ssl",
    "ca-certificates.conf",
    "pip.conf",
    "default",
    "skel",
    "alternatives",
)
PYTHON = "/image-python"
UNSHARE = ("/usr/bin/unshare", "--mount", "--pid", "--fork", "--kill-child")
ENDS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
CHECKS = (
    "annotune --version",
    "python -c 'import ml_backend.serve, sync.service, sync.jobs, lora.train, lora.causal.train'",
    "annotune check /tmp/config.xml",
    "annotune templates > /data/written && test ! -w /app && test ! -w / && test -w /backups",
)
CONFIG = """<View><Text name="t" value="$t"/>
<Choices name="c" toName="t"><Choice value="a"/><Choice value="b"/></Choices></View>"""


class WrongStep(Exception):
    """A step that this program does not know, or that failed; the message names it."""


@dataclass(frozen=True)
class Step:
    """One instruction of a Dockerfile, on one line."""

    line: int
    word: str
    rest: str


def steps(text: str) -> Iterator[Step]:
    """The instructions, in order. Raises WrongStep on a word that is none of ours."""
    joined, first = "", 0
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        first = first or number
        if line.endswith("\\"):
            joined += line[:-1] + " "
            continue
        word, _, rest = (joined + line).partition(" ")
        if word not in {"FROM", "ARG", "ENV", "WORKDIR", "COPY", "RUN", "USER", "VOLUME"}:
            raise WrongStep(f"line {first}: {word} is no step that this program knows")
        yield Step(first, word, rest.strip())
        joined, first = "", 0


def ignored(name: str, patterns: Sequence[str]) -> bool:
    """Whether .dockerignore keeps a path, or a folder above it, out of the build."""
    parts = Path(name).parts
    above = ["/".join(parts[: n + 1]) for n in range(len(parts))]
    anywhere = [p.removeprefix("**/") for p in patterns if p.startswith("**/")]
    return any(fnmatch.fnmatch(a, p) for a in above for p in patterns) or any(
        fnmatch.fnmatch(part, p) for part in parts for p in anywhere
    )


@dataclass
class Image:
    """The chroot, and what the steps so far said of it."""

    root: Path
    context: Path
    env: dict[str, str] = field(default_factory=dict)
    folder: str = "/"
    user: str = "root"

    def do(self, step: Step) -> None:
        """Run one step. Raises WrongStep."""
        getattr(self, f"_{step.word.lower()}")(step)

    def _from(self, step: Step) -> None:
        named = re.fullmatch(r"python:(\d+\.\d+)-slim", step.rest)
        own = "{}.{}".format(*sys.version_info)
        if named is None or named[1] != own:
            raise WrongStep(f"line {step.line}: run this with the Python of {step.rest}, not {own}")
        for name in ("etc", "tmp", "root", "home", "var/tmp"):
            (self.root / name).mkdir(parents=True, exist_ok=True)
        (self.root / "tmp").chmod(0o1777)
        for name in (*ETC, *ETC_TOO):
            source, to = Path("/etc") / name, self.root / "etc" / name
            if source.is_dir():
                shutil.copytree(source, to, symlinks=True)
            elif source.exists():
                shutil.copy(source, to)
        pip = {k: v for k, v in os.environ.items() if k.startswith("PIP_") or k.endswith("_proxy")}
        self.env = {"PATH": f"{PYTHON}/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", **pip}
        self.run([f"{sys.base_prefix}/bin/python{own}", "-m", "venv", PYTHON], step)

    def _arg(self, step: Step) -> None:
        name, _, default = step.rest.partition("=")
        self.env.setdefault(name, os.environ.get(name, default.strip('"')))

    def _env(self, step: Step) -> None:
        self.env |= dict(pair.split("=", 1) for pair in shlex.split(step.rest))

    def _workdir(self, step: Step) -> None:
        self.folder = step.rest
        self._inside(".").mkdir(parents=True, exist_ok=True)

    def _copy(self, step: Step) -> None:
        *sources, to = step.rest.split()
        patterns = (self.context / ".dockerignore").read_text(encoding="utf-8").split()
        for source in sources:
            path = self.context / source
            if not path.exists() or ignored(source, patterns):
                raise WrongStep(f"line {step.line}: {source} is not in the build")
            if path.is_dir():
                skipped = shutil.ignore_patterns(*(p.removeprefix("**/") for p in patterns))
                shutil.copytree(path, self._inside(to), ignore=skipped, dirs_exist_ok=True)
            else:
                shutil.copy(path, self._inside(to))

    def _run(self, step: Step) -> None:
        self.run(["/bin/sh", "-c", step.rest], step)

    def _user(self, step: Step) -> None:
        self.user = step.rest
        self.env["HOME"] = f"/home/{step.rest}"

    def _volume(self, step: Step) -> None:
        for name in step.rest.split():
            if not (self.root / name.lstrip("/")).is_dir():
                raise WrongStep(f"line {step.line}: {name} is not there, so it would be root's")

    def _inside(self, name: str) -> Path:
        return self.root / self.folder.lstrip("/") / name

    def run(self, command: Sequence[str], step: Step) -> None:
        """One command in there, as the user and in the folder of now. Raises WrongStep."""
        binds = [p for p in dict.fromkeys(SHARED) if Path(p).exists()]
        script = ["set -e"]
        for path in binds:
            to = shlex.quote(f"{self.root}{path}")
            script.append(f"mkdir -p {to} && mount --rbind {shlex.quote(path)} {to}")
            if path not in {"/dev", "/proc"}:
                script.append(f"mount -o remount,bind,ro {to}")
        goes = f"cd {shlex.quote(self.folder)} && exec {shlex.join(command)}"
        who = f"--userspec={self.user}:{self.user}" if self.user != "root" else "--userspec=0:0"
        inner = ["/usr/sbin/chroot", who, str(self.root), "/bin/sh", "-c", goes]
        script.append(f"exec {shlex.join(inner)}")
        code = to_its_end([*UNSHARE, "sh", "-c", "\n".join(script)], self.env)
        if code:
            raise WrongStep(f"line {step.line}: {step.word} {step.rest} ended with {code}")


def to_its_end(command: Sequence[str], env: Mapping[str, str]) -> int:
    """The exit code of an UNSHARE command. Where waiting for it is cut off, all that it started is
    killed, and gone, before the exception goes on: nothing writes into the chroot any more."""
    done = subprocess.Popen(command, env=env)  # nosec B603  # the steps of our own Dockerfile
    try:
        return done.wait()
    except BaseException:
        while done.poll() is None:
            # the namespace's first process: the kernel ends all others before it reports its end
            told = Path(f"/proc/{done.pid}/task/{done.pid}/children").read_text(encoding="ascii")
            for pid in [int(word) for word in told.split()] or [done.pid]:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            with suppress(subprocess.TimeoutExpired):
                done.wait(0.1)
        raise


def main(context: Path = ROOT) -> None:
    """All steps, then what the image is for, as its own user."""
    if os.geteuid() or sys.platform != "linux":
        sys.exit("image-steps needs root on Linux, for a chroot")
    for number in ENDS:
        signal.signal(number, _end)
    root = Path(tempfile.mkdtemp(prefix="annotune-image-"))
    root.chmod(0o755)
    image = Image(root, context)
    try:
        for step in steps((context / "docker" / "Dockerfile").read_text(encoding="utf-8")):
            print(f"--- {step.word} {step.rest}", flush=True)
            image.do(step)
        (root / "tmp" / "config.xml").write_text(CONFIG, encoding="utf-8")
        for check in CHECKS:
            print(f"--- as {image.user}: {check}", flush=True)
            image.do(Step(0, "RUN", check))
        print("every step went well")
    except WrongStep as wrong:
        sys.exit(f"image-steps: {wrong}")
    finally:
        for number in ENDS:
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C shall not leave half of it
        if str(root) in Path("/proc/self/mounts").read_text(encoding="utf-8"):
            sys.exit(f"image-steps: something is mounted below {root}; remove it by hand")
        shutil.rmtree(root)


def _end(number: int, frame: object) -> None:
    sys.exit(f"image-steps: ended by {signal.Signals(number).name}; nothing is left of it")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:2]))
