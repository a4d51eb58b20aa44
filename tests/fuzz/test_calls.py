"""Every recorded call of Label Studio, changed, to every route of the backend and of sync: an
answer in JSON, never a 5xx of ours, never slowly, never a prediction that could not be stored.

Case n alone: `mutate.draw("captures", n)`.
"""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from sync import receiver
from tests.fuzz.held import ask, check, storable
from tests.fuzz.mutate import draw, json_like, text, wire
from tests.fuzz.running import fuzz
from tests.fuzz.samples import recordings
from tests.ml_backend.fakes import CAPTURES, NO_CAPTURES

ROUTES = {"predict": "/predict", "setup": "/setup", "train": "/webhook", "webhook": "/webhook"}
SECRET = {receiver.SECRET_HEADER: "s3cret"}
HEADERS = [
    {},
    {},
    {"X-Annotune-Priority": "bulk"},
    {"X-Annotune-Vectors": "1"},
    {"Content-Type": "application/json; charset=utf-16"},
    {"Content-Type": "text/plain"},
    {"Content-Encoding": "gzip"},
]


@pytest.mark.skipif(not CAPTURES.is_dir(), reason=NO_CAPTURES)
def test_recorded_calls_changed(backend: FlaskClient) -> None:
    heard: list[str] = []
    app = receiver.create_app("s3cret", lambda p, _: not heard.append(p), lambda: {"status": "UP"})
    sync = app.test_client()
    bodies = list(recordings().items())
    assert len(bodies) > 20

    def case(number: int) -> str:
        rng = draw("captures", number)
        name, body = bodies[number % len(bodies)]
        raw = wire(rng, json_like(rng, body))
        own = ROUTES.get(name.removesuffix(".json").split("_")[0])
        if rng.random() < 0.4:
            own = rng.choice(sorted(set(ROUTES.values())))
        if own is not None and rng.random() < 0.7:
            return f"{own} {ask(backend, own, raw, rng.choice(HEADERS))}"
        heard.clear()
        answer = sync.post("/webhook", data=raw, headers=SECRET | rng.choice(HEADERS))
        check(answer)
        assert all(p.lstrip("-").isdecimal() for p in heard)
        odd = sync.get(f"/{text(rng)[:40]}".encode("utf-8", "replace").decode(), headers=SECRET)
        check(odd, {200, 404, 405, 308})
        return f"sync {answer.status_code}"

    said = fuzz("captures", 120, case).said
    assert {"/predict 200", "/setup 200", "/webhook 200", "sync 200"} <= set(said), (
        "some are changed so little that they are answered"
    )


def test_a_finding_would_be_seen() -> None:
    """The checks themselves: an app that breaks each promise does not pass."""
    app = receiver.create_app("s3cret", lambda *_: 1 / 0 > 0, lambda: {"status": "UP"})
    broken = app.test_client().post("/webhook", json={"project": {"id": 1}}, headers=SECRET)
    with pytest.raises(AssertionError):
        check(broken)
    odd = {"results": [{"result": [{"text": "\0"}], "score": 0.5, "model_version": "v"}]}
    with pytest.raises(AssertionError):
        storable({**odd, "model_version": "v"}, 1)
    with pytest.raises(UnicodeEncodeError):
        odd["results"][0]["result"] = ["\ud800"]
        storable({**odd, "model_version": "v"}, 1)
