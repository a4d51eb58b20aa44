"""Each planted fault is found, by its name, with what would mend it, and hides no other."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from settings import Settings
from sync.doctor import backend, base, place
from sync.doctor.ask import Asker, NoAnswer
from sync.doctor.doctor import doctor
from sync.doctor.finding import Check, Finding, examine, in_time, ok
from tests.sync.doctor.faults import FAULTS, Fault
from tests.sync.doctor.neighbours import PERSONAL, SECRET, jwt
from tests.sync.doctor.ward import Ward, open_ward


@pytest.fixture
def ward(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ward]:
    with open_ward(tmp_path, monkeypatch) as made:
        yield made


def test_where_all_is_well_nothing_is_found_wrong(ward: Ward) -> None:
    found = ward.findings()
    assert [f for f in found if f.level != "ok"] == []
    assert len(found) > 25 and all(f.seen for f in found)
    assert ward.studio.made == []  # the probes made nothing


@pytest.mark.parametrize("fault", FAULTS, ids=[f.name for f in FAULTS])
def test_a_planted_fault_is_found(ward: Ward, fault: Fault) -> None:
    fault.plant(ward)
    found = ward.findings()
    hits = [f for f in found if (f.check, f.level) == (fault.check, fault.level)]
    hits = [f for f in hits if fault.words in f"{f.seen} {f.fix}"]
    assert hits, [f for f in found if f.level != "ok" or f.check == fault.check]
    assert all(f.fix for f in hits) or fault.level == "ok"
    assert not fault.pain or any(fault.pain in f.pains for f in hits)
    assert len({f.check for f in found}) > 12  # the others have their say all the same


def test_every_pain_that_the_reference_lists_has_a_finding(ward: Ward) -> None:
    assert {p for f in ward.findings() for p in f.pains} == set(range(1, 16))


def test_a_token_or_secret_is_in_no_finding(ward: Ward) -> None:
    ward.set("studio", token=jwt("refresh", n=2))
    ward.studio.hooks.clear()
    told = str(ward.findings())
    for secret in (SECRET, ward.settings.studio.token, "pw-of-twelve-signs"):
        assert secret not in told


def test_a_check_that_breaks_or_hangs_is_a_finding_and_hides_no_other() -> None:
    def breaks() -> Iterator[Finding]:
        yield ok("first", "seen before")
        raise KeyError("s3cret")

    def hangs() -> Iterator[Finding]:
        time.sleep(1.5)
        yield ok("hangs", "too late")

    began = time.monotonic()
    checks = [Check("breaks", breaks), Check("hangs", hangs, 0.2)]
    found = examine([*checks, Check("fine", lambda: [ok("fine", "well")])])
    assert time.monotonic() - began < 1.2
    said = [(f.check, f.level) for f in found]
    assert said == [
        ("first", "ok"),
        ("breaks", "problem"),
        ("hangs", "problem"),
        ("fine", "ok"),
    ]
    assert "KeyError" in found[1].seen and "s3cret" not in found[1].seen
    assert "0.2 s" in found[2].seen


def test_a_log_that_never_answers_costs_the_list_of_projects_alone() -> None:
    began = time.monotonic()
    assert in_time(lambda: [str(time.sleep(1.5))], 0.1) == []
    assert time.monotonic() - began < 1.2
    assert in_time(lambda: ["1", "2"]) == ["1", "2"]


def test_a_token_is_not_blamed_where_nobody_answers(ward: Ward) -> None:
    ward.set("studio", url="http://127.0.0.1:9")
    (told,) = [f for f in ward.findings() if f.check == "token"]
    assert (told.level, told.fix) == ("warning", "mend Label Studio first")


def test_a_token_that_is_not_taken_is_shown_once(ward: Ward) -> None:
    """Each check would else wait for the same refusal, one after the other."""
    asked = []
    ward.studio.refused["/api/token/refresh/"] = (503, None)
    asker = Asker(ward.studio.url, PERSONAL)
    real = asker.refresh
    asker.refresh = lambda: asked.append(1) or real()  # type: ignore[method-assign, func-returns-value]
    for _ in range(3):
        with pytest.raises(NoAnswer, match="HTTP 503"):
            asker("GET", "api/projects/1")
    assert len(asked) == 1


def test_the_data_folder_is_looked_at(ward: Ward, tmp_path: Path) -> None:
    secret = tmp_path / "token"
    secret.write_text("x")
    secret.chmod(0o644)
    ward.settings.home.chmod(0o755)
    environ = {"ANNOTUNE_STUDIO_TOKEN_FILE": str(secret)}
    found = {f.check: f for f in place.folder(ward.settings, environ)}
    assert found["data folder"].fix == f"chmod 700 {ward.settings.home}"
    assert found["secrets"].fix == f"chmod 600 {secret}"
    gone = replace(ward.settings, home=tmp_path / "a" / "b")
    assert {f.level for f in place.folder(gone, {})} == {"warning", "ok"}


def test_a_folder_that_is_not_ours_and_a_full_disk_are_problems(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    monkeypatch.setattr(place, "LITTLE", 10**18)
    found = [f for f in place.folder(ward.settings, {}) if f.level == "problem"]
    assert [f.check for f in found] == ["data folder", "disk", "cache"]
    assert "chown" in found[0].fix and "GB free" in found[1].seen


def test_packages_that_do_not_fit_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {"flask": ["werkzeug>=99", "not-there-1>=1", 'colorama; extra == "win"']}
    monkeypatch.setattr(place.metadata, "requires", lambda name: asked.get(name, []))
    (one,) = [f for f in place.packages() if f.check == "packages"]
    assert (one.level, 2 in one.pains) == ("problem", True)
    assert "werkzeug>=99" in one.seen and "not-there-1" in one.seen and "colorama" not in one.seen


TOLD = {"kind": "encoder", "revision": "a" * 64, "seconds": 1.0, "gpu": {"why": "no driver"}}


@pytest.mark.parametrize(
    ("device", "quantize", "told", "levels"),
    [
        ("auto", "", {"bitsandbytes": "error: OSError"}, ["ok", "ok", "ok"]),
        ("cuda", "nf4", {"bitsandbytes": "error: OSError"}, ["ok", "problem", "problem"]),
        ("cpu", "", {"gpu": {"name": "H200", "mb": 1, "cuda": "13"}}, ["ok", "warning", "ok"]),
        ("auto", "", {"error": "its SHA-256 is another"}, ["problem", "ok", "ok"]),
    ],
)
def test_gpu_and_bitsandbytes_are_problems_only_where_they_are_asked_for(
    ward: Ward, device: str, quantize: str, told: dict[str, object], levels: list[str]
) -> None:
    ward.set("train", device=device, quantize=quantize)
    assert [f.level for f in base.tell(ward.settings, {**TOLD, **told})] == levels


@pytest.mark.model
def test_the_base_is_loaded_in_a_process_of_its_own(tmp_path: Path) -> None:
    plain = Settings(home=tmp_path)
    good = list(base.base(plain, os.environ))
    assert [f.check for f in good] == ["base", "gpu", "bitsandbytes"]
    assert good[0].level == "ok" and "encoder" in good[0].seen
    bad = replace(plain, train=replace(plain.train, base="no-such-base"))
    (first, *_) = base.base(bad, os.environ)
    assert (first.level, "no-such-base" in first.seen) == ("problem", True)


@pytest.mark.parametrize(("seconds", "level"), [(0.1, "ok"), (0.7, "warning"), (1.2, "problem")])
def test_a_backend_too_slow_for_label_studio_is_told_before_it_gives_up(
    seconds: float, level: str
) -> None:
    found = backend.quick("backend time", "health", seconds)
    assert (found.level, found.pains) == (level, (3, 4))
    assert level != "problem" or "ML_TIMEOUT_HEALTH" in found.fix


def test_people_read_what_is_wrong_last_and_programs_read_all(ward: Ward) -> None:
    ward.jobs.down = True
    found = doctor(ward.settings, ward.jobs, {}, "1")  # type: ignore[arg-type]
    assert not found.healthy
    lines = found.lines()
    assert lines[-1].endswith("1 problem") and lines[-2].startswith("          fix: start Redis")
    told = found.to_dict()
    assert told["problem"] == 1 and len(told["findings"]) == len(found.findings)
