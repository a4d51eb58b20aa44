"""A running house under load: webhooks while it trains, and people who open tasks while it swaps.

The processes are those of tests/faults/kills; nobody is killed here.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import psutil

from sync.receiver import SECRET_HEADER
from tests.faults.kills.held import House
from tests.faults.kills.people import CONFIG
from tests.faults.kills.running import PASSWORD, SECRET


@dataclass
class Told:
    """What clients were answered: seconds of each answer, how often each status, what was odd."""

    took: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    odd: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, hundredths: int) -> float:
        """What so many of 100 answers do not exceed, in ms."""
        took = sorted(self.took)
        return round(1000 * took[max(0, len(took) * hundredths // 100 - 1)], 1) if took else 0.0


Ask = Callable[[httpx.Client], httpx.Response]


def press(ask: Ask, told: Told, clients: int, seconds: float, per_s: float = 0.0) -> None:
    """So many clients at once, each as soon as it is answered, or `per_s` requests a second in all.

    A request is measured from when it was due: one that waits for its client is late, too.
    """
    began = time.monotonic()

    def client(number: int) -> None:
        with httpx.Client(timeout=60, trust_env=False) as http:
            n = 0
            while True:
                due = began + (n * clients + number) / per_s if per_s else time.monotonic()
                if due - began >= seconds or time.monotonic() - began >= seconds + 60:
                    return
                time.sleep(max(0.0, due - time.monotonic()))
                n += 1
                _one(ask, http, told, due)

    threads = [threading.Thread(target=client, args=(n,)) for n in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _one(ask: Ask, http: httpx.Client, told: Told, due: float) -> None:
    try:
        answer = ask(http)
    except httpx.HTTPError as error:
        with told.lock:
            told.odd.append(f"no answer: {type(error).__name__}")
        return
    with told.lock:
        told.took.append(time.monotonic() - due)
        told.statuses[answer.status_code] += 1
        if answer.status_code in (429, 503):
            if "Retry-After" not in answer.headers:
                told.odd.append(f"{answer.status_code} without Retry-After")
        elif answer.status_code != 200:
            told.odd.append(f"HTTP {answer.status_code}")


def webhooks(house: House, seconds: float, per_s: float) -> dict[str, Any]:
    """Nudges while a trainer is at work; `trained_s`: how much of the time one was."""
    running, told, trained = house.running, Told(), [0]
    url = f"{running.settings.sync.url}/webhook"
    body = {"action": "ANNOTATION_CREATED", "project": {"id": int(running.project)}}
    over = threading.Event()

    def keep_training() -> None:
        while not over.wait(0.1):
            trained[0] += running.trains()
            if not running.in_hand():
                house.people.change_their_minds()

    before, busy = _counted(house), threading.Thread(target=keep_training)
    busy.start()
    press(
        lambda http: http.post(url, json=body, headers={SECRET_HEADER: SECRET}),
        told,
        16,
        seconds,
        per_s,
    )
    over.set()
    busy.join()
    sent = sum(told.statuses.values()) + len(told.odd)
    return {
        "seconds": seconds,
        "asked_per_s": per_s,
        "sent": sent,
        "answered_200": told.statuses[200],
        "counted_by_sync": _counted(house) - before,
        "p50_ms": told.of(50),
        "p99_ms": told.of(99),
        "max_ms": told.of(100),
        "trained_s": round(trained[0] * 0.1, 1),
        "odd": sorted(set(told.odd)),
    }


def _counted(house: House) -> int:
    """Webhooks that sync itself says it has answered."""
    headers = {SECRET_HEADER: SECRET}
    url = f"{house.running.settings.sync.url}/metrics"
    text = httpx.get(url, headers=headers, timeout=60, trust_env=False).text
    rows = [r for r in text.splitlines() if 'route="webhook"' in r and "_count" in r.split("{")[0]]
    return int(sum(float(row.rsplit(" ", 1)[1]) for row in rows))


def predictions(house: House, seconds: float, clients: int) -> dict[str, Any]:
    """`clients` who open tasks without a pause, while people change their minds and versions
    change; `mixed`: answers of two versions."""
    running, told, mixed = house.running, Told(), [0]
    backend = running.settings.backend
    tasks = [{"id": h.task, "data": {"text": h.text}} for h in house.people.held()[:4]]
    body = {"project": running.project, "label_config": CONFIG, "tasks": tasks}
    process = psutil.Process(running.services["backend"].popen.pid)
    before, handles, moved = (
        process.memory_info().rss,
        process.num_fds(),
        len(running.store.moves()),
    )
    over = threading.Event()

    def ask(http: httpx.Client) -> httpx.Response:
        got = http.post(f"{backend.url}/predict", json=body, auth=("annotune", PASSWORD))
        if got.status_code == 200:
            versions = {p["model_version"] for p in got.json()["results"]}
            mixed[0] += len(versions) != 1
        return got

    def keep_swapping() -> None:
        while not over.wait(0.5):
            if not running.in_hand():
                house.people.change_their_minds()

    busy = threading.Thread(target=keep_swapping)
    busy.start()
    press(ask, told, clients, seconds)
    over.set()
    busy.join()
    return {
        "seconds": seconds,
        "clients": clients,
        "answers": told.statuses[200],
        "refused_with_retry_after": told.statuses[429] + told.statuses[503],
        "mixed": mixed[0],
        "swaps": len(running.store.moves()) - moved,
        "p50_ms": told.of(50),
        "p99_ms": told.of(99),
        "grew_mb": round((process.memory_info().rss - before) / 1e6, 1),
        "more_handles": process.num_fds() - handles,
        "odd": sorted(set(told.odd)),
    }
