"""A world of sync for fast tests: every neighbour a fake but the log and the store."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

from jobs import QueueDown, QueueSeen, State, WorkerSeen
from lora.adapter import Recipe
from lora.store import Store
from settings import Backend, Blind, Settings, Sync, Train
from sync.backend_client import BackendClient
from sync.log import Log
from sync.loop import World
from tests.sync.fake_studio import FakeStudio
from tests.sync.stub_backend import StubBackend, stub_backend

CONFIG = (
    '<View><Text name="text" value="$text"/>'
    '<Choices name="intent" toName="text"><Choice value="A"/><Choice value="B"/></Choices></View>'
)
ANSWER = [
    {"from_name": "intent", "to_name": "text", "type": "choices", "value": {"choices": ["A"]}}
]
WORDS = "oak fig elm ash bay yew box sky sea sun fog dew ice hay rye".split()


@dataclass
class FakeJobs:
    """A queue that only remembers."""

    down: bool = False
    queued: list[tuple[str, ...]] = field(default_factory=list)
    states: dict[str, tuple[State, float]] = field(default_factory=dict)
    workers: tuple[WorkerSeen, ...] = (WorkerSeen("w1", "idle", 1.0),)

    def _check(self) -> None:
        if self.down:
            raise QueueDown("the queue's Redis does not answer")

    def enqueue(self, function: str, *args: str, job_id: str) -> str:
        self._check()
        self.queued.append((function, *args))
        self.states[job_id] = ("waiting", 0.0)
        return job_id

    def state(self, job_id: str) -> tuple[State, float]:
        self._check()
        return self.states.get(job_id, ("unknown", 0.0))

    def forget(self, job_id: str) -> None:
        self.states.pop(job_id, None)

    def depth(self) -> int:
        self._check()
        return len(self.queued)

    def look(self) -> QueueSeen:
        self._check()
        return QueueSeen("redis 7", datetime.now(timezone.utc), len(self.queued), 0, self.workers)

    def all_are(self, state: State, seconds: float = 0.0) -> None:
        self.states = {job: (state, seconds) for job in self.states}


@dataclass
class House:
    world: World
    studio: FakeStudio
    jobs: FakeJobs
    backend: StubBackend

    def answer(self, count: int) -> None:
        open_tasks = [t for t, s in self.studio.tasks.items() if not s.annotations]
        for task in open_tasks[:count]:
            self.studio.annotate(task, ANSWER)

    def wanted(self) -> str:
        wanted = self.world.log.wanted("1")
        assert wanted is not None
        return wanted.snapshot

    def judge(self, snapshot: str, promoted: bool = True) -> None:
        verdict = {"promoted": promoted, "reason": "because", "version": "v1-00000000"}
        self.world.store.project("1").put_verdict(snapshot, verdict)

    def trained(self, score: float) -> str:
        """A version that serves, with this holdout score."""
        store = self.world.store.project("1")
        folder = store.staging()
        (folder / "heads.json").write_text("{}")
        made = store.commit(
            folder,
            Recipe("minilm", "r", f"{1:064x}", {}, 0),
            schema="s",
            config=CONFIG,
            labels=6,
            parent=None,
            scores={"candidate": {"mean": score}},
        )
        store.move_current(None, made.version, by="gate", why="better")
        return made.version


@contextmanager
def open_house(tmp_path: Path, log_url: str = "") -> Iterator[House]:
    """Thirty tasks, none answered, nothing connected yet. `log_url`: empty: SQLite in the home."""
    studio, jobs = FakeStudio(CONFIG), FakeJobs()
    with stub_backend() as stub:
        settings = Settings(
            home=tmp_path,
            backend=Backend(url=stub.url, password="pw"),
            # tests of the tabs want them
            sync=Sync(secret="s3cret", attempts=2, tabs=False, log=log_url),
            blind=Blind(share=0.3),
            train=Train(every=6, least=4),
        )
        log = Log(settings.log_url)
        client = BackendClient(stub.url, "annotune", "pw")
        world = World(settings, Store(settings.store), log, studio, jobs, client)  # type: ignore[arg-type]
        for n in range(30):
            studio.add_task(f"{WORDS[n % 15]} {n * 7919:b} {WORDS[n * 4 % 15]} {n:x}")
        yield House(world, studio, jobs, stub)
    log.close()
