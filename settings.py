"""Settings: frozen dataclasses, and `load`, the only reader of settings from the environment.

Each is named ANNOTUNE_<SECTION>_<FIELD>; a secret value may come from a file instead, say
ANNOTUNE_STUDIO_TOKEN_FILE=/run/secrets/token.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, get_type_hints
from urllib.parse import urlsplit

from settings_augment import Augment as Augment
from settings_augment import wrong_with
from settings_backup import Backup as Backup
from settings_backup import wrong_with_backups
from settings_guard import unguarded
from settings_log import Log as Log
from settings_page import Page as Page
from settings_store import S3 as S3
from settings_store import bucket_of, folder_of, wrong_with_store

PREFIX = "ANNOTUNE"
NOT_OURS = {f"ANNOTUNE_{n}" for n in ("CACHE", "SHARED", "SCREENSHOTS", "TEST_CACHE", "FUZZ")}
"""Read by make, the tests, and lora/bundled.py (where converted bases are kept)."""

YES, NO = {"1", "true", "yes", "on"}, {"", "0", "false", "no", "off"}
ENGINES = {"openai", "vllm", "llama.cpp", "llama-cpp-python"}
VARIANTS = {"lora", "rslora", "dora", "pissa", "lora+"}


class InvalidSetting(ValueError):
    """A variable holds what it cannot; the message names it and what would do."""


@dataclass(frozen=True)
class Studio:
    """Label Studio, as sync reaches it."""

    url: str = "http://127.0.0.1:8080"
    """Base URL of Label Studio."""
    token: str = field(default="", repr=False)
    """A personal access token (JWT) or a legacy token; both work."""
    timeout_s: float = 30.0
    """Longest wait for one answer."""
    lock_s: float = 86_400.0
    """Label Studio's TASK_LOCK_TTL: how long a task may stay open; old predictions stay as long."""
    page: int = 500
    """Tasks asked for at once."""


@dataclass(frozen=True)
class Queue:
    """The rq queue."""

    url: str = field(default="redis://127.0.0.1:6379/0", repr=False)
    """Redis URL; may hold a password, so it is never printed."""
    name: str = "annotune"
    """The queue's name."""
    timeout_s: int = 3600
    """Longest run of one training job."""
    open: bool = False
    """Use a Redis beyond this machine though it has no password; said at each start."""


@dataclass(frozen=True)
class Backend:
    """The ML backend that Label Studio asks for predictions."""

    host: str = "127.0.0.1"
    """Address to listen on."""
    port: int = 9090
    """Port to listen on."""
    url: str = "http://127.0.0.1:9090"
    """The backend as Label Studio and sync reach it."""
    user: str = "annotune"
    """Basic auth user."""
    password: str = field(default="", repr=False)
    """Basic auth password; beyond this machine 12 characters or more."""
    open: bool = False
    """Answer without a password; on a loopback address only, and said at each start."""
    threads: int = 32
    """Predictions that may wait for the model's one lane at once; a thread each, more get a 503."""
    max_body: int = 64_000_000
    """Largest request body in bytes."""
    max_text: int = 20_000
    """Code points of a text that are read; spans end there, offsets stay exact."""
    queue: int = 256
    """Batches that may wait for the lane before requests are refused with 503."""
    poll_s: float = 0.5
    """How often CURRENT and the blind list are looked at."""
    memory_mb: int = 2000
    """Memory for adapters ready to serve; beyond it the least recently used ones are let go."""
    gather_ms: float = 2.0
    """How long the lane waits for more small requests to answer in one batch."""
    serve: str = "auto"
    """merged (each adapter added into its own copy of the weights: as fast as the base), unmerged
    (adapters beside one copy), or auto: merged while the base is small."""
    dtype: str = "auto"
    """float32, bfloat16, or auto: bfloat16 where the processor multiplies it natively."""
    quantize: str = ""
    """nf4: causal bases are served with 4 bits a weight; empty: as they are."""
    answer_tokens: int = 256
    """Tokens of one answer that a causal base writes, at most."""
    answer_s: float = 30.0
    """Seconds of one such answer, at most; what is there by then counts."""
    urls: str = ""
    """Prefixes, separated by commas, that a task's text may be fetched from (valueType="url")."""
    engine_url: str = ""
    """An OpenAI-compatible server that answers for causal bases, without /v1; empty: our own."""
    engine_key: str = field(default="", repr=False)
    """Its API key, sent as a bearer token."""
    engine_kind: str = "openai"
    """vllm, llama.cpp, llama-cpp-python, or openai: nothing beyond that API."""
    engine_model: str = ""
    """What it calls the model that it was started with; empty: as it lists it."""
    engine_store: str = ""
    """HOME/store as that server sees it, to load adapters from; empty: where it is here."""


