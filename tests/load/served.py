"""A running house under load: webhooks while it trains, and people who open tasks while it swaps.

The processes are those of tests/faults/kills; nobody is killed here.
"""

from __future__ import annotations

import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import Any

import httpx

from sync.receiver import SECRET_HEADER
from tests.faults.kills.held import House
from tests.faults.kills.people import CONFIG
from tests.faults.kills.running import PASSWORD, SECRET, wait
from tests.load.watched import Watched


@dataclass
class Told:
    """What clients were answered: seconds of each answer, how often each status, what was odd."""

    took: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    odd: list[str] = field(default_factory=list)
    unanswered: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def of(self, hundredths: int) -> float:
        """What so many of 100 answers do not exceed, in ms."""
        took = sorted(self.took)
        return round(1000 * took[max(0, len(took) * hundredths // 100 - 1)], 1) if took else 0.0

    def times(self) -> dict[str, float]:
        return {"p50_ms": self.of(50), "p99_ms": self.of(99), "max_ms": self.of(100)}


CALLERS = 16  # who send webhooks
STAY_S = 2.0  # so long all open tasks of one project, then of the next
FIRST_S = 300.0  # until a first version serves
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
            told.unanswered += 1
        return
    with told.lock:
        told.took.append(time.monotonic() - due)
        told.statuses[answer.status_code] += 1
        if answer.status_code in (429, 503):
            if "Retry-After" not in answer.headers:
                told.odd.append(f"{answer.status_code} without Retry-After")
        elif answer.status_code != 200:
            told.odd.append(f"HTTP {answer.status_code}")


@contextmanager
def meanwhile(work: Callable[[], object], every_s: float) -> Iterator[list[str]]:
    """Does this over and over beside the block; the list says why it ended early, where it did."""
    over, died = threading.Event(), list[str]()

    def run() -> None:
        try:
            while not over.wait(every_s):
                work()
        except Exception as error:  # the thread's edge: the run fails by what is said
            died.append(f"{type(error).__name__}: {error}"[:200])

    busy = threading.Thread(target=run)
    busy.start()
    try:
        yield died
    finally:
        over.set()
        busy.join()


def webhooks(house: House, seconds: float, per_s: float) -> dict[str, Any]:
    """Nudges while a trainer is at work; `trained`: in which share of the looks one was."""
    running, told, looks = house.running, Told(), Counter[bool]()
    url = f"{running.settings.sync.url}/webhook"
    body = {"action": "ANNOTATION_CREATED", "project": {"id": int(running.project)}}

    def ask(http: httpx.Client) -> httpx.Response:
        return http.post(url, json=body, headers={SECRET_HEADER: SECRET})

    def keep_training() -> None:
        looks[running.trains()] += 1
        if not running.in_hand():
            house.people.change_their_minds()

    before = _counted(house)
    with Watched(running.services["sync"].popen.pid) as watched:
        with meanwhile(keep_training, 0.1) as died:
            press(ask, told, CALLERS, seconds, per_s)
    return {
        "seconds": seconds,
        "asked_per_s": per_s,
        "clients": CALLERS,
        "sent": sum(told.statuses.values()) + told.unanswered,
        "answered_200": told.statuses[200],
        "counted_by_sync": _counted(house) - before,
        **told.times(),
        "trained": round(looks[True] / max(1, looks.total()), 2),
        "died": died,
        **asdict(watched.seen()),
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
    """`clients` who open tasks without a pause, of one project after the other, of which not all
    fit into memory, while people change their minds and versions change; `mixed`: answers of two
    versions."""
    running, told, mixed, began = house.running, Told(), [0], time.monotonic()
    url = f"{running.settings.backend.url}/predict"
    tasks = [{"id": h.task, "data": {"text": h.text}} for h in house.people.held()[:4]]
    projects = [running.project, *_others(house)]

    def ask(http: httpx.Client) -> httpx.Response:
        project = projects[int((time.monotonic() - began) / STAY_S) % len(projects)]
        body = {"project": project, "label_config": CONFIG, "tasks": tasks}
        got = http.post(url, json=body, auth=("annotune", PASSWORD))
        if got.status_code == 200:
            versions = {p["model_version"] for p in got.json()["results"]}
            mixed[0] += len(versions) != 1
        return got

    def keep_swapping() -> None:
        if not running.in_hand():
            house.people.change_their_minds()

    moved, before = len(running.store.moves()), running.backend_health()
    with Watched(running.services["backend"].popen.pid) as watched:
        with meanwhile(keep_swapping, 0.5) as died:
            press(ask, told, clients, seconds)
    after = running.backend_health()
    return {
        "seconds": seconds,
        "clients": clients,
        "projects": len(projects),
        "answers": told.statuses[200],
        "refused_with_retry_after": told.statuses[429] + told.statuses[503],
        "mixed": mixed[0],
        "moves": len(running.store.moves()) - moved,
        "swaps": after["swaps"] - before["swaps"],
        "evictions": after["evictions"] - before["evictions"],
        **told.times(),
        "died": died,
        **asdict(watched.seen()),
        "odd": sorted(set(told.odd)),
    }


def _others(house: House) -> list[str]:
    """Two more projects with the version that serves this one, once one does."""
    store, made = house.running.store, ["1001", "1002"]
    wait(lambda: store.current().version, FIRST_S, "no version serves")
    for name in made:
        shutil.copytree(store.folder, store.folder.parent / name)
    return made
