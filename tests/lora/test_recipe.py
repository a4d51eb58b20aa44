"""A recipe names all that decides an adapter, and needs no model to be asked."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from lora import fit, plan, pseudo, recipe, start
from lora.base import base_kind, load_base
from lora.errors import BaseUnavailable
from lora.forms import spans
from lora.recipe import (
    BUNDLED,
    HUB_FILES,
    WEIGHTS,
    Source,
    find_source,
    kind_of,
    recipe_for,
    revision_of,
)
from settings import Train

SNAPSHOT = "a" * 64


@pytest.mark.parametrize("change", [{"seed": 1}, {"steps": 61}, {"rank": 8}, {"device": "cuda"}])
def test_what_decides_the_numbers_decides_the_recipe(change: dict[str, object]) -> None:
    changed = replace(Train(), **change)  # type: ignore[arg-type]
    assert recipe_for("minilm", SNAPSHOT, changed).id != recipe_for("minilm", SNAPSHOT, Train()).id


def test_when_and_how_fast_to_train_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    changed = replace(Train(), every=7, least=3, age_s=1.0, threads=4)
    assert recipe_for("minilm", SNAPSHOT, changed) == recipe_for("minilm", SNAPSHOT, Train())


def test_another_snapshot_is_another_recipe() -> None:
    one, two = (recipe_for("minilm", s * 64, Train()).id for s in "ab")
    assert one != two


def test_a_bundled_base_is_known_by_its_pin() -> None:
    assert recipe_for("minilm", SNAPSHOT, Train()).base_revision == BUNDLED["minilm"].sha256


def test_a_folder_is_known_by_its_weights(tiny_folder: Path) -> None:
    source = find_source(str(tiny_folder))
    assert len(source.revision()) == 64 and source.pinned is None


@pytest.mark.parametrize("name", ["gpt-17", "", "/nowhere"])
def test_an_unknown_base_is_refused_with_what_would_do(name: str) -> None:
    with pytest.raises(BaseUnavailable, match="neither bundled"):
        find_source(name)


COMMIT = "5c38ec7c405ec4b44b94cc5a9bb96e735b38267a"


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty hub cache, and no hub."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    return tmp_path


def cached(cache: Path, tiny_folder: Path) -> Path:
    """Put a repository at COMMIT into the cache, as the hub's client lays it out."""
    snapshot = cache / "models--org--tiny" / "snapshots" / COMMIT
    shutil.copytree(tiny_folder, snapshot)
    return snapshot


def test_a_hub_id_with_its_revision_is_found_in_the_cache(cache: Path, tiny_folder: Path) -> None:
    folder = cached(cache, tiny_folder)
    source = find_source(f"org/tiny@{COMMIT}")
    assert (source.folder, source.upstream) == (folder, "org/tiny")
    assert source.revision() == COMMIT
    base = load_base(source.name)
    assert (base.revision, base.upstream, base.hidden) == (COMMIT, "org/tiny", 32)


def test_a_recipe_of_a_hub_base_needs_its_config_alone(cache: Path, tiny_folder: Path) -> None:
    snapshot = cache / "models--org--tiny" / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    shutil.copy(tiny_folder / "config.json", snapshot)
    name = f"org/tiny@{COMMIT}"
    assert revision_of(name) == recipe_for(name, SNAPSHOT, Train()).base_revision == COMMIT


@pytest.mark.parametrize("incomplete", [False, True])
def test_offline_a_base_that_is_not_in_the_cache_says_so(cache: Path, incomplete: bool) -> None:
    if incomplete:
        (cache / "models--org--tiny" / "snapshots" / COMMIT).mkdir(parents=True)
    with pytest.raises(BaseUnavailable, match="not in the local cache and cannot be fetched"):
        find_source(f"org/tiny@{COMMIT}")


def test_what_is_not_cached_is_fetched_at_its_revision_without_code(
    cache: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[dict[str, object]] = []

    def download(repository: str, **how: object) -> str:
        asked.append({"repository": repository, **how})
        if how["local_files_only"]:
            raise FileNotFoundError("not in the cache")
        return str(cached(cache, tiny_folder))

    monkeypatch.setattr("huggingface_hub.snapshot_download", download)
    assert find_source(f"org/tiny@{COMMIT}").weights[0].name == WEIGHTS
    last = asked[-1]
    assert (last["repository"], last["revision"]) == ("org/tiny", COMMIT)
    assert last["allow_patterns"] == HUB_FILES
    assert not [p for p in HUB_FILES if p.endswith((".py", ".bin", ".pt", "*"))]


@pytest.mark.parametrize("name", ["org/tiny", "org/tiny@main", "org/tiny@5c38ec7"])
def test_a_hub_id_without_its_revision_is_refused(cache: Path, name: str) -> None:
    with pytest.raises(BaseUnavailable, match="40 hex digits"):
        find_source(name)


def test_the_shards_of_a_large_base_are_one_revision(tiny_folder: Path, tmp_path: Path) -> None:
    for part in ("00001", "00002"):
        shutil.copy(tiny_folder / WEIGHTS, tmp_path / f"model-{part}-of-00002.safetensors")
    source = find_source(str(tmp_path))
    assert len(source.weights) == 2
    before = source.revision()
    assert len(before) == 64
    (tmp_path / "model-00002-of-00002.safetensors").write_bytes(b"other")
    assert source.revision() != before


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "vocab.txt"])
def test_a_local_base_with_another_tokenizer_or_config_is_another_base(
    tiny_folder: Path, tmp_path: Path, name: str
) -> None:
    shutil.copytree(tiny_folder, tmp_path / "base")
    source = find_source(str(tmp_path / "base"))
    before = source.revision()
    (tmp_path / "base" / "README.md").write_text("words")
    assert source.revision() == before
    (tmp_path / "base" / name).write_text("{}")
    assert source.revision() != before


