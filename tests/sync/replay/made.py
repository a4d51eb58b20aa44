"""A small replay whose trainer and answerer are fakes: the more train rows, the more is right."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from label_config.snapshot_json import region_to_dict, snapshot_from_json
from label_config.values import Choice
from lora.store import ProjectStore
from settings import Settings, Train
from sync.replay import play
from sync.replay.rows import Rows, examples, write_config
from tests.sync.versioned import committed

LABELS = ("play", "buy", "paint")


def raw_rows(count: int) -> list[dict[str, Any]]:
    """Texts that are no near-duplicates of each other, each label as often."""
    return [{"text": f"please {_sentence(i)}", "label": LABELS[i % 3]} for i in range(count)]


def _sentence(number: int) -> str:
    words = hashlib.sha256(str(number).encode()).hexdigest()
    return " ".join(words[i : i + 6] for i in range(0, 60, 6))


def rows(count: int = 60, judge: int = 12) -> Rows:
    raw = raw_rows(count + judge)
    ask, others = examples(raw[:count], "train"), examples(raw[count:], "holdout")
    return Rows("made", write_config(raw), ask, others, {}, None, {})


def settings(home: Path) -> Settings:
    return Settings(home=home, train=Train(every=10, least=4, threads=1))


class Workers:
    """Fakes of the trainer and of the process that answers; `trained`, `asked`: what they did;
    `answered`: by version how many rows it was judged on, and how many it answered."""

    def __init__(self, promotes: bool = True) -> None:
        self.trained: list[int] = []
        self.asked: list[str] = []
        self.answered: list[tuple[str, int, int]] = []
        self.promotes = promotes
        self.fails = False

    def train(self, own: Settings, store: ProjectStore, digest: str) -> str:
        if self.fails:
            raise play.TrainingFailed("the trainer was killed")
        frozen = store.snapshot(digest)
        self.trained.append(len(frozen.train))
        made = committed(store, own.train.seed, digest, labels=len(frozen.train))
        if self.promotes:
            store.move_current(store.current().version, made, by="gate", why="better")
        verdict = {"version": made, "promoted": self.promotes, "reason": "because"}
        store.put_verdict(digest, verdict)
        return "because"

    def say(self, argv: Sequence[str], report: Path, log: Path, **_: Any) -> dict[str, Any]:
        given = dict(zip(argv[3::2], argv[4::2], strict=False))
        version = given.get("--version")
        store = play.Store(Path(given["--store"])).project(given["--project"])
        found = (m.labels for m in store.versions() if m.version == version)
        right = min(0.9, 0.3 + 0.02 * next(found, 0))
        frozen = snapshot_from_json(Path(given["--rows"]).read_text())
        self.asked.append(version or "cold")
        self.answered.append((version or "cold", len(frozen.holdout), len(frozen.train)))
        said = {
            e.id: {
                "regions": [region_to_dict(Choice("label", "text", ("play",)))],
                "score": (e.task * 7 % 10) / 10,
            }
            for e in frozen.train
        }
        controls = {"label": {"metric": "accuracy", "value": right, "n": len(frozen.holdout)}}
        told = {"scores": {"mean": right, "controls": controls}, "said": said}
        report.write_text(json.dumps(told))
        return told


def put_in(monkeypatch: pytest.MonkeyPatch, workers: Workers) -> Workers:
    monkeypatch.setattr(play, "train_here", workers.train)
    monkeypatch.setattr(play, "run_child", workers.say)
    return workers
