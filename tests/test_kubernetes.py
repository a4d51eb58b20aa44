"""deploy/kubernetes: every object against Kubernetes' schema, and what the schema cannot know."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml

from settings import load

FOLDER = Path("deploy/kubernetes")
KUSTOMIZATION: dict[str, Any] = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
SECRETS = {"studio-token", "backend-password", "sync-secret", "page-password", "redis-password"}


def objects() -> list[dict[str, Any]]:
    files = [FOLDER / name for name in KUSTOMIZATION["resources"]]
    return [o for path in files for o in yaml.safe_load_all(path.read_text(encoding="utf-8"))]


def named(kind: str) -> dict[str, dict[str, Any]]:
    return {o["metadata"]["name"]: o for o in objects() if o["kind"] == kind}


def pods() -> dict[str, dict[str, Any]]:
    return {name: o["spec"]["template"]["spec"] for name, o in named("Deployment").items()}


def containers() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, pod in pods().items():
        for container in pod["containers"]:
            yield name, container


def environment(name: str) -> dict[str, str]:
    """As the container sees it; a secret is its key, and $(NAME) is replaced."""
    (container,) = (c for n, c in containers() if n == name)
    found: dict[str, str] = {}
    for one in container["env"]:
        value = one.get("value") or f"a-{one['valueFrom']['secretKeyRef']['key']}"
        for known, said in found.items():
            value = value.replace(f"$({known})", said)
        found[one["name"]] = value
    return found


def test_every_file_is_in_the_kustomization() -> None:
    files = {path.name for path in FOLDER.glob("*.yaml")} - {"kustomization.yaml"}
    assert files == set(KUSTOMIZATION["resources"])


@pytest.mark.parametrize("made", objects(), ids=lambda o: f"{o['kind']}-{o['metadata']['name']}")
def test_kubernetes_own_schema_takes_it(made: Mapping[str, Any]) -> None:
    kubernetes_validate.validate(made, kubernetes_validate.latest_version(), strict=True)


def test_nothing_runs_as_root_writes_to_its_root_or_may_become_more() -> None:
    for name, pod in pods().items():
        own = pod["securityContext"]
        assert own["runAsNonRoot"] and own["runAsUser"] > 0, name
        assert own["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
        assert all(set(v) & {"persistentVolumeClaim", "emptyDir"} for v in pod["volumes"])
    for name, container in containers():
        wanted = {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert container["securityContext"] == wanted, name
        assert container["resources"]["requests"] and "memory" in container["resources"]["limits"]
    dockerfile = Path("docker/Dockerfile").read_text(encoding="utf-8")
    assert f"--uid {pods()['annotune-sync']['securityContext']['runAsUser']} " in dockerfile


def test_the_cluster_adds_no_variables_that_would_be_taken_for_settings() -> None:
    """For a service annotune-backend it would set ANNOTUNE_BACKEND_PORT=tcp://..."""
    assert all(pod["enableServiceLinks"] is False for pod in pods().values())


def test_every_annotune_variable_is_a_setting_and_they_fit_together() -> None:
    ours = ("annotune-backend", "annotune-sync", "annotune-worker")
    backend, sync, worker = (
        load({k: v for k, v in environment(n).items() if k.startswith("ANNOTUNE")}) for n in ours
    )
    services = named("Service")
    for url, port, name in (
        (sync.backend.url, backend.backend.port, "annotune-backend"),
        (sync.sync.url, sync.sync.port, "annotune-sync"),
    ):
        assert url == f"http://{name}:{port}"
        assert services[name]["spec"]["ports"][0]["port"] == port
    assert backend.queue.url == sync.queue.url == worker.queue.url
    assert worker.queue.url == "redis://:a-redis-password@annotune-redis:6379/0"
    assert backend.home == sync.home == worker.home
    assert backend.backend.password == sync.backend.password != ""
    (mounts,) = (c["volumeMounts"] for n, c in containers() if n == "annotune-sync")
    assert sync.backup.folder in {m["mountPath"] for m in mounts}


