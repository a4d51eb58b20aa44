"""The builds that are broken on purpose still break something: their code is where it was, and
each has tests that must catch it. `make faults-broken` runs these."""

from __future__ import annotations

import pytest

from tests.faults.broken import BUILDS, ROOT, Broken, turned


@pytest.mark.parametrize("build", BUILDS, ids=lambda build: build.name)
def test_a_broken_build_can_be_made(build: Broken) -> None:
    texts = {name: (ROOT / name).read_text(encoding="utf-8") for name, _, _ in build.changes}
    for name, right, wrong in build.changes:
        texts[name] = turned(texts[name], name, right, wrong)
    for name, text in texts.items():
        compile(text, name, "exec")
    assert build.tests and all((ROOT / t.split("::")[0]).is_file() for t in build.tests)
