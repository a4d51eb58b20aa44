"""What the docs tell people to type is typed: each command of ours, on a project with answers.

Some run for as long as one lets them, or ask neighbours that only a whole house has: where these
are run is named.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from sync import bootstrap
from sync.cli import main
from sync.connect import connect
from sync.loop import turn
from tests.sync.house import CONFIG, House
from tests.test_docs import ALL

ELSEWHERE = {
    "up": "tests/loop",
    "logs": "tests/sync/test_cli_ops.py",
    "init": "tests/sync/test_cli_ops.py",
    "doctor": "tests/sync/doctor",
    "replay": "tests/sync/replay",
}
NAMED = {"7": "1", "PROJECT": "1"}
COMMANDS = sorted({tuple(words[1:]) for _, words in ALL if words[0] == "annotune"})


def plain(words: tuple[str, ...]) -> list[str]:
    """Without an --env-file, and with a project that is there."""
    rest = words[2:] if words[0] == "--env-file" else words
    return [NAMED.get(word, word) for word in rest]


TYPED = [
    pytest.param(words, marks=pytest.mark.model if "augment" in words else (), id=" ".join(words))
    for words in COMMANDS
    if plain(words)[0] not in ELSEWHERE
]


@pytest.fixture
def typed(house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    connect(house.world, "1")
    house.answer(6)
    turn(house.world, "1")
    for name in ("ANNOTUNE_STUDIO_TOKEN", "ANNOTUNE_SYNC_SECRET"):
        monkeypatch.setenv(name, "x")
    monkeypatch.setenv("ANNOTUNE_HOME", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    monkeypatch.setattr(bootstrap, "build", lambda settings: house.world)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my-config.xml").write_text(CONFIG)
    yield lambda *words: CliRunner().invoke(main, words)
    shutil.rmtree(tmp_path.with_name(f"{tmp_path.name}-backups"), ignore_errors=True)


def test_most_of_them_are_typed_here() -> None:
    assert len(TYPED) > 10
    for name, where in ELSEWHERE.items():
        assert name in main.commands and (Path(__file__).parents[2] / where).exists(), name


@pytest.mark.parametrize("words", TYPED)
def test_it_does_what_it_is_asked(typed: Any, words: tuple[str, ...]) -> None:
    asked = plain(words)
    if "FILE" in asked:
        made = typed("backup", "--json")
        assert made.exit_code == 0, made.output
        (file,) = Path.cwd().with_name(f"{Path.cwd().name}-backups").glob("*.tar*")
        asked = [str(file) if word == "FILE" else word for word in asked] + ["--replace"]
    done = typed(*asked)
    assert done.exit_code == 0, f"{done.output}\n{done.exception!r}"
    assert done.output.strip()
