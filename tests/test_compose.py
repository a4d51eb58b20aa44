"""docker-compose.yml, read without a Docker engine."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from settings import load

COMPOSE: dict[str, Any] = yaml.safe_load(Path("docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: Mapping[str, Any] = COMPOSE["services"]
OURS = ("ml-backend", "sync", "worker")


def test_the_five_services_are_there_with_a_health_check_each() -> None:
    assert set(SERVICES) == {"label-studio", "redis", *OURS}
    assert all(s["healthcheck"]["test"][0] == "CMD" for s in SERVICES.values())


def test_every_annotune_variable_is_a_setting() -> None:
    for name in OURS:
        environment = {k: str(v) for k, v in SERVICES[name]["environment"].items()}
        assert "ANNOTUNE_STUDIO_TOKEN" in environment
        settings = load(environment)  # raises InvalidSetting on a name or value that is none
        assert settings.backend.url == f"http://ml-backend:{settings.backend.port}"
        assert settings.sync.url == f"http://sync:{settings.sync.port}"


def test_label_studio_and_sync_agree_on_how_long_a_task_may_stay_open() -> None:
    lock = SERVICES["label-studio"]["environment"]["LABEL_STUDIO_TASK_LOCK_TTL"]
    assert SERVICES["sync"]["environment"]["ANNOTUNE_STUDIO_LOCK_S"] == lock


def test_no_secret_is_written_down_and_none_has_a_default() -> None:
    for service in SERVICES.values():
        for name, value in service["environment"].items():
            if any(word in name for word in ("PASSWORD", "TOKEN", "SECRET", "AUTH")):
                assert name.endswith("API_TOKEN") or ":?set it in .env}" in value, name


def test_every_secret_it_asks_for_is_in_the_example() -> None:
    example = Path("docker/env.example").read_text(encoding="utf-8")
    named = {line.split("=")[0] for line in example.splitlines() if "=" in line and line[0] != "#"}
    text = Path("docker-compose.yml").read_text(encoding="utf-8")
    asked = {part.split(":?")[0] for part in text.split("${")[1:]}
    assert asked == named


def test_ports_are_published_on_loopback_only() -> None:
    ports = [p for s in SERVICES.values() for p in s.get("ports", ())]
    assert len(ports) == 3 and all(p.startswith("127.0.0.1:") for p in ports)


def test_nothing_runs_as_root() -> None:
    dockerfile = Path("docker/Dockerfile").read_text(encoding="utf-8")
    assert "\nUSER annotune\n" in dockerfile
    assert all(SERVICES[name]["user"].split(":")[0] != "0" for name in ("label-studio", "redis"))


def test_what_must_last_is_on_a_named_volume_shared_by_our_three() -> None:
    assert set(COMPOSE["volumes"]) == {"label-studio", "annotune"}
    assert all(SERVICES[name]["volumes"] == ["annotune:/data"] for name in OURS)