@dataclass(frozen=True)
class Sync:
    """The sync service."""

    host: str = "127.0.0.1"
    """Address of the webhook receiver."""
    port: int = 9091
    """Port of the webhook receiver."""
    url: str = "http://127.0.0.1:9091"
    """The receiver as Label Studio reaches it."""
    secret: str = field(default="", repr=False)
    """Shared secret that a webhook must carry in X-Annotune-Secret."""
    poll_s: float = 5.0
    """Time between two turns of a project where something happens; a webhook starts one at once."""
    quiet_s: float = 30.0
    """Of one where nothing does: the time doubles from turn to turn up to this."""
    sweep_s: float = 300.0
    """How often task ids are compared, so that deletions without a webhook are noticed."""
    log: str = field(default="", repr=False)
    """Where the log is: postgresql://USER:PASSWORD@HOST/DATABASE; empty: SQLite in the home."""
    batch: int = 50
    """Tasks per request when predictions are renewed."""
    attempts: int = 3
    """How often a training of one snapshot is tried before it is parked."""
    tabs: bool = True
    """Keep tabs of what to look at again in Label Studio's Data Manager (docs/people.md)."""


@dataclass(frozen=True)
class Blind:
    """The holdout: tasks answered without seeing a prediction."""

    share: float = 0.2
    """Share of task groups that is blind, drawn by hash."""
    first_in: int = 3
    """One task in this many served is blind, until `enough` blind labels exist..."""
    enough: int = 30
    """...this many..."""
    then_in: int = 6
    """...then one in this many."""


@dataclass(frozen=True)
class Train:
    """When and how an adapter is trained."""

    base: str = "minilm"
    """The base model: a bundled name, a local folder, or a hub id with its revision (id@commit)."""
    bases: str = ""
    """Bases, separated by commas, that a label config may ask for; `base` always may."""
    every: int = 25
    """New human answers that start a training."""
    least: int = 10
    """Fewest answers to train on."""
    age_s: float = 86_400.0
    """New answers older than this start a training though they are few."""
    seed: int = 0
    """Seed of the fit."""
    steps: int = 0
    """Optimiser steps; 0: by what there is to learn (lora/plan.py)."""
    rank: int = 16
    """LoRA rank."""
    threads: int = 1
    """CPU threads of the trainer (1 leaves a two-core box to the backend)."""
    device: str = "auto"
    """cpu, cuda, or auto."""
    pool: int = 1500
    """Unlabelled texts that go into a snapshot."""
    quantize: str = ""
    """nf4: a causal base is held in 4 bits while it is trained (QLoRA); empty: as it is."""
    teacher: str = "minilm"
    """An encoder that also learns, and reads the pool for a causal base's choices; empty: none."""
    variant: str = "lora"
    """lora, rslora, dora, pissa or lora+: how a causal base is adapted; each is stored as LoRA."""
    gradient_checkpointing: bool = False
    """Compute a causal base's blocks twice and keep little of them: less memory, a third slower."""
    checkpoint_s: float = 300.0
    """Seconds between two checkpoints of a causal training; a killed one goes on from the last."""
    folds: int = 0
    """More trainings; their answers to unseen rows calibrate and help judge (lora/outfold.py)."""
    gpus: int = 1
    """GPUs of one causal training; more than one share the base (accelerate launch, FSDP)."""


@dataclass(frozen=True)
class Gate:
    """When a candidate may serve."""

    least_blind: int = 10
    """Fewest blind labels to judge on."""
    target: float = 0.0
    """Holdout score at which training stops; 0: never."""
    plateau: int = 4
    """Rounds in a row that bring nothing, after which training rests; 0: it never does."""


