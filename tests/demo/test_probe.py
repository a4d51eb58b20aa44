"""The probe keeps asking, counts what fails, and notices when a version first answers."""

import threading
import time
from contextlib import nullcontext
from typing import Any

from demo.predictor import Answer, PredictFailed
from demo.probe import EACH, LONG, Probe


class BackendThatSays:
    """Answers with `version`, or fails where it is None."""

    def __init__(self, version: str | None) -> None:
        self.version = version
        self.asked: list[list[str]] = []

    def client(self, timeout_s: float) -> Any:
        return nullcontext()

    def predict(self, http: Any, texts: list[str], first_id: int) -> list[Answer]:
        self.asked.append(texts)
        if self.version is None:
            raise PredictFailed("503 from the test")
        return [Answer(self.version, 0.5, []) for _ in texts]


def probe(backend: BackendThatSays) -> Probe:
    return Probe(backend, ["a", "b", "c", "d"], rate=200.0)  # type: ignore[arg-type]


def test_every_text_gets_its_turn_and_every_reply_is_kept() -> None:
    backend = BackendThatSays("v1-00000000")
    with probe(backend) as running:
        running.wait_for("never", 0.1)
    tally = running.tally
    assert {text for texts in backend.asked for text in texts} == {"a", "b", "c", "d"}
    assert tally.requests == len(tally.replies) == len(backend.asked) > 4
    assert all(len(reply.texts) == len(reply.answers) for reply in tally.replies)
    assert {len(reply.texts) for reply in tally.replies} == {EACH, LONG}
    assert tally.failed == 0


def test_a_failed_request_is_counted_with_its_reason() -> None:
    with probe(BackendThatSays(None)) as running:
        running.wait_for("never", 0.05)
    assert running.tally.failed == running.tally.requests > 0
    assert set(running.tally.failures) == {"503 from the test"}


def test_it_tells_when_a_version_first_answers() -> None:
    backend = BackendThatSays("v1-00000000")
    with probe(backend) as running:
        assert running.wait_for("v1-00000000", 5.0)
        before = time.monotonic()
        threading.Timer(0.05, setattr, (backend, "version", "v2-00000000")).start()
        seen = running.wait_for("v2-00000000", 5.0)
        assert seen is not None and seen >= before
        assert running.wait_for("v3-00000000", 0.02) is None
