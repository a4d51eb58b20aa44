"""A real Label Studio on this machine: SQLite, loopback, no call to the outside.

It lives in its own virtual environment, because its pins must not rule ours. The switches below
were found by running 1.23.2; docs name each of them.
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import httpx

from sync.start.api import personal_token
from sync.start.process import (
    LOOPBACK,
    Process,
    StartFailed,
    free_port,
    start,
    wait_until,
    write_private,
)

EMAIL = "demo@annotune.local"
FIRST_START_S = 1800.0  # migrations take about 45 s on two idle cores, many minutes beside a build
LOCK_S = 300  # a task opened and left is given to others after this; old predictions live as long
INSTALLED = Path(__file__).parents[2] / ".venv-ls/bin/label-studio"


@dataclass(frozen=True)
class Account:
    """What is needed to reach one Label Studio and sign in; kept in a file only we can read."""

    port: int
    email: str
    password: str
    legacy_token: str
    token: str = ""

    @property
    def url(self) -> str:
        return f"http://{LOOPBACK}:{self.port}"


@dataclass(frozen=True)
class Studio:
    """A running Label Studio and how to sign in."""

    process: Process
    account: Account

    @property
    def url(self) -> str:
        return self.account.url

    @property
    def token(self) -> str:
        return self.account.token


def start_studio(
    folder: Path,
    environ: Mapping[str, str],
    lock_s: int = LOCK_S,
    patience_s: float = FIRST_START_S,
) -> Studio:
    """Start Label Studio with its data in `folder` and return once it answers.

    The first start on a folder creates the database, the user and a token; later ones are quick.
    Raises StartFailed.
    """
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    account = _account(folder / "account.json")
    command = [find_label_studio(environ), "start", "--no-browser", "--log-level", "WARNING"]
    command += ["--port", str(account.port), "--internal-host", LOOPBACK]
    env = studio_environment(environ, folder / "data", account, lock_s)
    process = start("label-studio", command, folder, env, cwd=folder)
    try:
        wait_until(process, lambda: _healthy(account.url), patience_s)
        if not account.token:
            token = personal_token(account.url, account.email, account.password)
            account = replace(account, token=token)
            write_private(folder / "account.json", json.dumps(asdict(account)))
    except BaseException:
        process.stop()
        raise
    return Studio(process, account)


def find_label_studio(environ: Mapping[str, str]) -> str:
    """The label-studio program: DEMO_STUDIO, else the one `make` installed."""
    for path in (environ.get("DEMO_STUDIO", ""), str(INSTALLED)):
        if path and Path(path).is_file():
            return str(Path(path).resolve())
    if found := shutil.which("label-studio"):
        return found
    raise StartFailed("Label Studio is not installed; run `make .venv-ls` or set DEMO_STUDIO")


def studio_environment(
    environ: Mapping[str, str], data: Path, account: Account, lock_s: int
) -> dict[str, str]:
    """The environment Label Studio runs in: what the machine needs, and our switches.

    The two that let it call addresses of this machine are needed because backend and sync listen
    on loopback here; a deployment with real host names leaves them at their safe defaults.
    """
    data.mkdir(parents=True, exist_ok=True)
    foreign = ("ANNOTUNE_", "LABEL_STUDIO_", "HEARTEX_", "DJANGO_")
    env = {k: v for k, v in environ.items() if not k.startswith(foreign)}
    return env | {
        "LABEL_STUDIO_BASE_DATA_DIR": str(data),
        "LABEL_STUDIO_DJANGO_DB": "sqlite",
        "LABEL_STUDIO_HOST": account.url,
        "LABEL_STUDIO_USERNAME": account.email,
        "LABEL_STUDIO_PASSWORD": account.password,
        "LABEL_STUDIO_USER_TOKEN": account.legacy_token,
        "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",  # nosec B105  # a switch
        "LABEL_STUDIO_DISABLE_SIGNUP_WITHOUT_LINK": "true",
        "LABEL_STUDIO_TASK_LOCK_TTL": str(lock_s),
        "LABEL_STUDIO_ML_BLOCK_LOCAL_IP": "false",
        "LABEL_STUDIO_SSRF_PROTECTION_ENABLED": "false",
        "SENTRY_DSN": "",
        "FRONTEND_SENTRY_DSN": "",
        "COLLECT_ANALYTICS": "false",
        "LATEST_VERSION_CHECK": "false",
        "CONVERTER_DOWNLOAD_RESOURCES": "false",
        "FEATURE_FLAGS_OFFLINE": "true",
        "PYTHONWARNINGS": "ignore",
    }


def _account(path: Path) -> Account:
    """The account of this folder, made on the first start; a port that was taken is given up."""
    last: Account | None = None
    if path.exists():
        last = Account(**json.loads(path.read_text(encoding="utf-8")))
        account = replace(last, port=free_port(last.port))
    else:
        account = Account(free_port(), EMAIL, secrets.token_urlsafe(9), secrets.token_hex(20))
    if account != last:
        write_private(path, json.dumps(asdict(account)))
    return account


def _healthy(url: str) -> bool:
    try:
        return httpx.get(f"{url}/health", timeout=5.0, trust_env=False).is_success
    except httpx.HTTPError:
        return False