@dataclass(frozen=True)
class Settings:
    """Everything, in sections."""

    home: Path = Path(".annotune")
    """Where the store and the log live."""
    place: str = ""
    """The store: a folder, or s3://bucket/prefix (docs/running.md); empty: HOME/store."""
    studio: Studio = field(default_factory=Studio)
    queue: Queue = field(default_factory=Queue)
    backend: Backend = field(default_factory=Backend)
    sync: Sync = field(default_factory=Sync)
    blind: Blind = field(default_factory=Blind)
    train: Train = field(default_factory=Train)
    augment: Augment = field(default_factory=Augment)
    gate: Gate = field(default_factory=Gate)
    page: Page = field(default_factory=Page)
    backup: Backup = field(default_factory=Backup)
    s3: S3 = field(default_factory=S3)
    log: Log = field(default_factory=Log)

    @property
    def store(self) -> Path:
        return folder_of(self.home, self.place, self.s3)

    @property
    def bucket(self) -> str:
        return bucket_of(self.place)

    @property
    def backups(self) -> Path:
        home = self.home.resolve()
        return Path(self.backup.folder or home.with_name(f"{home.name}-backups")).resolve()

    @property
    def log_url(self) -> str:
        return self.sync.log or f"sqlite:///{(self.home / 'log.db').resolve()}"


SECTIONS: dict[str, type] = {
    "studio": Studio,
    "queue": Queue,
    "backend": Backend,
    "sync": Sync,
    "blind": Blind,
    "train": Train,
    "augment": Augment,
    "gate": Gate,
    "page": Page,
    "backup": Backup,
    "s3": S3,
    "log": Log,
}


def load(environ: Mapping[str, str]) -> Settings:
    """Settings from a mapping such as os.environ.

    Raises InvalidSetting on a value of the wrong kind and on an ANNOTUNE_ name that is none.
    """
    known: dict[str, tuple[str, str, Any]] = {}
    for section, kind in SECTIONS.items():
        hints = get_type_hints(kind)
        for f in fields(kind):
            known[f"{PREFIX}_{section}_{f.name}".upper()] = (section, f.name, hints[f.name])
    home, place = f"{PREFIX}_HOME", f"{PREFIX}_STORE"
    values: dict[str, dict[str, Any]] = {section: {} for section in SECTIONS}
    for name, raw in environ.items():
        if not name.startswith(PREFIX + "_") or name in {home, place, *NOT_OURS}:
            continue
        if name.endswith("_FILE") and name[:-5] in known:
            name, raw = name[:-5], _read_secret(name, raw)
        if name not in known:
            raise InvalidSetting(f"{name} is not a setting; see settings.py for the names")
        section, key, kind = known[name]
        values[section][key] = _cast(name, raw, kind)
    built = {section: kind(**values[section]) for section, kind in SECTIONS.items()}
    settings = Settings(Path(environ.get(home) or ".annotune"), environ.get(place, ""), **built)
    _check(settings)
    return settings


def _read_secret(name: str, path: str) -> str:
    """What a file holds; `path` is not printed: some put the secret itself there."""
    try:
        return Path(path).read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is no text"
        raise InvalidSetting(f"the file that {name} names cannot be read: {why}") from None


def _cast(name: str, raw: str, kind: Any) -> Any:
    if kind is bool:
        if raw.lower() not in YES | NO:
            raise InvalidSetting(f"{name}={raw!r} must be 1 or 0")
        return raw.lower() in YES
    try:
        return kind(raw)
    except ValueError as error:
        raise InvalidSetting(f"{name}={raw!r} is not a {kind.__name__}") from error