@pytest.mark.parametrize(
    ("config", "kind"),
    [
        ({"model_type": "bert", "architectures": ["BertModel"]}, "encoder"),
        ({"model_type": "bert", "architectures": ["BertLMHeadModel"]}, "causal"),
        ({"model_type": "modernbert", "architectures": ["ModernBertForMaskedLM"]}, "encoder"),
        ({"model_type": "gemma3", "architectures": ["Gemma3ForCausalLM"]}, "causal"),
        ({"model_type": "llama", "architectures": ["LlamaModel"]}, "causal"),
        ({"model_type": "roberta"}, "encoder"),
    ],
)
def test_the_kind_of_a_base_is_read_from_its_config_as_loading_does(
    tiny_folder: Path, tmp_path: Path, config: dict[str, object], kind: str
) -> None:
    shutil.copy(tiny_folder / WEIGHTS, tmp_path)
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert kind_of(str(tmp_path)) == base_kind(Source("x", "x", tmp_path)) == kind


def test_bundled_bases_have_a_known_kind_whether_or_not_they_are_installed() -> None:
    assert {name: kind_of(name) for name in BUNDLED} == {"minilm": "encoder", "smollm": "causal"}


@pytest.mark.parametrize(
    ("config", "words"),
    [(None, "cannot be read"), ("[]", "cannot be read"), ("{", "cannot be read")]
    + [('{"is_encoder_decoder": true, "model_type": "bert"}', "encoder-decoder")],
)
def test_a_base_of_no_kind_says_why(
    tiny_folder: Path, tmp_path: Path, config: str | None, words: str
) -> None:
    shutil.copy(tiny_folder / WEIGHTS, tmp_path)
    if config is not None:
        (tmp_path / "config.json").write_text(config)
    with pytest.raises(BaseUnavailable, match=words):
        kind_of(str(tmp_path))
    with pytest.raises(BaseUnavailable, match="neither bundled"):
        kind_of("/nowhere")


def test_of_a_hub_base_the_config_alone_is_fetched(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(BaseUnavailable, match="config.json of base .* cannot be fetched"):
        kind_of(f"org/tiny@{COMMIT}")
    asked: list[tuple[str, str, object]] = []

    def download(repository: str, file: str, *, revision: str, local_files_only: bool) -> str:
        asked.append((file, revision, local_files_only))
        if local_files_only:
            raise FileNotFoundError("not in the cache")
        (tmp_path / file).write_text('{"architectures": ["LlamaForCausalLM"]}')
        return str(tmp_path / file)

    monkeypatch.setattr("huggingface_hub.hf_hub_download", download)
    assert kind_of(f"org/tiny@{COMMIT}") == "causal"
    assert asked == [("config.json", COMMIT, True), ("config.json", COMMIT, False)]


@pytest.mark.model  # a fresh interpreter: seconds, on a busy machine
def test_asking_for_a_recipe_loads_no_model_library() -> None:
    code = (
        "import sys; import lora.train\n"
        "lora.train.recipe_for('minilm', 'a' * 64, lora.train.Train())\n"
        "import lora.recipe; [lora.recipe.kind_of(n) for n in lora.recipe.BUNDLED]\n"
        "print(sorted({'torch', 'transformers', 'peft', 'sklearn'} & set(sys.modules)))"
    )
    root = Path(__file__).parents[2]
    said = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True)
    assert said.stdout.strip() == "[]", said.stderr


def test_the_fit_number_is_raised_when_its_numbers_change() -> None:
    """Equal recipes give equal adapters: change a constant of the fit, and FIT with it."""
    numbers = [
        *(fit.LORA_RATE, fit.CHOICE_RATE, fit.TAG_RATE, fit.WARM_UP, fit.SCALE),
        *(start.STRENGTH, start.SOFTENED, start.MULTIPLE_STRENGTH, start.NAME_WEIGHT),
        *(plan.BATCH, plan.STRETCH, plan.NAMES, plan.NAMES_SHARE, plan.BORROWED, plan.ROUNDS),
        *(
            plan.BORROWED_WEIGHT,
            plan.RAMP,
            plan.FEWEST,
            plan.MOST,
            plan.SPAN_STEPS,
            plan.ENOUGH_SPANS,
        ),
        *(pseudo.POOL_SAMPLE, pseudo.POOL_CHARS, pseudo.SURE_SHARE, spans.WEIGHT),
        *(pseudo.MANY_ANSWERS, pseudo.PER_LABEL, plan.MADE, fit.KEPT, start.FROZEN_STRENGTH),
    ]
    digest = hashlib.sha256(repr(numbers).encode()).hexdigest()[:12]
    assert (recipe.FIT, digest) == (7, "b9d0fab0b4d2")
