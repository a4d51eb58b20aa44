"""docker-compose.yml, read without an engine: as YAML, and by podman-compose for each profile."""

import ast
import ipaddress as ip
import os
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from itertools import combinations
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from settings import load

COMPOSE: dict[str, Any] = yaml.safe_load(Path("docker-compose.yml").read_text(encoding="utf-8"))
SERVICES: Mapping[str, Any] = COMPOSE["services"]
OURS = ("ml-backend", "sync", "worker", "worker-gpu")
ALWAYS = {"label-studio", "postgres", "redis", "ml-backend", "sync"}
PROFILES = {"cpu": {"worker"}, "gpu": {"worker-gpu"}, "metrics": {"prometheus", "grafana"}}
EXAMPLE = Path(".env.example")


def _filled(folder: Path, without: str = "") -> Path:
    """The example, filled in."""
    lines = EXAMPLE.read_text(encoding="utf-8").splitlines()
    lines = [line for line in lines if not line.startswith(("COMPOSE_PROFILES", without or "#"))]
    path = folder / "filled.env"
    path.write_text("\n".join(re.sub(r"=$", "=0123456789abcdef", line) for line in lines))
    return path


def _parsed(folder: Path, *profiles: str, without: str = "") -> subprocess.CompletedProcess[str]:
    """What podman-compose's own parser makes of the file; it asks for podman's version only."""
    podman = folder / "podman"
    podman.write_text('#!/bin/sh\n[ "$1" = --version ] && echo podman version 5.4.0\n')
    podman.chmod(0o755)
    chosen = [word for profile in profiles for word in ("--profile", profile)]
    words = ["-f", "docker-compose.yml", "--env-file", str(_filled(folder, without)), *chosen]
    command = [sys.executable, "-m", "podman_compose", *words, "config"]
    path = {**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"}
    return subprocess.run(command, capture_output=True, text=True, timeout=120, env=path)


@pytest.mark.parametrize("profiles", [("cpu",), ("gpu",), ("cpu", "metrics"), ("gpu", "metrics")])
def test_a_real_parser_takes_each_profile_and_nothing_waits_for_what_is_not_in_it(
    profiles: tuple[str, ...], tmp_path: Path
) -> None:
    done = _parsed(tmp_path, *profiles)
    assert done.returncode == 0, done.stderr
    found = yaml.safe_load(done.stdout)["services"]
    assert set(found) == ALWAYS.union(*(PROFILES[p] for p in profiles))
    assert {d for s in found.values() for d in s.get("depends_on", ())} <= set(found)
    assert "${" not in re.sub(r"\$\$\{?\w+", "", done.stdout), "a variable was not filled in"
    gpu = "gpu" in profiles
    (worker,) = (s for name, s in found.items() if name.startswith("worker"))
    reserved = worker.get("deploy", {}).get("resources", {}).get("reservations", {})
    wanted = [{"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}]
    assert reserved.get("devices", []) == (wanted if gpu else [])


@pytest.mark.parametrize("name", ["REDIS_PASSWORD", "POSTGRES_PASSWORD"])
def test_without_a_password_it_is_not_started(name: str, tmp_path: Path) -> None:
    done = _parsed(tmp_path, "cpu", without=name)
    assert done.returncode != 0 and "set it in .env" in done.stderr + done.stdout


def test_every_service_is_in_a_profile_or_always_there_with_a_health_check() -> None:
    assert set(SERVICES) == ALWAYS.union(*PROFILES.values())
    for name, service in SERVICES.items():
        assert service["healthcheck"]["test"][0] == "CMD"
        profiles = [p for p, members in PROFILES.items() if name in members]
        assert service.get("profiles", []) == profiles


def test_every_annotune_variable_is_a_setting() -> None:
    for name in OURS:
        environment = {k: str(v) for k, v in SERVICES[name]["environment"].items()}
        settings = load(environment)  # raises InvalidSetting on a name or value that is none
        assert settings.queue.url == load(_environment("worker")).queue.url
    backend, sync = load(_environment("ml-backend")), load(_environment("sync"))
    assert sync.backend.url == f"http://ml-backend:{backend.backend.port}"
    assert sync.sync.url == f"http://sync:{sync.sync.port}"
    assert sync.backend.password == backend.backend.password


def _environment(service: str) -> dict[str, str]:
    return {k: str(v) for k, v in SERVICES[service]["environment"].items()}


def test_each_service_has_only_the_secrets_it_works_with() -> None:
    for name, own in (
        ("worker", set()),
        ("worker-gpu", set()),
        ("ml-backend", {"BACKEND_PASSWORD"}),
        ("sync", {"BACKEND_PASSWORD", "STUDIO_TOKEN", "SYNC_SECRET", "PAGE_PASSWORD", "LOG_URL"}),
    ):
        text = " ".join(_environment(name).values())
        asked = {re.split(":[?-]", part)[0] for part in text.split("${")[1:]}
        assert asked == {*own, "REDIS_PASSWORD"}, name


def _studios_own() -> tuple[list[str], Callable[[str], bool]]:
    """Label Studio's list of ranges it calls never, and its check under the list of ours; both from
    the file that it runs."""
    found = sorted(
        Path(".venv-ls").glob("lib/python3*/site-packages/label_studio/core/utils/io.py")
    )
    if not found:
        pytest.skip("Label Studio is not installed; make .venv-ls")
    tree = ast.parse(found[0].read_text(encoding="utf-8"))
    check = next(n for n in tree.body if getattr(n, "name", "") == "validate_ip")
    listed = next(
        ast.literal_eval(n.value)
        for n in ast.walk(check)
        if isinstance(n, ast.Assign) and getattr(n.targets[0], "id", "") == "default_banned_subnets"
    )
    studio = _environment("label-studio")
    assert studio["LABEL_STUDIO_USE_DEFAULT_BANNED_SUBNETS"] == "false"
    ours = studio["LABEL_STUDIO_USER_ADDITIONAL_BANNED_SUBNETS"].split(",")  # as its settings do
    here: dict[str, Any] = {"ipaddress": ip, "SsrfBlockedUrlError": PermissionError}
    here["settings"] = SimpleNamespace(
        USE_DEFAULT_BANNED_SUBNETS=False, USER_ADDITIONAL_BANNED_SUBNETS=ours
    )
    exec(compile(ast.Module([check], []), str(found[0]), "exec"), here)

    def calls(address: str) -> bool:
        try:
            here["validate_ip"](address)
        except PermissionError:
            return False
        return True

    return listed, calls


def test_label_studio_may_call_its_own_network_and_nothing_else_that_is_private() -> None:
    """Its default list without one subnet, range by range: counted, and asked of its own check."""
    listed, calls = _studios_own()
    (subnet,) = [
        ip.ip_network(c["subnet"]) for c in COMPOSE["networks"]["default"]["ipam"]["config"]
    ]
    ours = _environment("label-studio")["LABEL_STUDIO_USER_ADDITIONAL_BANNED_SUBNETS"].split(",")
    wanted: list[Any] = []
    for network in map(ip.ip_network, listed):
        inside = network.version == 4 and subnet.subnet_of(network)  # type: ignore[arg-type]
        wanted += network.address_exclude(subnet) if inside else [network]  # type: ignore[arg-type]
    assert sorted(map(str, wanted)) == sorted(str(ip.ip_network(n)) for n in ours)
    assert len(ours) == len(listed) - 1 + (subnet.prefixlen - 8)
    inside = [str(a) for a in subnet]
    assert all(calls(a) for a in [*inside, "93.184.216.34", "2606:2800:220:1::1"])
    outside = [subnet[0] - 1, subnet[-1] + 1, *ip.ip_network("10.83.7.16/28")]
    private = ["169.254.169.254", "127.0.0.1", "172.17.0.1", "192.168.1.1", "::1", "fd00::1"]
    assert not any(calls(str(a)) for a in [*outside, *private, "0.0.0.0", "::ffff:10.83.7.2"])


def test_neither_of_the_two_blanket_switches_is_used() -> None:
    names = " ".join(_environment("label-studio"))
    assert "ML_BLOCK_LOCAL_IP" not in names and "SSRF_PROTECTION_ENABLED" not in names


def test_label_studio_does_not_reach_redis() -> None:
    nets = {name: set(SERVICES[name].get("networks", ["default"])) for name in SERVICES}
    for other in ("redis", "prometheus", "grafana", "worker", "worker-gpu"):
        assert nets["label-studio"].isdisjoint(nets[other])
    assert nets["postgres"] == {"database"} and not nets["postgres"] & nets["sync"]
    for name in OURS:
        assert nets[name] & nets["redis"]
    subnets = [
        ip.ip_network(c["subnet"])
        for n in COMPOSE["networks"].values()
        for c in n["ipam"]["config"]
    ]
    assert len(subnets) == 4
    assert not any(a.overlaps(b) for a, b in combinations(subnets, 2))


def test_ours_can_write_to_their_volume_and_nowhere_else() -> None:
    for name, service in SERVICES.items():
        assert service.get("read_only", False) is (name != "label-studio"), name
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
    for name in OURS:
        for setting in ("ANNOTUNE_HOME", "ANNOTUNE_CACHE", "HF_HOME"):
            assert _environment(name)[setting].startswith("/data")


def test_label_studio_and_sync_agree_on_how_long_a_task_may_stay_open() -> None:
    lock = SERVICES["label-studio"]["environment"]["LABEL_STUDIO_TASK_LOCK_TTL"]
    assert SERVICES["sync"]["environment"]["ANNOTUNE_STUDIO_LOCK_S"] == lock


def test_no_secret_is_written_down_and_none_has_a_default() -> None:
    for service in SERVICES.values():
        for name, value in service["environment"].items():
            if any(word in name for word in ("PASSWORD", "TOKEN", "SECRET", "AUTH")):
                assert name.endswith("API_TOKEN") or ":?set it in .env}" in value, name


def test_every_secret_it_asks_for_is_in_the_example() -> None:
    example = EXAMPLE.read_text(encoding="utf-8")
    named = {line.split("=")[0] for line in example.splitlines() if "=" in line and line[0] != "#"}
    text = Path("docker-compose.yml").read_text(encoding="utf-8")
    asked = {part.split(":?")[0] for part in text.split("${")[1:] if ":?" in part.split("}")[0]}
    allowed = set(re.findall(r"\$\{(\w+):-", text))
    assert all(f"{name}=" in example for name in allowed)
    assert asked == named - {"COMPOSE_PROFILES"}
    assert ".env" in Path(".gitignore").read_text(encoding="utf-8").split()


def test_ports_are_published_on_loopback_only() -> None:
    ports = [p for s in SERVICES.values() for p in s.get("ports", ())]
    assert len(ports) == 4 and all(p.startswith("127.0.0.1:") for p in ports)


def test_nothing_runs_as_root() -> None:
    dockerfile = Path("docker/Dockerfile").read_text(encoding="utf-8")
    assert "\nUSER annotune\n" in dockerfile
    theirs = [s for name, s in SERVICES.items() if name not in OURS]
    assert all(s["user"].split(":")[0] not in {"0", "root"} for s in theirs)
    assert all("user" not in SERVICES[name] for name in OURS), "the image says who"


def test_what_must_last_is_on_a_named_volume_shared_by_our_three() -> None:
    named = {v.split(":")[0] for s in SERVICES.values() for v in s.get("volumes", ())}
    mounted = {v for v in named if not v.startswith("./")}
    assert set(COMPOSE["volumes"]) == mounted
    assert all("annotune:/data" in SERVICES[name]["volumes"] for name in OURS)
    backups = load(_environment("sync")).backup.folder
    assert f"backups:{backups}" in SERVICES["sync"]["volumes"]
    owned = Path("docker/Dockerfile").read_text(encoding="utf-8")
    assert f"install -d -o annotune -g annotune /data {backups}\n" in owned
    assert all(Path(v).is_file() for v in named if v.startswith("./"))


def test_prometheus_scrapes_the_same_jobs_and_grafana_finds_it() -> None:
    def jobs(path: str) -> list[str]:
        said = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
        return [scrape["job_name"] for scrape in said["scrape_configs"]]

    def targets(name: str) -> str:
        port = load(_environment(name))
        return f"{name}:{port.backend.port if name == 'ml-backend' else port.sync.port}"

    own = "deploy/compose/prometheus.yml"
    assert jobs(own) == jobs("deploy/prometheus.yml")
    scrapes = yaml.safe_load(Path(own).read_text(encoding="utf-8"))["scrape_configs"]
    asked = [t for s in scrapes for c in s["static_configs"] for t in c["targets"]]
    assert asked == [targets("ml-backend"), targets("sync")]
    files = [
        scrapes[0]["basic_auth"]["password_file"],
        scrapes[1]["authorization"]["credentials_file"],
    ]
    (script,) = SERVICES["prometheus"]["command"]
    assert all(f"> {file}" in script for file in files)
    source = yaml.safe_load(Path("deploy/compose/grafana/datasource.yml").read_text())
    assert source["datasources"][0]["url"] == "http://prometheus:9090"


def test_every_module_at_the_root_is_copied_into_the_image() -> None:
    project = Path("pyproject.toml").read_text(encoding="utf-8")
    listed = project.split("py-modules = [")[1].split("]")[0]
    copied = Path("docker/Dockerfile").read_text(encoding="utf-8").split()
    modules = [f"{name.strip().strip(chr(34))}.py" for name in listed.split(",")]
    assert len(modules) > 4 and set(modules) <= set(copied)