def _check(s: Settings) -> None:
    if not 0.05 <= s.blind.share <= 0.5:
        raise InvalidSetting(f"ANNOTUNE_BLIND_SHARE={s.blind.share} must lie in [0.05, 0.5]")
    if s.blind.first_in < 2 or s.blind.then_in < 2:
        raise InvalidSetting(
            "ANNOTUNE_BLIND_FIRST_IN and _THEN_IN must be 2 or more: one task in N is blind"
        )
    if s.sync.poll_s <= 0 or s.sync.quiet_s <= 0:
        raise InvalidSetting("ANNOTUNE_SYNC_POLL_S and _QUIET_S must be above 0")
    if s.page.session_h <= 0:
        raise InvalidSetting("ANNOTUNE_PAGE_SESSION_H must be above 0")
    if s.backend.serve not in {"auto", "merged", "unmerged"}:
        raise InvalidSetting(
            f"ANNOTUNE_BACKEND_SERVE={s.backend.serve!r} must be auto, merged or unmerged"
        )
    if s.backend.dtype not in {"auto", "float32", "bfloat16"}:
        raise InvalidSetting(
            f"ANNOTUNE_BACKEND_DTYPE={s.backend.dtype!r} must be auto, float32 or bfloat16"
        )
    if s.backend.quantize not in {"", "nf4"}:
        raise InvalidSetting(f"ANNOTUNE_BACKEND_QUANTIZE={s.backend.quantize!r}: nf4 or empty")
    _check_engine(s.backend)
    if s.backend.answer_tokens < 1 or s.backend.answer_s <= 0:
        raise InvalidSetting("ANNOTUNE_BACKEND_ANSWER_TOKENS and _ANSWER_S must be above 0")
    if s.train.folds < 0 or s.train.folds == 1:
        raise InvalidSetting(f"ANNOTUNE_TRAIN_FOLDS={s.train.folds} must be 0, or 2 or more")
    if s.train.device not in {"auto", "cpu", "cuda"}:
        raise InvalidSetting(f"ANNOTUNE_TRAIN_DEVICE={s.train.device!r} must be auto, cpu or cuda")
    if s.train.every < 1 or s.train.steps < 0 or s.train.rank < 1:
        raise InvalidSetting("ANNOTUNE_TRAIN_EVERY and _RANK must be 1 or more, _STEPS 0 or more")
    _check_causal(s.train)
    wrong = wrong_with(s.augment) or wrong_with_backups(s.backup) or s.log.wrong
    if wrong := wrong or wrong_with_store(s.place, s.s3) or unguarded(s):
        raise InvalidSetting(wrong)


def _check_engine(backend: Backend) -> None:
    if backend.engine_kind not in ENGINES:
        raise InvalidSetting(
            f"ANNOTUNE_BACKEND_ENGINE_KIND={backend.engine_kind!r} must be one of "
            f"{', '.join(sorted(ENGINES))}"
        )
    if not backend.engine_url:
        return
    address = urlsplit(backend.engine_url)
    if address.scheme not in {"http", "https"} or not address.hostname or address.query:
        raise InvalidSetting(
            "ANNOTUNE_BACKEND_ENGINE_URL must be an address such as http://127.0.0.1:8000"
        )
    if address.username or address.password:
        raise InvalidSetting(
            "ANNOTUNE_BACKEND_ENGINE_URL holds a password; it shows in /health: set "
            "ANNOTUNE_BACKEND_ENGINE_KEY (or _KEY_FILE) instead"
        )
    if backend.quantize:
        raise InvalidSetting(
            "ANNOTUNE_BACKEND_QUANTIZE is our own engine's; the one at ANNOTUNE_BACKEND_ENGINE_URL "
            "is told so when it is started"
        )


def _check_causal(train: Train) -> None:
    if train.quantize not in {"", "nf4"}:
        raise InvalidSetting(f"ANNOTUNE_TRAIN_QUANTIZE={train.quantize!r} must be nf4 or empty")
    if train.variant not in VARIANTS:
        raise InvalidSetting(
            f"ANNOTUNE_TRAIN_VARIANT={train.variant!r} must be one of {', '.join(sorted(VARIANTS))}"
        )
    if train.variant == "pissa" and train.quantize:
        raise InvalidSetting(
            "ANNOTUNE_TRAIN_VARIANT=pissa starts from the weights' own largest parts, which 4 bits "
            "have not; use it without ANNOTUNE_TRAIN_QUANTIZE"
        )
    if train.checkpoint_s < 0 or train.gpus < 1:
        raise InvalidSetting("ANNOTUNE_TRAIN_CHECKPOINT_S must be 0 or more, _GPUS 1 or more")
    if train.gpus > 1 and (train.device == "cpu" or train.quantize):
        raise InvalidSetting(
            f"ANNOTUNE_TRAIN_GPUS={train.gpus} needs ANNOTUNE_TRAIN_DEVICE=auto or cuda, and no "
            "ANNOTUNE_TRAIN_QUANTIZE: a 4-bit base stays on one"
        )