def test_secrets_are_named_never_written_and_each_has_only_those_it_needs() -> None:
    assert named("Secret") == {}
    for name, own in (
        ("annotune-redis", {"redis-password"}),
        ("annotune-worker", {"redis-password"}),
        ("annotune-backend", {"redis-password", "backend-password"}),
        ("annotune-sync", SECRETS),
    ):
        (container,) = (c for n, c in containers() if n == name)
        refs = [e["valueFrom"]["secretKeyRef"] for e in container["env"] if "valueFrom" in e]
        assert {r["key"] for r in refs} == own and {r["name"] for r in refs} == {"annotune"}
        for one in container["env"]:
            if any(word in one["name"] for word in ("PASSWORD", "TOKEN", "SECRET", "AUTH")):
                assert "valueFrom" in one, one["name"]
    told = (FOLDER / "kustomization.yaml").read_text(encoding="utf-8")
    assert all(f"--from-file={key}" in told for key in SECRETS)


def test_there_is_one_sync_which_ends_before_the_next_begins_and_several_backends() -> None:
    sync, backend = (named("Deployment")[f"annotune-{n}"]["spec"] for n in ("sync", "backend"))
    assert sync["replicas"] == 1 and sync["strategy"] == {"type": "Recreate"}
    assert backend["replicas"] > 1 and backend["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    homes = {
        v["persistentVolumeClaim"]["claimName"]
        for name, pod in pods().items()
        for v in pod["volumes"]
        if v["name"] == "home"
    }
    (home,) = homes
    claims = named("PersistentVolumeClaim")
    assert claims[home]["spec"]["accessModes"] == ["ReadWriteMany"]
    asked = {
        v["persistentVolumeClaim"]["claimName"]
        for pod in pods().values()
        for v in pod["volumes"]
        if "persistentVolumeClaim" in v
    }
    assert asked == set(claims)


def test_the_worker_gets_a_gpu_and_nobody_else_does() -> None:
    gpus = {
        name: c["resources"]["limits"].get("nvidia.com/gpu")
        for name, c in containers()
        if "nvidia.com/gpu" in c["resources"]["limits"]
    }
    assert gpus == {"annotune-worker": 1}


def test_what_serves_is_probed_and_every_port_name_is_there() -> None:
    """The worker is not: it listens nowhere, and a training outlives what a probe could ask."""
    for name, container in containers():
        ports = {p["name"] for p in container.get("ports", ())}
        probes = [v for k, v in container.items() if k.endswith("Probe")]
        assert ("livenessProbe" in container) == (name != "annotune-worker"), name
        for probe in probes:
            for kind in ("httpGet", "tcpSocket"):
                assert kind not in probe or probe[kind]["port"] in ports
            for line in probe.get("exec", {}).get("command", [])[2:]:
                compile(line, name, "exec")
    for name, service in named("Service").items():
        (container,) = (c for n, c in containers() if n == name)
        assert service["spec"]["ports"][0]["targetPort"] in {p["name"] for p in container["ports"]}


def test_selectors_find_the_pods_they_are_meant_for() -> None:
    labels = {
        n: o["spec"]["template"]["metadata"]["labels"] for n, o in named("Deployment").items()
    }
    for name, o in named("Deployment").items():
        assert o["spec"]["selector"]["matchLabels"].items() <= labels[name].items()
    for name, o in named("Service").items():
        found = [n for n, own in labels.items() if o["spec"]["selector"].items() <= own.items()]
        assert found == [name]


def test_redis_is_reached_by_ours_alone_and_everything_else_only_by_who_is_named() -> None:
    policies = named("NetworkPolicy")
    shut = policies["annotune-nobody"]["spec"]
    assert "ingress" not in shut and shut["policyTypes"] == ["Ingress"]
    parts = {o["metadata"]["labels"]["app.kubernetes.io/part-of"] for o in objects()}
    assert shut["podSelector"]["matchLabels"] == {"app.kubernetes.io/part-of": parts.pop()}
    (rule,) = policies["annotune-to-redis"]["spec"]["ingress"]
    froms = {f["podSelector"]["matchLabels"]["app.kubernetes.io/name"] for f in rule["from"]}
    assert froms == set(pods()) - {"annotune-redis"} and len(rule["from"]) == 3
    assert all(p["spec"].get("ingress") != [{}] for p in policies.values())
