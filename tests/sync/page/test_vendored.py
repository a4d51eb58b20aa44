"""The files of others are those whose version and hash are noted; ours load nothing else."""

from __future__ import annotations

import hashlib
import re
from pathlib import Path

import pytest

import sync.page

HERE = Path(sync.page.__file__).parent
VENDOR = HERE / "static" / "vendor"


def test_vendored_files_are_what_is_noted() -> None:
    noted = (VENDOR / "VENDORED.md").read_text(encoding="utf-8")
    found = dict(re.findall(r"\| `([^`]+)` \|.*\| `([0-9a-f]{64})` \|", noted))
    there = {p.name for p in VENDOR.iterdir() if p.suffix in {".js", ".css"}}
    assert set(found) == there and len(there) == 3
    for name, digest in found.items():
        assert hashlib.sha256((VENDOR / name).read_bytes()).hexdigest() == digest, name
    for licence in ("uPlot-LICENSE.txt", "idiomorph-LICENSE.txt"):
        assert (VENDOR / licence).stat().st_size > 300


def test_what_is_installed_has_all_the_files() -> None:
    toml = pytest.importorskip("tomllib").loads(Path("pyproject.toml").read_text())["tool"]
    listed = toml["setuptools"]["package-data"]["sync.page"]
    packed = {p for pattern in listed for p in HERE.glob(pattern) if p.is_file()}
    there = {p for d in ("templates", "static") for p in (HERE / d).rglob("*") if p.is_file()}
    assert packed == there and "sync.page" in toml["setuptools"]["packages"]


def test_nothing_is_loaded_from_elsewhere() -> None:
    ours = [*HERE.glob("templates/**/*.html"), *HERE.glob("static/*.*")]
    assert len(ours) > 20
    for path in ours:
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"https?://|//\w+\.\w+/", text), path.name
        assert "|safe" not in text and "innerHTML =" not in text, path.name
